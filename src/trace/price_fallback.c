/* Nothing is priced until the room pricing is here: it overrides these. */
#include <string.h>

#include <llmlab/pricing.h>

__attribute__((weak)) void
llmlab_call_facts_init(llmlab_call_facts_t *facts)
{
    memset(facts, 0, sizeof(*facts));
    facts->struct_size = sizeof(*facts);
}

__attribute__((weak)) llmlab_status_t
llmlab_cost_compute(llmlab_cost_t *out, const llmlab_price_book_t *book,
                    const llmlab_call_facts_t *facts)
{
    (void)book;
    memset(out, 0, sizeof(*out));
    return facts->usage == NULL || facts->usage->present == 0
               ? LLMLAB_ENOUSAGE
               : LLMLAB_EUNPRICED;
}
