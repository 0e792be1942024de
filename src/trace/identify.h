/* The ids of a record. */
#ifndef LLMLAB_TRACE_IDENTIFY_H
#define LLMLAB_TRACE_IDENTIFY_H

#include "trace/span.h"

static inline uint64_t
llmlab__span_new_id(llmlab__rng_t *rng)
{
    uint64_t id;

    do {
        id = llmlab__rng_next(rng);
    } while (__builtin_expect(id == 0, 0));
    return id;
}

/* The id of a new trace: time-ordered, so that a store keeps them together.
 * Of its 80 random bits 16 are the root's, whose id no other trace shares. */
static inline void
llmlab__trace_new_id(llmlab__rng_t *rng, int64_t unix_ns, uint64_t root_id,
                     uint64_t id[2])
{
    uint64_t ms = (uint64_t)unix_ns / 1000000;

    id[0] = ms << 16 | root_id >> 48;
    id[1] = llmlab__rng_next(rng);
}

/* Ids for a record whose start is set: below parent, else below the span that
 * traceparent names, else of a new trace. Parts may be NULL and empty. */
static inline void
llmlab__trace_identify(const llmlab__tracer_t *tracer,
                       llmlab__recorder_t *recorder,
                       const llmlab_span_t *parent, llmlab_text_t traceparent,
                       llmlab__record_t *record)
{
    llmlab__rng_t rng = recorder->rng; /* into registers, once */

    record->span_id = llmlab__span_new_id(&rng);
    record->parent_id = 0;
    if (parent != NULL && llmlab__span_is_open(parent)) {
        record->trace_id[0] = parent->record.trace_id[0];
        record->trace_id[1] = parent->record.trace_id[1];
        record->parent_id = parent->record.span_id;
    } else {
        record->flags |= LLMLAB__RECORD_ROOT;
        if (traceparent.size == 0 ||
            !llmlab__traceparent_parse(traceparent, record->trace_id,
                                       &record->parent_id)) {
            record->parent_id = 0;
            llmlab__trace_new_id(&rng,
                                 llmlab__record_start_unix(tracer, record),
                                 record->span_id, record->trace_id);
        }
    }
    recorder->rng = rng;
}

#endif
