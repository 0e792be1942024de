/* What the files that store a batch share. */
#ifndef LLMLAB_STORE_SQLITE_APPLY_H
#define LLMLAB_STORE_SQLITE_APPLY_H

#include "store/sqlite/sqlite_store.h"

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
} llmlab__apply_t;

typedef struct llmlab__labels_s {
    int64_t provider;
    int64_t model;
    int64_t agent;
    int64_t user;
} llmlab__labels_t;

#define LLMLAB__QUARTER_NS (INT64_C(900) * 1000000000)

/* correct.c: changes to spans that are stored already. */

/* A call that was counted turns out to have one below it that carries usage:
 * take it out of the sums again. */
llmlab_status_t llmlab__span_uncount(llmlab__apply_t *apply,
                                     llmlab__trace_t *trace,
                                     llmlab__node_t *node);
/* Give a trace's stored spans what they lack and the trace states. */
llmlab_status_t llmlab__trace_fill(llmlab__apply_t *apply,
                                   const llmlab__trace_fill_t *fill);

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
