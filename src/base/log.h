/* Log lines: to the host's function, else to stderr as "llmlab: ...". */
#ifndef LLMLAB_BASE_LOG_H
#define LLMLAB_BASE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#include <llmlab/config.h>

typedef struct llmlab__log_s {
    llmlab_log_fn fn;
    void *payload;
    llmlab_log_level_t level; /* lines below it are dropped */
} llmlab__log_t;

/* One line. NULL log: stderr at warning level. */
void llmlab__log(const llmlab__log_t *log, llmlab_log_level_t level,
                 const char *format, ...) LLMLAB_PRINTF(3, 4);

/* At most one line per interval. Zero-initialise. */
typedef struct llmlab__log_limit_s {
    _Atomic int64_t next_ns; /* CLOCK_MONOTONIC */
    _Atomic uint64_t skipped;
} llmlab__log_limit_t;

/* 1 if a line may be written now; *skipped then tells how many were not. */
int llmlab__log_allowed(llmlab__log_limit_t *limit, int64_t interval_ns,
                        uint64_t *skipped);

#endif
