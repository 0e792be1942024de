/* The cost of one reply by several models: the sum over their runs. */
#include "pricing/cost.h"

#include "base/status.h"

static bool
add_money(llmlab_money_t *sum, llmlab_money_t amount)
{
    return llmlab_money_add(sum, amount) == LLMLAB_OK;
}

/* The least certain of both. */
static llmlab_match_t
worse_match(llmlab_match_t a, llmlab_match_t b)
{
    if (a == LLMLAB_MATCH_UNKNOWN || b == LLMLAB_MATCH_UNKNOWN) {
        return LLMLAB_MATCH_UNKNOWN;
    }
    return a > b ? a : b;
}

static llmlab_priced_t
worse_price(llmlab_priced_t a, llmlab_priced_t b)
{
    if (a == LLMLAB_UNPRICED || b == LLMLAB_UNPRICED) {
        return LLMLAB_UNPRICED;
    }
    return a == LLMLAB_ESTIMATED_RATE ? a : b;
}

/* False when the sum does not fit. */
static bool
add_cost(llmlab_cost_t *sum, const llmlab_cost_t *cost)
{
    bool fits = add_money(&sum->amount, cost->amount);

    for (unsigned i = 0; i < LLMLAB_COST_PARTS; i++) {
        if ((cost->parts_present >> i & 1) != 0) {
            fits &= add_money(&sum->parts[i], cost->parts[i]);
        }
    }
    sum->parts_present |= cost->parts_present;
    sum->match = worse_match(sum->match, cost->match);
    sum->priced = worse_price(sum->priced, cost->priced);
    sum->flags |= cost->flags;
    if (sum->tier[0] == '\0') {
        sum->tier = cost->tier;
    }
    if (cost->context_threshold > sum->context_threshold) {
        sum->context_threshold = cost->context_threshold;
    }
    return fits;
}

/* What a reply states besides tokens, as far as there is any of it. */
static void
take_units(llmlab_usage_t *out, const llmlab_usage_t *usage)
{
    const uint64_t tokens =
        ((UINT64_C(1) << (LLMLAB_USAGE_CITATION_TOKENS + 1)) - 1) |
        UINT64_C(1) << LLMLAB_USAGE_CACHE_READ_AUDIO_TOKENS |
        UINT64_C(1) << LLMLAB_USAGE_CACHE_READ_IMAGE_TOKENS |
        UINT64_C(1) << LLMLAB_USAGE_CACHE_READ_VIDEO_TOKENS;

    llmlab_usage_init(out);
    for (unsigned i = 0; usage != NULL && i < LLMLAB_USAGE_FIELDS; i++) {
        if ((usage->present & ~tokens) >> i & 1 && usage->count[i] > 0) {
            llmlab_usage_set(out, (llmlab_usage_field_t)i, usage->count[i]);
        }
    }
}

/* Is the run one of the call's own model? */
static bool
is_own(const llmlab_usage_part_t *part, const llmlab_call_facts_t *facts)
{
    return part->model[0] == '\0' ||
           (facts->model != NULL && strcmp(part->model, facts->model) == 0);
}

llmlab_status_t
llmlab__cost_parts(llmlab_cost_t *out, const llmlab_price_book_t *book,
                   const llmlab_call_facts_t *facts)
{
    llmlab_call_facts_t run = *facts;
    llmlab_usage_t units;
    llmlab_cost_t cost;
    llmlab_status_t status = LLMLAB_OK;
    bool fits = true;

    run.search_context = NULL;
    for (size_t i = 0; i <= facts->part_count; i++) {
        bool is_part = i < facts->part_count;
        bool is_other = is_part && !is_own(&facts->parts[i], facts);
        llmlab_status_t one;

        run.model = is_other ? facts->parts[i].model : facts->model;
        run.key = is_other ? NULL : facts->key;
        if (is_part) {
            run.usage = &facts->parts[i].usage;
        } else {
            take_units(&units, facts->usage);
            run.usage = &units;
            run.search_context = facts->search_context;
            if (units.present == 0) {
                break;
            }
        }
        one = llmlab__cost_one(&cost, book, &run);
        status = status != LLMLAB_OK ? status : one;
        if (i == 0) {
            *out = cost;
        } else {
            fits &= add_cost(out, &cost);
        }
        if (!is_other && cost.key != NULL) {
            out->key = cost.key;
            out->table = cost.table;
        }
    }
    if (!fits) {
        return llmlab__fail(LLMLAB_EOVERFLOW, "the cost is above 2^128 fUSD");
    }
    return status;
}
