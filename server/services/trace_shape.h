/* The shape of a trace: its steps in the order of the tree, each with what it
 * and all below it cost. Shapes of traces that were asked for are kept, so that
 * a page of a long trace does not read all of it. */
#ifndef LLMLAB_SERVICES_TRACE_SHAPE_H
#define LLMLAB_SERVICES_TRACE_SHAPE_H

#include <stdatomic.h>

#include "store/store.h"

/* Steps that a shape has at most. */
#define LLMLAB__SHAPE_MAX 250000

typedef struct llmlab__shape_step_s {
    uint64_t span_id;
    int64_t start_ns;
    uint32_t depth;
    uint32_t children;
    /* With all below it. */
    uint32_t steps;
    uint32_t unpriced;
    int64_t cost_nano;
    int64_t cost_rest;
} llmlab__shape_step_t;

/* Never changed once made; any number of threads may hold it. */
typedef struct llmlab__shape_s {
    _Atomic int holders;
    uint32_t count;
    llmlab__shape_step_t steps[]; /* each before those below it; siblings, and
                                     those without a parent, by start */
} llmlab__shape_t;

typedef struct llmlab__shapes_s llmlab__shapes_t;

/* NULL: out of memory. */
llmlab__shapes_t *llmlab__shapes_new(void);
void llmlab__shapes_destroy(llmlab__shapes_t *shapes); /* NULL: no-op */

/* As new as the trace's row, which was read by the reader. The caller holds it.
 * LLMLAB_EUNSUPPORTED: the trace is too long. shapes NULL: none is kept. */
llmlab_status_t llmlab__shape_hold(llmlab__shapes_t *shapes,
                                   llmlab__store_t *store,
                                   llmlab__reader_t *reader, int64_t project,
                                   const llmlab__trace_row_t *trace,
                                   llmlab__shape_t **out);
void llmlab__shape_release(llmlab__shape_t *shape); /* NULL: no-op */

#endif
