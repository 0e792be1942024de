#include "support/schema.h"

#include <math.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct schema_s {
    cJSON *root;
};

typedef struct check_s {
    const schema_t *schema;
    char path[256];
    char *why;
    size_t why_size;
} check_t;

static bool conforms(check_t *check, const cJSON *rule, const cJSON *json);

static const char *const known[] = {
    "$schema",     "$id",       "title",
    "description", "type",      "properties",
    "required",    "items",     "$ref",
    "$defs",       "anyOf",     "enum",
    "const",       "pattern",   "minimum",
    "maximum",     "minLength", "maxLength",
    "minItems",    "maxItems",  "additionalProperties"};

static bool
is_known(const char *word)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* Every keyword below this rule is one that the checker has. */
static bool
has_known_words(const cJSON *rule)
{
    const cJSON *word;

    cJSON_ArrayForEach(word, rule)
    {
        const cJSON *part;
        bool is_map =
            word->string != NULL && (strcmp(word->string, "properties") == 0 ||
                                     strcmp(word->string, "$defs") == 0);

        if (word->string != NULL && !is_known(word->string)) {
            fprintf(stderr, "schema: unknown keyword %s\n", word->string);
            return false;
        }
        if (word->string != NULL && strcmp(word->string, "anyOf") == 0) {
            is_map = true;
        }
        if (!is_map) {
            if (cJSON_IsObject(word) && !has_known_words(word)) {
                return false;
            }
            continue;
        }
        cJSON_ArrayForEach(part, word)
        {
            if (cJSON_IsObject(part) && !has_known_words(part)) {
                return false;
            }
        }
    }
    return true;
}

schema_t *
schema_load(const char *path)
{
    FILE *file = fopen(path, "rb");
    schema_t *schema = calloc(1, sizeof(*schema));
    char *text = calloc(1, 1 << 20);

    if (file != NULL && schema != NULL && text != NULL &&
        fread(text, 1, (1 << 20) - 1, file) > 0) {
        schema->root = cJSON_Parse(text);
    }
    if (file != NULL) {
        fclose(file);
    }
    free(text);
    if (schema != NULL &&
        (schema->root == NULL || !has_known_words(schema->root))) {
        schema_free(schema);
        schema = NULL;
    }
    return schema;
}

void
schema_free(schema_t *schema)
{
    if (schema != NULL) {
        cJSON_Delete(schema->root);
        free(schema);
    }
}

static bool __attribute__((format(printf, 2, 3)))
differs(check_t *check, const char *format, ...)
{
    int size = snprintf(check->why, check->why_size, "%s: ", check->path);
    va_list arguments;

    va_start(arguments, format);
    if (size >= 0 && (size_t)size < check->why_size) {
        vsnprintf(check->why + size, check->why_size - (size_t)size, format,
                  arguments);
    }
    va_end(arguments);
    return false;
}

static const cJSON *
word(const cJSON *rule, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(rule, name);
}

static bool
is_type(const char *type, const cJSON *json)
{
    if (strcmp(type, "integer") == 0) {
        return cJSON_IsNumber(json) &&
               json->valuedouble == floor(json->valuedouble);
    }
    return (strcmp(type, "object") == 0 && cJSON_IsObject(json)) ||
           (strcmp(type, "array") == 0 && cJSON_IsArray(json)) ||
           (strcmp(type, "string") == 0 && cJSON_IsString(json)) ||
           (strcmp(type, "number") == 0 && cJSON_IsNumber(json)) ||
           (strcmp(type, "boolean") == 0 && cJSON_IsBool(json)) ||
           (strcmp(type, "null") == 0 && cJSON_IsNull(json));
}

static bool
type_conforms(check_t *check, const cJSON *rule, const cJSON *json)
{
    const cJSON *type = word(rule, "type");
    const cJSON *one;

    if (type == NULL ||
        (cJSON_IsString(type) && is_type(type->valuestring, json))) {
        return true;
    }
    if (cJSON_IsArray(type)) {
        cJSON_ArrayForEach(one, type)
        {
            if (is_type(one->valuestring, json)) {
                return true;
            }
        }
    }
    return differs(check, "wrong type");
}

static bool
value_conforms(check_t *check, const cJSON *rule, const cJSON *json)
{
    const cJSON *constant = word(rule, "const");
    const cJSON *choices = word(rule, "enum");
    const cJSON *choice;

    if (constant != NULL && !cJSON_Compare(constant, json, true)) {
        return differs(check, "not the constant");
    }
    if (choices == NULL) {
        return true;
    }
    cJSON_ArrayForEach(choice, choices)
    {
        if (cJSON_Compare(choice, json, true)) {
            return true;
        }
    }
    return differs(check, "none of the choices");
}

