/* A span as its setters fill it: the record's fixed part, and two runs of items
 * that are copied behind it when the span ends. */
#ifndef LLMLAB_TRACE_SPAN_H
#define LLMLAB_TRACE_SPAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pricing/facts.h"
#include <llmlab/tokens.h>

#include "trace/items.h"
#include "trace/record.h"
#include "trace/recorder.h"

enum { LLMLAB__SPAN_FREE = 0, LLMLAB__SPAN_OPEN = 1 };

#define LLMLAB__SPAN_ITEMS    1024
#define LLMLAB__SPAN_IDENTITY 1024

struct llmlab_span_s {
    _Atomic uint32_t state;
    bool sampled;
    bool dirty;     /* something that the price depends on has changed */
    bool set_start; /* explicit, Unix */
    bool set_end;
    bool has_book;
    uint8_t book_slot; /* of the book that priced it, see books.h */
    uint64_t generation;
    llmlab__tracer_t *tracer;
    llmlab__recorders_t *recorders;
    llmlab_span_t *next;      /* in a stock of free spans */
    llmlab__items_t identity; /* agent, user, session, tags: inherited */
    llmlab__items_t items;
    llmlab__block_t *block; /* items outgrew their place here */
    llmlab__block_t *input; /* captured text that is too long for an item */
    llmlab__block_t *output;
    const char *price_key; /* the book's */
    const char *price_table;
    uint64_t input_tokens;
    uint64_t output_tokens;
    llmlab_tokens_t prompt; /* the request's, where nobody will count them */
    llmlab__record_t record;
    unsigned char items_room[LLMLAB__SPAN_ITEMS];
    unsigned char identity_room[LLMLAB__SPAN_IDENTITY];
};

static inline bool
llmlab__span_is_open(const llmlab_span_t *span)
{
    return atomic_load_explicit(&span->state, memory_order_relaxed) ==
           LLMLAB__SPAN_OPEN;
}

/* What a setter asks first: LLMLAB_OK, or what it returns. */
static inline llmlab_status_t
llmlab__span_usable(const llmlab_span_t *span)
{
    if (span == NULL) {
        return LLMLAB_EINVAL;
    }
    return llmlab__span_is_open(span) ? LLMLAB_OK : LLMLAB_ESTALE;
}

/* Find or make room for size bytes of items; false: the span is full. */
bool llmlab__span_reserve(llmlab_span_t *span, uint32_t size);

/* Does an unsampled span's short record carry this? */
bool llmlab__item_rolls_up(llmlab__item_type_t type);

/* Set or replace a text of the span itself (not an attribute). NULL or empty
 * text: nothing is set. */
llmlab_status_t llmlab__span_put(llmlab_span_t *span, llmlab__item_type_t type,
                                 const void *value, size_t size);
llmlab_status_t llmlab__span_put_text(llmlab_span_t *span,
                                      llmlab__item_type_t type,
                                      const char *text);

/* Where in Unix time the span began. */
int64_t llmlab__span_start_unix(const llmlab_span_t *span);

/* A model call, or what measured one: not an agent or chain, whose calls are
 * spans of their own. */
static inline bool
llmlab__kind_is_call(llmlab_span_kind_t kind, bool has_measured)
{
    switch (kind) {
    case LLMLAB_SPAN_LLM:
    case LLMLAB_SPAN_EMBEDDING:
    case LLMLAB_SPAN_RERANK:
        return true;
    case LLMLAB_SPAN_AGENT:
    case LLMLAB_SPAN_CHAIN:
        return false;
    default:
        return has_measured;
    }
}

/* Is it counted and priced as a model call? */
bool llmlab__span_is_call(const llmlab_span_t *span);

/* Price, and keep what the record tells of it. */
llmlab_status_t llmlab__span_price(llmlab_span_t *span);
void llmlab__span_release_book(llmlab_span_t *span);

void llmlab__record_set_cost(llmlab__record_t *record,
                             const llmlab_cost_t *cost);

/* Usage as the USAGE item's value, which needs room for all of it; returns its
 * size. */
static inline uint16_t
llmlab__usage_pack(const llmlab_usage_t *usage, void *out)
{
    uint64_t fields = (UINT64_C(1) << LLMLAB_USAGE_CAPACITY) - 1;
    uint64_t present = usage->present & fields;
    unsigned char *at = out;

    memcpy(at, &present, sizeof(present));
    at += sizeof(present);
    for (uint64_t left = present; left != 0; left &= left - 1) {
        memcpy(at, &usage->count[__builtin_ctzll(left)], sizeof(uint64_t));
        at += sizeof(uint64_t);
    }
    return (uint16_t)(at - (unsigned char *)out);
}

/* Put the captured text that does not fit into the record into the ring. */
void llmlab__span_send_content(llmlab_span_t *span,
                               llmlab__recorder_t *recorder);

/* Space in the ring, waiting as long as the settings say. */
static inline void *
llmlab__tracer_claim(const llmlab__tracer_t *tracer,
                     llmlab__recorder_t *recorder, uint32_t size)
{
    void *place = llmlab__ring_claim(recorder->ring, size);

    if (__builtin_expect(place == NULL, 0) && tracer->full_wait_ns > 0) {
        place =
            llmlab__ring_claim_wait(recorder->ring, size, tracer->full_wait_ns);
    }
    return place;
}

/* Strict W3C traceparent, version 00. True: *trace_id, *span_id are set. */
bool llmlab__traceparent_parse(llmlab_text_t text, uint64_t trace_id[2],
                               uint64_t *span_id);

/* Count a priced call's cost; false when it has none that is known. */
bool llmlab__count_price(llmlab__recorder_t *recorder,
                         const llmlab__record_t *record);

/* The same for a record that was dropped. */
void llmlab__count_lost(llmlab__recorder_t *recorder,
                        const llmlab__record_t *record);

/* When a record's span began, in Unix time. */
static inline int64_t
llmlab__record_start_unix(const llmlab__tracer_t *tracer,
                          const llmlab__record_t *record)
{
    return (record->flags & LLMLAB__RECORD_REAL_TIME) != 0
               ? record->start_ns
               : record->start_ns +
                     atomic_load_explicit(&tracer->clock_offset_ns,
                                          memory_order_relaxed);
}

/* What a call's price depends on, with the texts that the book wants. */
typedef struct llmlab__facts_s {
    llmlab_call_facts_t facts;
    llmlab_usage_t usage;
    char provider[LLMLAB__FACT_PROVIDER];
    char model[LLMLAB__FACT_MODEL];
    char request_model[LLMLAB__FACT_MODEL];
    char service_tier[LLMLAB__FACT_SERVICE_TIER];
    char region[LLMLAB__FACT_REGION];
    char speed[LLMLAB__FACT_SPEED];
    char search_context[LLMLAB__FACT_SEARCH_CONTEXT];
    llmlab_usage_part_t parts[LLMLAB_USAGE_PARTS];
} llmlab__facts_t;

/* The facts among a record's items; the time is the caller's to set. */
void llmlab__facts_gather(llmlab__facts_t *out, const llmlab__items_t *items,
                          uint16_t flags);

static inline bool
llmlab__tracer_samples(const llmlab__tracer_t *tracer,
                       const uint64_t trace_id[2])
{
    return tracer->sample_below == UINT64_MAX ||
           trace_id[1] < tracer->sample_below;
}

/* The last whole character at or before size bytes of UTF-8. */
size_t llmlab__text_cut(const char *text, size_t size);

#endif
