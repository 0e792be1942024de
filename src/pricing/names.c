/* The words of the price room, in one place for files, output and tests. */
#include "pricing/table.h"

#include <llmlab/pricing.h>

static const char *const rate_names[] = {
#define RATE_NAME(name, text) text,
    LLMLAB__RATE_MAP(RATE_NAME)
#undef RATE_NAME
};

static const char *const tier_names[LLMLAB__TIERS] = {
    "", "priority", "flex", "ultrafast", "batch", "off_peak",
};

const char *
llmlab__rate_name(unsigned rate_class)
{
    return rate_class < LLMLAB__RATE_CLASSES ? rate_names[rate_class] : NULL;
}

unsigned
llmlab__rate_find(const char *name, bool is_unit)
{
    unsigned i = is_unit ? LLMLAB__TOKEN_CLASSES : 0;
    unsigned end = is_unit ? LLMLAB__RATE_CLASSES : LLMLAB__TOKEN_CLASSES;

    for (; i < end; i++) {
        if (strcmp(rate_names[i], name) == 0) {
            return i;
        }
    }
    return LLMLAB__RATE_CLASSES;
}

const char *
llmlab__tier_name(unsigned tier)
{
    return tier < LLMLAB__TIERS ? tier_names[tier] : NULL;
}

unsigned
llmlab__tier_find(const char *name)
{
    unsigned i;

    for (i = LLMLAB__TIER_PRIORITY; i < LLMLAB__TIER_OFF_PEAK; i++) {
        if (strcmp(tier_names[i], name) == 0) {
            return i;
        }
    }
    return LLMLAB__TIERS;
}

const char *
llmlab_cost_part_name(llmlab_cost_part_t part)
{
    static const char *const names[] = {
#define PART_NAME(name, wire) wire,
        LLMLAB_COST_PART_MAP(PART_NAME)
#undef PART_NAME
    };

    return (unsigned)part < LLMLAB_COST_PARTS ? names[part] : NULL;
}

const char *
llmlab_match_name(llmlab_match_t match)
{
    switch (match) {
    case LLMLAB_MATCH_EXACT:
        return "exact";
    case LLMLAB_MATCH_CASE:
        return "case";
    case LLMLAB_MATCH_NORMALIZED:
        return "normalized";
    case LLMLAB_MATCH_DATED_FALLBACK:
        return "dated_fallback";
    case LLMLAB_MATCH_UNKNOWN:
    default:
        return "unknown";
    }
}

const char *
llmlab_priced_name(llmlab_priced_t priced)
{
    switch (priced) {
    case LLMLAB_PRICED:
        return "priced";
    case LLMLAB_ESTIMATED_RATE:
        return "estimated_rate";
    case LLMLAB_UNPRICED:
    default:
        return "unpriced";
    }
}