static bool
string_conforms(check_t *check, const cJSON *rule, const char *text)
{
    const cJSON *pattern = word(rule, "pattern");
    const cJSON *shortest = word(rule, "minLength");
    const cJSON *longest = word(rule, "maxLength");

    if ((shortest != NULL && strlen(text) < (size_t)shortest->valuedouble) ||
        (longest != NULL && strlen(text) > (size_t)longest->valuedouble)) {
        return differs(check, "length %zu", strlen(text));
    }
    if (pattern != NULL) {
        regex_t regex;
        bool matches;

        if (regcomp(&regex, pattern->valuestring, REG_EXTENDED | REG_NOSUB) !=
            0) {
            return differs(check, "bad pattern %s", pattern->valuestring);
        }
        matches = regexec(&regex, text, 0, NULL, 0) == 0;
        regfree(&regex);
        if (!matches) {
            return differs(check, "\"%s\" does not match %s", text,
                           pattern->valuestring);
        }
    }
    return true;
}

static bool
number_conforms(check_t *check, const cJSON *rule, double number)
{
    const cJSON *least = word(rule, "minimum");
    const cJSON *most = word(rule, "maximum");

    if ((least != NULL && number < least->valuedouble) ||
        (most != NULL && number > most->valuedouble)) {
        return differs(check, "%g is out of range", number);
    }
    return true;
}

static bool
child_conforms(check_t *check, const cJSON *rule, const cJSON *json,
               const char *name)
{
    size_t size = strlen(check->path);
    bool ok;

    snprintf(check->path + size, sizeof(check->path) - size, "/%s", name);
    ok = conforms(check, rule, json);
    check->path[size] = '\0';
    return ok;
}

static bool
array_conforms(check_t *check, const cJSON *rule, const cJSON *json)
{
    const cJSON *items = word(rule, "items");
    const cJSON *fewest = word(rule, "minItems");
    const cJSON *most = word(rule, "maxItems");
    int size = cJSON_GetArraySize(json);
    const cJSON *item;
    int i = 0;

    if ((fewest != NULL && size < fewest->valueint) ||
        (most != NULL && size > most->valueint)) {
        return differs(check, "%d items", size);
    }
    cJSON_ArrayForEach(item, json)
    {
        char name[16];

        snprintf(name, sizeof(name), "%d", i++);
        if (items != NULL && !child_conforms(check, items, item, name)) {
            return false;
        }
    }
    return true;
}

static bool
object_conforms(check_t *check, const cJSON *rule, const cJSON *json)
{
    const cJSON *properties = word(rule, "properties");
    const cJSON *others = word(rule, "additionalProperties");
    const cJSON *name;
    const cJSON *member;

    cJSON_ArrayForEach(name, word(rule, "required"))
    {
        if (word(json, name->valuestring) == NULL) {
            return differs(check, "lacks %s", name->valuestring);
        }
    }
    cJSON_ArrayForEach(member, json)
    {
        const cJSON *below =
            properties == NULL ? NULL : word(properties, member->string);

        below = below == NULL ? others : below;
        if (below == NULL) {
            return differs(check, "unknown field %s", member->string);
        }
        if (!child_conforms(check, below, member, member->string)) {
            return false;
        }
    }
    return true;
}

static bool
any_conforms(check_t *check, const cJSON *choices, const cJSON *json)
{
    const cJSON *choice;

    cJSON_ArrayForEach(choice, choices)
    {
        if (conforms(check, choice, json)) {
            return true;
        }
    }
    return false;
}

static bool
conforms(check_t *check, const cJSON *rule, const cJSON *json)
{
    const cJSON *reference = word(rule, "$ref");
    const cJSON *choices = word(rule, "anyOf");

    if (reference != NULL) {
        const char *name = strrchr(reference->valuestring, '/') + 1;
        const cJSON *target = word(word(check->schema->root, "$defs"), name);

        if (target == NULL) {
            return differs(check, "no $defs/%s", name);
        }
        return conforms(check, target, json);
    }
    if (choices != NULL && !any_conforms(check, choices, json)) {
        return false;
    }
    if (!type_conforms(check, rule, json) ||
        !value_conforms(check, rule, json)) {
        return false;
    }
    if (cJSON_IsString(json)) {
        return string_conforms(check, rule, json->valuestring);
    }
    if (cJSON_IsNumber(json)) {
        return number_conforms(check, rule, json->valuedouble);
    }
    if (cJSON_IsArray(json)) {
        return array_conforms(check, rule, json);
    }
    return !cJSON_IsObject(json) || choices != NULL ||
           object_conforms(check, rule, json);
}

bool
schema_check(const schema_t *schema, const cJSON *json, char *why,
             size_t why_size)
{
    check_t check = {schema, "", why, why_size};

    why[0] = '\0';
    return conforms(&check, schema->root, json);
}
