#include "http/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static bool
bad(llmlab__request_t *request, const char *field, const char *reason)
{
    return llmlab__reply_refuse(request, 400, "bad-field",
                                "A field of the body is wrong", field,
                                "%.64s: %s", field, reason);
}

static bool
out_of_range(llmlab__request_t *request, const llmlab__field_t *field,
             const char *what)
{
    return llmlab__reply_refuse(
        request, 400, "bad-field", "A field of the body is wrong", field->name,
        "%s: %s from %" PRId64 " to %" PRId64 " is needed", field->name, what,
        field->low, field->high);
}

static bool
read_text(llmlab__request_t *request, const llmlab__field_t *field,
          const cJSON *item)
{
    const char *text = llmlab__json_dom_string(item);
    int64_t size;

    if (text == NULL) {
        return bad(request, field->name, "a text is needed");
    }
    size = (int64_t)strlen(text);
    if (size < field->low || size > field->high) {
        return out_of_range(request, field, "a text with a number of bytes");
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 127) {
            return bad(request, field->name,
                       "control characters are not taken");
        }
    }
    *(const char **)field->out = text;
    return true;
}

static bool
read_choice(llmlab__request_t *request, const llmlab__field_t *field,
            const cJSON *item)
{
    const char *text = llmlab__json_dom_string(item);
    char list[160] = "";

    for (int i = 0; field->choices[i] != NULL; i++) {
        if (text != NULL && strcmp(text, field->choices[i]) == 0) {
            *(int *)field->out = i;
            return true;
        }
        if (*field->choices[i] != '\0') {
            (void)snprintf(list + strlen(list), sizeof(list) - strlen(list),
                           "%s%s", *list == '\0' ? "" : ", ",
                           field->choices[i]);
        }
    }
    return llmlab__reply_refuse(request, 400, "bad-field",
                                "A field of the body is wrong", field->name,
                                "%s: it is one of %s", field->name, list);
}

static bool
read_value(llmlab__request_t *request, const llmlab__field_t *field,
           const cJSON *item)
{
    const char *text;
    int64_t number;

    switch (field->type) {
    case LLMLAB__FIELD_TEXT:
        return read_text(request, field, item);
    case LLMLAB__FIELD_INT:
        if (!llmlab__json_dom_int(item, &number) || number < field->low ||
            number > field->high) {
            return out_of_range(request, field, "a whole number");
        }
        *(int64_t *)field->out = number;
        return true;
    case LLMLAB__FIELD_BOOL:
        *(bool *)field->out = cJSON_IsTrue(item);
        return cJSON_IsBool(item) ||
               bad(request, field->name, "true or false is needed");
    case LLMLAB__FIELD_TIME:
        text = llmlab__json_dom_string(item);
        return (text != NULL &&
                llmlab__time_parse(text, strlen(text), field->out) == 0) ||
               bad(request, field->name, "a time as RFC 3339 is needed");
    case LLMLAB__FIELD_CHOICE:
        return read_choice(request, field, item);
    case LLMLAB__FIELD_OBJECT:
        *(const cJSON **)field->out = item;
        return cJSON_IsObject(item) ||
               bad(request, field->name, "an object is needed");
    default:
        *(const cJSON **)field->out = item;
        number = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : -1;
        return (number >= field->low && number <= field->high) ||
               out_of_range(request, field,
                            "an array with a number of "
                            "elements");
    }
}

bool
llmlab__request_fields(llmlab__request_t *request,
                       const llmlab__field_t *fields, size_t count)
{
    const cJSON *item;

    if (request->json != NULL) {
        cJSON_ArrayForEach(item, request->json)
        {
            size_t i = 0;

            while (i < count && strcmp(fields[i].name, item->string) != 0) {
                i++;
            }
            if (i == count) {
                return llmlab__reply_refuse(
                    request, 400, "unknown-field",
                    "A field of the body is not known", item->string,
                    "%.64s is not known here", item->string);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        const llmlab__field_t *field = &fields[i];

        item = request->json == NULL
                   ? NULL
                   : llmlab__json_dom_get(request->json, field->name);
        if (field->present != NULL) {
            *field->present = item != NULL;
        }
        if (item == NULL && field->required) {
            return llmlab__reply_refuse(
                request, 400, "missing-field", "A field of the body is missing",
                field->name, "%s is needed", field->name);
        }
        if (item == NULL || (field->nullable && cJSON_IsNull(item))) {
            continue;
        }
        if (!read_value(request, field, item)) {
            return false;
        }
    }
    return true;
}
