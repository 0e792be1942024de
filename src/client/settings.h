/* Settings by id: what the table knows of each, and a set of values. */
#ifndef LLMLAB_CLIENT_SETTINGS_H
#define LLMLAB_CLIENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/config.h>

typedef enum llmlab__setting_id_e {
#define SETTING(id, name, variable, type, value, choices, text) \
    LLMLAB__SETTING_##id,
#include "client/config_props.def"
#undef SETTING
    LLMLAB__SETTINGS
} llmlab__setting_id_t;

/* A set of values; NULL: unset. Secrets lie in guarded memory. Zero is an
 * empty set. */
typedef struct llmlab__settings_s {
    char *value[LLMLAB__SETTINGS];
} llmlab__settings_t;

/* The setting of a name; false, with the detail set, when there is none. */
bool llmlab__setting_find(llmlab__setting_id_t *out, const char *name,
                          size_t size);

/* Check a value and copy it; NULL unsets. label is what the detail calls it:
 * the setting's name, or the variable's. */
llmlab_status_t llmlab__settings_set(llmlab__settings_t *settings,
                                     llmlab__setting_id_t id, const char *label,
                                     const char *value, size_t size);
llmlab_status_t llmlab__settings_copy(llmlab__settings_t *out,
                                      const llmlab__settings_t *settings);
/* Fill what is unset from the environment, unless the program runs with
 * raised privileges. Stops at the first bad value. */
llmlab_status_t llmlab__settings_environment(llmlab__settings_t *settings);
void llmlab__settings_cleanup(llmlab__settings_t *settings);

/* The value, or the default. Values were checked when they were set. */
const char *llmlab__settings_text(const llmlab__settings_t *settings,
                                  llmlab__setting_id_t id);
int64_t llmlab__settings_int(const llmlab__settings_t *settings,
                             llmlab__setting_id_t id);
double llmlab__settings_double(const llmlab__settings_t *settings,
                               llmlab__setting_id_t id);
bool llmlab__settings_bool(const llmlab__settings_t *settings,
                           llmlab__setting_id_t id);
/* The position of the value among the setting's choices. */
int llmlab__settings_choice(const llmlab__settings_t *settings,
                            llmlab__setting_id_t id);

#endif
