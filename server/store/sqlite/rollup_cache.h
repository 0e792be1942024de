/* Roll-up rows in the writer's memory. What a transaction adds is gathered
 * per quarter hour and written once, at its end, for all levels of each view
 * that follows from it. */
#ifndef LLMLAB_STORE_ROLLUP_CACHE_H
#define LLMLAB_STORE_ROLLUP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/latency.h"
#include "store/store.h"

struct llmlab__changes_s;
struct llmlab__connection_s;

typedef struct llmlab__rollup_key_s {
    int64_t project;
    int32_t view;
    int32_t level;
    int64_t start; /* in units of the level */
    int64_t by[LLMLAB__ROLLED];
} llmlab__rollup_key_t;

typedef struct llmlab__rollup_entry_s {
    uint64_t hash; /* 0: empty */
    llmlab__rollup_key_t key;
    int64_t series;
    bool loaded;  /* stored and latency hold what the database has */
    bool touched; /* the deltas are to be added by the flush */
    llmlab__sums_t stored;
    llmlab__sums_t delta;
    llmlab__buf_t latency; /* packed */
    llmlab__latency_delta_t latency_delta;
} llmlab__rollup_entry_t;

typedef struct llmlab__rollup_cache_s {
    llmlab__rollup_entry_t **slots; /* by hash */
    size_t capacity;                /* a power of two */
    size_t count;
    size_t bytes; /* of packed latencies */
    llmlab__rollup_entry_t **touched;
    size_t touched_count;
    size_t touched_capacity;
    llmlab__rollup_entry_t *last[LLMLAB__VIEWS]; /* calls are often alike */
    llmlab__buf_t scratch;
    struct llmlab__changes_s *changes; /* told of each day; NULL: nobody */
    uint64_t number;                   /* of the transaction */
} llmlab__rollup_cache_t;

/* What a span, or several, add. */
typedef struct llmlab__contribution_s {
    llmlab__sums_t sums;
    int64_t latency_ns; /* of the one call; -1: none, or not known apart */
} llmlab__contribution_t;

void llmlab__rollup_cache_cleanup(llmlab__rollup_cache_t *cache);
/* Forget everything: after a rollback. */
void llmlab__rollup_cache_clear(llmlab__rollup_cache_t *cache);

/* Add to a quarter hour of VIEW_ALL, VIEW_USER or VIEW_TAG; sign -1 takes it
 * away again. LLMLAB_EOVERFLOW when a sum does not fit. */
llmlab_status_t llmlab__rollup_add(llmlab__rollup_cache_t *cache,
                                   const llmlab__rollup_key_t *key,
                                   const llmlab__contribution_t *what,
                                   int sign);
/* Add what the quarter hours got to all rows that follow from them; the flush
 * does so by itself. */
llmlab_status_t llmlab__rollup_gather(llmlab__rollup_cache_t *cache);
/* The row in memory, or NULL. */
llmlab__rollup_entry_t *llmlab__rollup_find(const llmlab__rollup_cache_t *cache,
                                            const llmlab__rollup_key_t *key);
/* Write what was added. */
llmlab_status_t llmlab__rollup_flush(struct llmlab__connection_s *connection,
                                     llmlab__rollup_cache_t *cache);

#endif
