/* Until the room pricing is here: one model has a price. */
#include <stdlib.h>
#include <string.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#define WEAK __attribute__((weak)) /* the room's own win */

WEAK void
llmlab_call_facts_init(llmlab_call_facts_t *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->struct_size = sizeof(*facts);
}

WEAK llmlab_status_t
llmlab_cost_compute(llmlab_cost_t *out, const llmlab_price_book_t *book,
                    const llmlab_call_facts_t *facts)
{
    uint64_t input = 0;
    uint64_t output = 0;

    (void)book;
    memset(out, 0, sizeof(*out));
    if (facts->usage == NULL || facts->usage->present == 0) {
        return LLMLAB_ENOUSAGE;
    }
    if (facts->model == NULL || strncmp(facts->model, "gpt-4o-mini", 11) != 0) {
        return LLMLAB_EUNPRICED;
    }
    llmlab_usage_get(facts->usage, LLMLAB_USAGE_INPUT_TOKENS, &input);
    llmlab_usage_get(facts->usage, LLMLAB_USAGE_OUTPUT_TOKENS, &output);
    out->amount.low = input * 150000000 + output * 600000000;
    out->match = LLMLAB_MATCH_EXACT;
    out->priced = LLMLAB_PRICED;
    out->key = "gpt-4o-mini-2024-07-18";
    out->table = "2026-08-21";
    return LLMLAB_OK;
}
