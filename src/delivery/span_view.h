/* A record, read: its items by type. Borrows the record. */
#ifndef LLMLAB_DELIVERY_SPAN_VIEW_H
#define LLMLAB_DELIVERY_SPAN_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#include "trace/record.h"

enum { LLMLAB__VIEW_ITEMS = 32 };

typedef struct llmlab__view_text_s {
    const char *data;
    size_t size;
} llmlab__view_text_t;

typedef struct llmlab__span_view_s {
    const llmlab__record_t *record;
    uint64_t number;
    uint32_t present; /* bit t: item[t] was there; the last one counts */
    bool has_attributes;
    llmlab__view_text_t item[LLMLAB__VIEW_ITEMS]; /* valid where present */
    llmlab_usage_t usage;                         /* empty when absent */
    llmlab_money_t cost;                          /* computed */
    llmlab_money_t provider_cost; /* valid with the record's flag */
} llmlab__span_view_t;

/* The record has passed its check. */
void llmlab__span_view(llmlab__span_view_t *out, const llmlab__record_t *record,
                       uint64_t number);

static inline bool
llmlab__view_has(const llmlab__span_view_t *view, llmlab__item_type_t type)
{
    return (view->present >> type & 1) != 0;
}

/* The item's text; empty when it is absent. */
static inline llmlab__view_text_t
llmlab__view_text(const llmlab__span_view_t *view, llmlab__item_type_t type)
{
    llmlab__view_text_t none = {"", 0};

    return llmlab__view_has(view, type) ? view->item[type] : none;
}

/* Does the record state a computed cost, a provider's? */
static inline bool
llmlab__view_has_cost(const llmlab__span_view_t *view)
{
    return view->record->priced != LLMLAB_UNPRICED;
}

static inline bool
llmlab__view_has_provider_cost(const llmlab__span_view_t *view)
{
    return (view->record->flags & LLMLAB__RECORD_PROVIDER_COST) != 0 &&
           llmlab__view_has(view, LLMLAB__ITEM_PROVIDER_COST);
}

/* Nanoseconds from start to end, never negative: explicit times may be any. */
static inline int64_t
llmlab__elapsed_ns(int64_t start_ns, int64_t end_ns)
{
    int64_t elapsed;

    if (end_ns <= start_ns) {
        return 0;
    }
    return __builtin_sub_overflow(end_ns, start_ns, &elapsed) ? INT64_MAX
                                                              : elapsed;
}

/* What the call cost, as far as the client knows: the provider's figure, else
 * the computed one, else nothing. */
bool llmlab__view_effective_cost(const llmlab__span_view_t *view,
                                 llmlab_money_t *out);

/* Names on the wire. */
const char *llmlab__kind_name(uint8_t kind);
const char *llmlab__outcome_name(uint8_t outcome);
const char *llmlab__usage_source_name(uint8_t source);
const char *llmlab__cost_source_name(uint8_t source);

#endif
