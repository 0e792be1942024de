/* The parts of a cost while they are being added up. */
#ifndef LLMLAB_PRICING_COST_H
#define LLMLAB_PRICING_COST_H

#include "base/u128.h"
#include "pricing/book.h"
#include "pricing/rates.h"

/* A sum of count x rate, whose denominator depends on the part. */
typedef struct llmlab__bill_s {
    const llmlab_usage_t *usage;
    const llmlab__rates_t *rates;
    llmlab__u128_t sums[LLMLAB_COST_PARTS];
    uint32_t parts; /* bit per part: it belongs to this call */
    /* The row charges by other units than tokens: tokens without a rate are
     * not charged. */
    bool billed_otherwise;
    bool estimated; /* a class without a rate took another's */
    bool clamped;   /* parts exceeded their total */
    bool missing;   /* something was used that has no rate */
    bool overflow;
} llmlab__bill_t;

/* A token part counts half femto-USD, so that half of a rate is whole; a part
 * of seconds counts millionths, as usage does. */
#define LLMLAB__TOKEN_SCALE  2
#define LLMLAB__SECOND_SCALE 1000000

static inline uint64_t
llmlab__bill_count(const llmlab__bill_t *bill, llmlab_usage_field_t field)
{
    return (bill->usage->present >> field & 1) != 0 ? bill->usage->count[field]
                                                    : 0;
}

static inline bool
llmlab__bill_states(const llmlab__bill_t *bill, llmlab_usage_field_t field)
{
    return (bill->usage->present >> field & 1) != 0;
}

static inline void
llmlab__bill_add(llmlab__bill_t *bill, llmlab_cost_part_t part, uint64_t count,
                 llmlab__u128_t rate)
{
    llmlab__u128_t product;

    if (llmlab__u128_mul(&product, rate, count) ||
        llmlab__u128_add(&bill->sums[part], bill->sums[part], product)) {
        bill->overflow = true;
    }
}

/* The cost of one model's call, and of one in parts. */
llmlab_status_t llmlab__cost_one(llmlab_cost_t *out,
                                 const llmlab_price_book_t *book,
                                 const llmlab_call_facts_t *facts);
llmlab_status_t llmlab__cost_parts(llmlab_cost_t *out,
                                   const llmlab_price_book_t *book,
                                   const llmlab_call_facts_t *facts);

void llmlab__bill_tokens(llmlab__bill_t *bill);

/* The search that a provider makes for every request, where usage counts none.
 * search_context as below. */
void llmlab__bill_search(llmlab__bill_t *bill, const char *search_context);

/* tools: rates of the provider's tools, for those that the row lacks; may be
 * NULL. search_context: "low", "medium", "high"; NULL: medium. */
void llmlab__bill_units(llmlab__bill_t *bill, const llmlab__rates_t *tools,
                        const char *search_context);

#endif
