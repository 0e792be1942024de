/* What the files that store a batch share. */
#ifndef LLMLAB_STORE_SQLITE_APPLY_H
#define LLMLAB_STORE_SQLITE_APPLY_H

#include "store/sqlite/sqlite_store.h"

/* The labels of a step's tags, each once. Without any it is 0 alone. */
typedef struct llmlab__tags_s {
    llmlab__text_t text;
    size_t count;
    int64_t of[LLMLAB__STEP_TAGS];
} llmlab__tags_t;

/* What the steps of one batch share. */
typedef struct llmlab__apply_s {
    llmlab__sqlite_t *sqlite;
    llmlab__connection_t *connection;
    llmlab__batch_t *batch;
    int64_t instance;
    int64_t environment;
    int64_t service;
    int64_t day;
    llmlab__intervals_t known;
    llmlab__tags_t tags; /* of the last step: the next one's are often alike */
} llmlab__apply_t;

typedef struct llmlab__labels_s {
    int64_t provider;
    int64_t model;
    int64_t agent;
    int64_t user;
    const llmlab__tags_t *tags;
} llmlab__labels_t;

#define LLMLAB__QUARTER_NS (INT64_C(900) * 1000000000)

/* apply.c: the transaction's number, first in memory, so that what it changes
 * can be told before it is seen; one that fails leaves a gap. */
llmlab_status_t llmlab__revision_write(llmlab__sqlite_t *sqlite);
/* Write the traces and sums that a transaction has changed, under its number.
 */
llmlab_status_t llmlab__sums_write(llmlab__sqlite_t *sqlite);

/* contribute.c: what a span adds to the roll-ups. */

/* Read a JSON array of tags. The text must live as long as *tags. */
llmlab_status_t llmlab__tags_read(llmlab__connection_t *connection,
                                  llmlab__label_cache_t *labels,
                                  int64_t project, int64_t day,
                                  llmlab__text_t text, llmlab__tags_t *tags);
/* What the columns from `counted` on say: see LLMLAB__SQL_SPAN_GET. */
void llmlab__span_contribution(sqlite3_stmt *sql, int column, int status,
                               llmlab__contribution_t *out);
/* Where a span adds, by the cube's dimensions and user. */
typedef struct llmlab__place_s {
    int64_t project;
    int64_t start_ns;
    int64_t by[LLMLAB__ROLLED]; /* without the tag */
    const llmlab__tags_t *tags;
} llmlab__place_t;

/* Add to the quarter hours of every view; sign -1 takes it away again. */
llmlab_status_t llmlab__contribute(llmlab__rollup_cache_t *rollups,
                                   const llmlab__place_t *place,
                                   const llmlab__contribution_t *what,
                                   int sign);

/* correct.c: changes to spans that are stored already. */

/* A call that was counted turns out to have one below it that carries usage:
 * take it out of the sums again. */
llmlab_status_t llmlab__span_uncount(llmlab__apply_t *apply,
                                     llmlab__trace_t *trace,
                                     llmlab__node_t *node);
/* A stored call costs something else. */
llmlab_status_t llmlab__span_reprice(llmlab__apply_t *apply,
                                     llmlab__trace_t *trace,
                                     const llmlab__node_t *node,
                                     const llmlab__call_price_t *price);
/* Give a trace's stored spans what they lack and the trace states. */
llmlab_status_t llmlab__trace_fill(llmlab__apply_t *apply,
                                   const llmlab__trace_fill_t *fill);

/* erase.c: LLMLAB_OK when the trace was deleted, LLMLAB_ENOTFOUND when not. */
llmlab_status_t llmlab__trace_was_deleted(llmlab__connection_t *connection,
                                          int64_t project, uint64_t high,
                                          uint64_t low);

/* Find the batch's instance or make it, and keep the greatest totals it told.
 * LLMLAB_EREJECTED when it belongs to another project. */
llmlab_status_t llmlab__instance_apply(llmlab__apply_t *apply);

/* Add sums to a trace's row; sign -1 takes them away. */
llmlab_status_t llmlab__trace_sum(llmlab__trace_row_t *row,
                                  const llmlab__sums_t *sums, int sign);
/* The trace's own row, from the span that has just come. */
llmlab_status_t llmlab__trace_merge(llmlab__apply_t *apply,
                                    llmlab__trace_t *trace,
                                    const llmlab__row_t *row,
                                    const llmlab__labels_t *labels,
                                    const llmlab__sums_t *sums);

#endif
