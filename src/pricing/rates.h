/* The rates of a row for one request: of all that its prices hold, those of
 * the served tier, the context tier and the time of day. */
#ifndef LLMLAB_PRICING_RATES_H
#define LLMLAB_PRICING_RATES_H

#include "pricing/table.h"

#include <llmlab/pricing.h>

typedef struct llmlab__request_s {
    uint64_t input_tokens;
    uint64_t max_results;
    int64_t time_s;
    unsigned tier; /* llmlab__tier_t; batch is one */
} llmlab__request_t;

typedef struct llmlab__rates_s {
    uint64_t present; /* bit per class */
    uint64_t amount[LLMLAB__RATE_CLASSES];
    /* How specific the rate's source is: 0 the base, 1 of the tier, 2 of the
     * context, 3 of both, 8 off-peak. */
    uint8_t rank[LLMLAB__RATE_CLASSES];
    bool batch;
    bool off_peak;
    uint32_t context_limit; /* of the token context that applies; 0: none */
} llmlab__rates_t;

/* The service tier of the name that a reply or request gives it. */
unsigned llmlab__tier_served(const char *name);

void llmlab__rates_select(llmlab__rates_t *out,
                          const llmlab__price_table_t *table,
                          const llmlab__period_t *period,
                          const llmlab__request_t *request);

static inline bool
llmlab__rates_has(const llmlab__rates_t *rates, unsigned rate_class)
{
    return (rates->present >> rate_class & 1) != 0;
}

#endif
