/* Roll-up rows in the writer's memory. What a transaction adds is gathered
 * per quarter hour and written once, at its end, for quarter, hour and day of
 * each view. */
#ifndef LLMLAB_STORE_ROLLUP_CACHE_H
#define LLMLAB_STORE_ROLLUP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct llmlab__connection_s;

typedef struct llmlab__rollup_key_s {
    int64_t project;
    int64_t level; /* view * LLMLAB__LEVELS + level */
    int64_t start;
    int64_t by[LLMLAB__DIMENSIONS];
} llmlab__rollup_key_t;

typedef struct llmlab__rollup_entry_s {
    uint64_t hash; /* 0: empty */
    llmlab__rollup_key_t key;
    bool loaded;  /* stored holds what the database has */
    bool touched; /* delta is to be added by the flush */
    llmlab__sums_t stored;
    llmlab__sums_t delta;
} llmlab__rollup_entry_t;

typedef struct llmlab__rollup_cache_s {
    llmlab__rollup_entry_t **slots; /* by hash */
    size_t capacity;                /* a power of two */
    size_t count;
    llmlab__rollup_entry_t **touched;
    size_t touched_count;
    size_t touched_capacity;
    llmlab__rollup_entry_t *last; /* calls in a row are often alike */
} llmlab__rollup_cache_t;

void llmlab__rollup_cache_cleanup(llmlab__rollup_cache_t *cache);
/* Forget everything: after a rollback. */
void llmlab__rollup_cache_clear(llmlab__rollup_cache_t *cache);

/* Add sums to a quarter hour; sign -1 takes them away again. LLMLAB_EOVERFLOW
 * when a sum does not fit. */
llmlab_status_t llmlab__rollup_add(llmlab__rollup_cache_t *cache,
                                   const llmlab__rollup_key_t *key,
                                   const llmlab__sums_t *sums, int sign);
/* Write what was added. */
llmlab_status_t llmlab__rollup_flush(struct llmlab__connection_s *connection,
                                     llmlab__rollup_cache_t *cache);

#endif
