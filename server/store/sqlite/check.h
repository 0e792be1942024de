/* What the files that compare sums with spans share. */
#ifndef LLMLAB_STORE_SQLITE_CHECK_H
#define LLMLAB_STORE_SQLITE_CHECK_H

#include "store/sqlite/apply.h"

/* A trace as its spans say. */
typedef struct llmlab__traced_s {
    uint64_t high; /* both 0: an empty slot */
    uint64_t low;
    int64_t steps;
    int64_t errors;
    llmlab__sums_t sums;
} llmlab__traced_t;

/* Traces whose last span was not met yet. */
typedef struct llmlab__tracing_s {
    llmlab__traced_t *slots;
    size_t count;
    size_t capacity; /* a power of two */
} llmlab__tracing_t;

typedef struct llmlab__checking_s {
    llmlab__check_t *check;
    llmlab__connection_t *connection;
    int64_t project;
    int64_t from_ns; /* what is before it cannot be compared */
    llmlab__rollup_cache_t rollups;
    llmlab__label_cache_t labels;
    llmlab__tags_t tags;
    llmlab__tracing_t tracing;
    llmlab__buf_t scratch;
} llmlab__checking_t;

/* Tell a difference. */
void llmlab__check_differs(llmlab__checking_t *checking, const char *where,
                           const char *what, const char *place, int64_t stored,
                           int64_t expected);

/* check_rows.c: the rows of some buckets against those in checking->rollups. */

/* By what the dimensions say, of quarter hours and hours. */
llmlab_status_t llmlab__check_hour(llmlab__checking_t *checking, int64_t hour);
/* Days and eight days against the sums of hours and days. */
llmlab_status_t llmlab__check_coarser(llmlab__checking_t *checking);

/* check_traces.c */

/* A span of a trace. */
llmlab_status_t llmlab__tracing_add(llmlab__checking_t *checking, uint64_t high,
                                    uint64_t low, bool error,
                                    const llmlab__sums_t *sums);
/* Compare those that have no span at or after the time; INT64_MAX: all. */
llmlab_status_t llmlab__tracing_check(llmlab__checking_t *checking,
                                      int64_t end_ns);
void llmlab__tracing_cleanup(llmlab__tracing_t *tracing);

/* check_sessions.c */
llmlab_status_t llmlab__check_sessions(llmlab__checking_t *checking);

#endif
