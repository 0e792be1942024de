/* Settings: name/value strings from one table (src/client/config_props.def),
 * which also makes the LLMLAB_* variables, docs/CONFIGURATION.md and the
 * bindings' keyword arguments. */
#ifndef LLMLAB_CONFIG_H
#define LLMLAB_CONFIG_H

#include <stddef.h>

#include <llmlab/export.h>
#include <llmlab/status.h>

typedef struct llmlab_config_s llmlab_config_t;

typedef enum llmlab_log_level_e {
    LLMLAB_LOG_DEBUG = 0,
    LLMLAB_LOG_INFO = 1,
    LLMLAB_LOG_WARNING = 2,
    LLMLAB_LOG_ERROR = 3
} llmlab_log_level_t;

/** Takes one log line (no newline). Runs on the worker or on the thread that
 * opens, flushes or closes; never inside a span call. Must not call the client
 * that logs. */
typedef void (*llmlab_log_fn)(llmlab_log_level_t level, const char *line,
                              void *payload);

/** One row of the table of settings, for bindings and help texts. */
typedef struct llmlab_setting_s {
    const char *name;          /* "batch.max_calls" */
    const char *variable;      /* "LLMLAB_BATCH_MAX_CALLS" or NULL */
    const char *type;          /* string, secret, int, double, bool, enum */
    const char *default_value; /* as text; "" for none */
    const char *choices;       /* enum: "a|b|c"; int: "1..1000"; or "" */
    const char *text;          /* one or two sentences */
} llmlab_setting_t;

LLMLAB_BEGIN_DECLS

/** A configuration in which nothing is set. Reads no environment: variables
 * fill what is unset when a client is opened. NULL when out of memory. The
 * caller destroys it, before or after the clients it opened. */
LLMLAB_API llmlab_config_t *llmlab_config_new(void);

/** Frees a configuration and wipes its secrets. NULL: no-op. */
LLMLAB_API void llmlab_config_destroy(llmlab_config_t *config);

/**
 * Set one setting; NULL as value unsets it. The strings are copied.
 * @return LLMLAB_OK; LLMLAB_ECONFIG (unknown name or bad value: the detail
 *         names it and, for a near miss, what was probably meant);
 *         LLMLAB_ENOMEM; LLMLAB_EINVAL
 */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t
llmlab_config_set(llmlab_config_t *config, const char *name, const char *value);

/** As above with sizes; the strings need no NUL. */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t
llmlab_config_set_n(llmlab_config_t *config, const char *name, size_t name_size,
                    const char *value, size_t value_size);

/** The value that was set, borrowed until the next set; NULL when unset or
 * unknown. Secrets answer "***". */
LLMLAB_API const char *llmlab_config_get(const llmlab_config_t *config,
                                         const char *name);

/** Hand log lines to fn instead of stderr. fn == NULL: stderr again. */
LLMLAB_API void llmlab_config_set_log(llmlab_config_t *config, llmlab_log_fn fn,
                                      void *payload);

/** The i-th setting of the table, static; NULL past the end. */
LLMLAB_API const llmlab_setting_t *llmlab_setting_at(size_t i);

LLMLAB_END_DECLS

#endif
