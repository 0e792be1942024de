#include "client/settings.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/alloc.h"
#include "base/json_scan.h"
#include "base/status.h"
#include "client/setting_check.h"

static const llmlab_setting_t table[] = {
#define STRING "string"
#define SECRET "secret"
#define INT    "int"
#define DOUBLE "double"
#define BOOL   "bool"
#define ENUM   "enum"
#define SETTING(id, name, variable, type, value, choices, text) \
    {name, variable, type, value, choices, text},
#include "client/config_props.def"
#undef SETTING
#undef STRING
#undef SECRET
#undef INT
#undef DOUBLE
#undef BOOL
#undef ENUM
};

const llmlab_setting_t *
llmlab_setting_at(size_t i)
{
    return i < LLMLAB__SETTINGS ? &table[i] : NULL;
}

static bool
is_secret(llmlab__setting_id_t id)
{
    return table[id].type[0] == 's' && table[id].type[1] == 'e';
}

bool
llmlab__setting_find(llmlab__setting_id_t *out, const char *name, size_t size)
{
    for (int i = 0; i < LLMLAB__SETTINGS; i++) {
        if (strlen(table[i].name) == size &&
            memcmp(table[i].name, name, size) == 0) {
            *out = (llmlab__setting_id_t)i;
            return true;
        }
    }
    llmlab__setting_suggest(name, size);
    return false;
}

static char *
copy_value(llmlab__setting_id_t id, const char *value, size_t size)
{
    char *copy;

    if (!is_secret(id)) {
        return llmlab__strndup(value, size);
    }
    copy = sodium_init() < 0 ? NULL : sodium_malloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, value, size);
        copy[size] = '\0';
    }
    return copy;
}

static void
free_value(llmlab__setting_id_t id, char *value)
{
    if (is_secret(id)) {
        sodium_free(value);
    } else {
        llmlab__free(value);
    }
}

static void
replace_value(llmlab__settings_t *settings, llmlab__setting_id_t id,
              char *value)
{
    free_value(id, settings->value[id]);
    settings->value[id] = value;
}

llmlab_status_t
llmlab__settings_set(llmlab__settings_t *settings, llmlab__setting_id_t id,
                     const char *label, const char *value, size_t size)
{
    llmlab_status_t status;
    char *copy;

    if (value == NULL) {
        replace_value(settings, id, NULL);
        return LLMLAB_OK;
    }
    /* Copied first: the check needs a NUL, and a secret no other copy. */
    copy = copy_value(id, value, size);
    if (copy == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "%s: out of memory", label);
    }
    status = llmlab__setting_check(&table[id], label, copy, size);
    if (status != LLMLAB_OK) {
        free_value(id, copy);
        return status;
    }
    replace_value(settings, id, copy);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__settings_copy(llmlab__settings_t *out,
                      const llmlab__settings_t *settings)
{
    memset(out, 0, sizeof(*out));
    for (int i = 0; i < LLMLAB__SETTINGS; i++) {
        llmlab__setting_id_t id = (llmlab__setting_id_t)i;
        const char *value = settings->value[i];

        if (value == NULL) {
            continue;
        }
        out->value[i] = copy_value(id, value, strlen(value));
        if (out->value[i] == NULL) {
            llmlab__settings_cleanup(out);
            return llmlab__fail(LLMLAB_ENOMEM, "%s: out of memory",
                                table[i].name);
        }
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__settings_environment(llmlab__settings_t *settings)
{
    for (int i = 0; i < LLMLAB__SETTINGS; i++) {
        const char *value = NULL;
        llmlab_status_t status;

        if (settings->value[i] == NULL) {
            value = secure_getenv(table[i].variable);
        }
        if (value == NULL || value[0] == '\0') {
            continue;
        }
        status = llmlab__settings_set(settings, (llmlab__setting_id_t)i,
                                      table[i].variable, value, strlen(value));
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

void
llmlab__settings_cleanup(llmlab__settings_t *settings)
{
    for (int i = 0; i < LLMLAB__SETTINGS; i++) {
        replace_value(settings, (llmlab__setting_id_t)i, NULL);
    }
}

const char *
llmlab__settings_text(const llmlab__settings_t *settings,
                      llmlab__setting_id_t id)
{
    return settings->value[id] != NULL ? settings->value[id]
                                       : table[id].default_value;
}

int64_t
llmlab__settings_int(const llmlab__settings_t *settings,
                     llmlab__setting_id_t id)
{
    return strtoll(llmlab__settings_text(settings, id), NULL, 10);
}

double
llmlab__settings_double(const llmlab__settings_t *settings,
                        llmlab__setting_id_t id)
{
    const char *text = llmlab__settings_text(settings, id);
    llmlab__json_text_t number = {text, strlen(text), false};

    return llmlab__json_double(&number);
}

bool
llmlab__settings_bool(const llmlab__settings_t *settings,
                      llmlab__setting_id_t id)
{
    bool value = false;

    llmlab__setting_read_bool(llmlab__settings_text(settings, id), &value);
    return value;
}

int
llmlab__settings_choice(const llmlab__settings_t *settings,
                        llmlab__setting_id_t id)
{
    const char *text = llmlab__settings_text(settings, id);

    return llmlab__setting_choice(&table[id], text, strlen(text));
}
