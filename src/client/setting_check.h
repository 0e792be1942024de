/* Is a value one that a setting can have? Every refusal leaves a detail that
 * says why and, for a near miss, what was probably meant. */
#ifndef LLMLAB_CLIENT_SETTING_CHECK_H
#define LLMLAB_CLIENT_SETTING_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include <llmlab/config.h>

/* LLMLAB_OK or LLMLAB_ECONFIG. label is what the detail calls the setting. */
llmlab_status_t llmlab__setting_check(const llmlab_setting_t *setting,
                                      const char *label, const char *value,
                                      size_t size);

/* The detail for a name that is none. */
void llmlab__setting_suggest(const char *name, size_t size);

/* 1, true, yes, on; 0, false, no, off. */
bool llmlab__setting_read_bool(const char *text, bool *out);

/* The position of a value among the choices; -1 when it is none of them. */
int llmlab__setting_choice(const llmlab_setting_t *setting, const char *value,
                           size_t size);

#endif
