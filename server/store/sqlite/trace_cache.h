/* Traces in the writer's memory: the derived row and, for each of its spans,
 * who its parent is, so that duplicates are told from conflicts and usage is
 * counted on leaves only. */
#ifndef LLMLAB_STORE_TRACE_CACHE_H
#define LLMLAB_STORE_TRACE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/sqlite/trace_runs.h"
#include "store/store.h"

struct llmlab__connection_s;

/* What a span does not state, and its trace may state for it. */
enum {
    LLMLAB__LACKS_AGENT = 1,
    LLMLAB__LACKS_USER = 2,
    LLMLAB__LACKS_SESSION = 4
};

typedef struct llmlab__node_s {
    uint64_t span_id; /* 0: empty slot */
    uint64_t parent_id;
    int64_t start_ns;
    bool carries; /* it states usage or a charge */
    bool counted; /* it is a call, and in the sums as such */
    bool below;   /* one that carries is known below it */
    uint8_t lacks;
} llmlab__node_t;

typedef struct llmlab__trace_s {
    uint64_t hash;
    int64_t project;
    struct llmlab__trace_s *newer; /* order of use */
    struct llmlab__trace_s *older;
    bool stored; /* the database has a row */
    bool dirty;
    llmlab__trace_row_t row; /* its texts are not used; see below */
    int64_t root_ns;
    int root_status;
    int64_t agent;
    int64_t user;
    int64_t environment;
    llmlab__buf_t name;
    llmlab__buf_t session;
    llmlab__buf_t models; /* ",3,7," */
    llmlab__buf_t tags;   /* JSON array without its end: "[\"a\"" */

    /* What the session was told of it, and which. */
    llmlab__trace_row_t told;
    llmlab__buf_t told_session;

    llmlab__runs_t runs; /* when its spans began */

    uint8_t lacks;         /* all that some of its spans lack */
    llmlab__node_t *nodes; /* by hash of the span's id */
    size_t node_count;
    size_t node_capacity; /* a power of two */
    uint64_t *above; /* ids of spans with one that carries below, by hash */
    size_t above_count;
    size_t above_capacity;
} llmlab__trace_t;

typedef struct llmlab__trace_cache_s {
    llmlab__trace_t **slots;
    size_t capacity; /* a power of two */
    size_t count;
    size_t nodes; /* capacity of all node tables together */
    llmlab__trace_t *newest;
    llmlab__trace_t *oldest;
    llmlab__trace_t **dirty;
    size_t dirty_count;
    size_t dirty_capacity;
} llmlab__trace_cache_t;

void llmlab__trace_cache_cleanup(llmlab__trace_cache_t *cache);
void llmlab__trace_cache_clear(llmlab__trace_cache_t *cache);
/* Keep the memory within its bounds; only between transactions. */
void llmlab__trace_cache_trim(llmlab__trace_cache_t *cache);

/* The trace, from memory, from the database, or new and empty. */
llmlab_status_t llmlab__trace_get(struct llmlab__connection_s *connection,
                                  llmlab__trace_cache_t *cache, int64_t project,
                                  uint64_t high, uint64_t low,
                                  llmlab__trace_t **out);
/* Drop it from the memory: it is deleted. Only between applied batches. */
void llmlab__trace_forget(llmlab__trace_cache_t *cache, int64_t project,
                          uint64_t high, uint64_t low);
llmlab_status_t llmlab__trace_touch(llmlab__trace_cache_t *cache,
                                    llmlab__trace_t *trace);
/* Write the rows that were touched. */
llmlab_status_t llmlab__trace_flush(struct llmlab__connection_s *connection,
                                    llmlab__trace_cache_t *cache);

/* session.c: tell the trace's session what has changed. */
llmlab_status_t llmlab__session_flush(struct llmlab__connection_s *connection,
                                      llmlab__trace_t *trace);

llmlab__node_t *llmlab__trace_node(const llmlab__trace_t *trace,
                                   uint64_t span_id);
/* A span more, not yet there. NULL: out of memory. */
llmlab__node_t *llmlab__trace_add_node(llmlab__trace_cache_t *cache,
                                       llmlab__trace_t *trace,
                                       const llmlab__node_t *node);
/* Is one that carries usage known below the span? */
bool llmlab__trace_is_above(const llmlab__trace_t *trace, uint64_t span_id);
/* Remember that one is below the span. False: out of memory. */
bool llmlab__trace_set_above(llmlab__trace_t *trace, uint64_t span_id);

#endif
