/* When a trace's spans began, as disjoint runs of time: its detail then looks
 * there alone, and not at all that ran between its first and its last span. Up
 * to a number each start is a run of its own; above it the nearest are one. */
#ifndef LLMLAB_STORE_TRACE_RUNS_H
#define LLMLAB_STORE_TRACE_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/rows.h"

#define LLMLAB__RUNS_MAX 256

typedef struct llmlab__run_s {
    int64_t first;
    int64_t last;
} llmlab__run_t;

typedef struct llmlab__runs_s {
    llmlab__run_t *of; /* in ascending order */
    uint32_t count;
    uint32_t capacity;
} llmlab__runs_t;

void llmlab__runs_cleanup(llmlab__runs_t *runs);
/* False: out of memory. */
bool llmlab__runs_add(llmlab__runs_t *runs, int64_t start_ns);
void llmlab__runs_pack(const llmlab__runs_t *runs, llmlab__buf_t *out);
/* False: out of memory, or damaged. */
bool llmlab__runs_unpack(llmlab__text_t packed, llmlab__runs_t *out);

#endif
