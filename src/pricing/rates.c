#include "pricing/rates.h"

#include <strings.h>

#include "pricing/windows.h"

_Static_assert(LLMLAB__RATE_CLASSES <= 64, "a class has a bit of present");

unsigned
llmlab__tier_served(const char *name)
{
    static const struct {
        const char *name;
        llmlab__tier_t tier;
    } tiers[] = {
        {"priority", LLMLAB__TIER_PRIORITY},
        {"fast", LLMLAB__TIER_PRIORITY},
        {"on_demand_priority", LLMLAB__TIER_PRIORITY},
        {"flex", LLMLAB__TIER_FLEX},
        {"on_demand_flex", LLMLAB__TIER_FLEX},
        {"ultrafast", LLMLAB__TIER_ULTRAFAST},
    };
    size_t i;

    if (name == NULL || name[0] == '\0') {
        return LLMLAB__TIER_STANDARD;
    }
    for (i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (strcasecmp(tiers[i].name, name) == 0) {
            return tiers[i].tier;
        }
    }
    return LLMLAB__TIER_STANDARD;
}

static bool
holds(const llmlab__context_t *context, const llmlab__request_t *request)
{
    switch (context->bound) {
    case LLMLAB__BOUND_ABOVE:
        return request->input_tokens > context->limit;
    case LLMLAB__BOUND_FROM:
        return request->input_tokens >= context->limit;
    default:
        return request->max_results >= context->limit;
    }
}

/* The highest context of tokens, and that of results, that hold: 1 + their
 * index; 0 where none does. */
static void
find_contexts(const llmlab__price_table_t *table,
              const llmlab__period_t *period, const llmlab__request_t *request,
              unsigned *out_tokens, unsigned *out_results)
{
    const llmlab__context_t *contexts = table->contexts + period->contexts;
    uint32_t limits[2] = {0, 0};
    unsigned i;

    *out_tokens = 0;
    *out_results = 0;
    for (i = 0; i < period->context_count; i++) {
        bool results = contexts[i].bound == LLMLAB__BOUND_MAX_RESULTS;

        if (holds(&contexts[i], request) &&
            contexts[i].limit >= limits[results]) {
            limits[results] = contexts[i].limit;
            *(results ? out_results : out_tokens) = i + 1;
        }
    }
}

static bool
is_off_peak(const llmlab__price_table_t *table, const llmlab__period_t *period,
            int64_t time_s)
{
    unsigned i;

    for (i = 0; i < period->window_count; i++) {
        if (llmlab__window_holds(&table->windows[period->windows + i],
                                 time_s)) {
            return true;
        }
    }
    return false;
}

void
llmlab__rates_select(llmlab__rates_t *out, const llmlab__price_table_t *table,
                     const llmlab__period_t *period,
                     const llmlab__request_t *request)
{
    const uint32_t *rates = table->rates + period->rates;
    bool whole = (period->flags & LLMLAB__PERIOD_WHOLE) != 0;
    unsigned tokens = 0;
    unsigned results = 0;
    unsigned i;

    out->present = 0;
    out->batch = request->tier == LLMLAB__TIER_BATCH;
    out->off_peak = !out->batch && period->window_count > 0 &&
                    is_off_peak(table, period, request->time_s);
    if (period->context_count > 0) {
        find_contexts(table, period, request, &tokens, &results);
    }
    if (out->batch && !whole) {
        tokens = 0; /* a batch ignores what a long context adds */
    }
    out->context_limit =
        tokens > 0 ? table->contexts[period->contexts + tokens - 1].limit : 0;
    for (i = 0; i < period->rate_count; i++) {
        unsigned rate_class = LLMLAB__RATE_CLASS(rates[i]);
        unsigned tier = LLMLAB__RATE_TIER(rates[i]);
        unsigned context = LLMLAB__RATE_CONTEXT(rates[i]);
        unsigned rank = 0;

        if (tier == LLMLAB__TIER_OFF_PEAK) {
            if (!out->off_peak) {
                continue;
            }
            rank = 8;
        } else if (tier != LLMLAB__TIER_STANDARD) {
            if (tier != request->tier) {
                continue;
            }
            rank = 1;
        }
        if (context != 0) {
            if (context != tokens && context != results) {
                continue;
            }
            rank += 2;
        } else if (whole && tokens != 0 && rank != 8 &&
                   !llmlab__rate_is_unit(rate_class)) {
            continue;
        }
        if (!llmlab__rates_has(out, rate_class) ||
            rank >= out->rank[rate_class]) {
            out->present |= UINT64_C(1) << rate_class;
            out->amount[rate_class] =
                table->amounts[LLMLAB__RATE_AMOUNT(rates[i])];
            out->rank[rate_class] = (uint8_t)rank;
        }
    }
}
