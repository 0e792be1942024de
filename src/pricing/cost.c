/* The cost of one call: find the row, choose its rates, bill tokens and units,
 * multiply. Exact in 128 bits; each part is rounded half-even once, at its
 * end, and the amount is the sum of the parts. */
#include "pricing/cost.h"

#include <strings.h>

#include "base/status.h"

#define NS_PER_S 1000000000

_Static_assert(LLMLAB_COST_PARTS <= LLMLAB_COST_PART_CAPACITY,
               "every part has its place");
_Static_assert(LLMLAB_COST_PARTS <= 32, "a part has a bit");

void
llmlab_call_facts_init(llmlab_call_facts_t *facts)
{
    if (facts != NULL) {
        memset(facts, 0, sizeof(*facts));
        facts->struct_size = sizeof(*facts);
    }
}

const char *
llmlab_pricing_version(void)
{
    return llmlab__price_table_builtin()->version;
}

/* A ratio that is the product of ratios. */
typedef struct ratio_s {
    llmlab__u128_t numerator;
    llmlab__u128_t denominator;
} ratio_t;

/* False when it does not fit. */
static bool
multiply(ratio_t *ratio, uint32_t numerator, uint32_t denominator)
{
    return !llmlab__u128_mul(&ratio->numerator, ratio->numerator, numerator) &&
           !llmlab__u128_mul(&ratio->denominator, ratio->denominator,
                             denominator);
}

static bool
factor_holds(const llmlab__price_table_t *table, const llmlab__factor_t *factor,
             const llmlab_call_facts_t *facts)
{
    const char *text = llmlab__price_text(table, factor->text);
    const char *stated =
        factor->kind == LLMLAB__FACTOR_SPEED ? facts->speed : facts->region;

    /* Anthropic writes "not_available" where it cannot tell. */
    if (stated == NULL || stated[0] == '\0' ||
        strcasecmp(stated, "not_available") == 0) {
        return false;
    }
    return (strcasecmp(stated, text) == 0) ==
           (factor->kind != LLMLAB__FACTOR_REGION_NOT);
}

static bool
token_ratio(ratio_t *ratio, const llmlab__price_table_t *table,
            const llmlab__period_t *period, const llmlab_call_facts_t *facts,
            uint32_t *flags)
{
    bool fits = true;
    unsigned i;

    for (i = 0; i < period->factor_count && fits; i++) {
        const llmlab__factor_t *factor = &table->factors[period->factors + i];

        if (factor_holds(table, factor, facts)) {
            *flags |= LLMLAB_COST_FLAG_MULTIPLIED;
            fits = multiply(ratio, factor->numerator, factor->denominator);
        }
    }
    return fits;
}

static unsigned
part_scale(unsigned part)
{
    switch (part) {
    case LLMLAB_COST_INPUT:
    case LLMLAB_COST_OUTPUT:
        return LLMLAB__TOKEN_SCALE;
    case LLMLAB_COST_AUDIO_SECONDS:
    case LLMLAB_COST_VIDEO_SECONDS:
        return LLMLAB__SECOND_SCALE;
    default:
        return 1;
    }
}

/* Round the parts and add them up. False when one does not fit. */
static bool
total(llmlab_cost_t *out, const llmlab__bill_t *bill, const ratio_t *tokens,
      const ratio_t *units)
{
    llmlab__u128_t amount = 0;
    unsigned part;

    for (part = 0; part < LLMLAB_COST_PARTS; part++) {
        bool is_token = part <= LLMLAB_COST_OUTPUT;
        const ratio_t *ratio = is_token ? tokens : units;
        llmlab__u128_t value = bill->sums[part];
        llmlab__u128_t divisor;

        if ((bill->parts >> part & 1) == 0) {
            continue;
        }
        if (llmlab__u128_mul(&value, value, ratio->numerator) ||
            llmlab__u128_mul(&divisor, ratio->denominator, part_scale(part))) {
            return false;
        }
        value = llmlab__u128_div_even(value, divisor);
        if (llmlab__u128_add(&amount, amount, value)) {
            return false;
        }
        out->parts[part] = llmlab__money_of(value);
        out->parts_present |= UINT64_C(1) << part;
    }
    out->amount = llmlab__money_of(amount);
    return true;
}

/* Does the row charge by other units than tokens, or for input alone? Then a
 * missing token rate is no missing price. */
static bool
billed_otherwise(const llmlab__price_ref_t *ref, const llmlab__rates_t *rates)
{
    static const char *const input_only[] = {
        "embedding",        "rerank",     "moderation", "audio_transcription",
        "image_generation", "image_edit", "ocr",        "search"};
    const uint64_t fees = UINT64_C(1) << LLMLAB__PER_SEARCH_LOW |
                          UINT64_C(1) << LLMLAB__PER_SEARCH_MEDIUM |
                          UINT64_C(1) << LLMLAB__PER_SEARCH_HIGH |
                          UINT64_C(1) << LLMLAB__PER_CODE_SESSION |
                          UINT64_C(1) << LLMLAB__PER_FILE_SEARCH;
    uint64_t units = rates->present >> LLMLAB__TOKEN_CLASSES
                                           << LLMLAB__TOKEN_CLASSES;
    const char *mode;
    size_t i;

    if ((units & ~fees) != 0) {
        return true;
    }
    if (!llmlab__rates_has(rates, LLMLAB__INPUT) ||
        llmlab__rates_has(rates, LLMLAB__OUTPUT)) {
        return false;
    }
    mode = llmlab__price_text(ref->table, ref->row->mode);
    for (i = 0; i < sizeof(input_only) / sizeof(input_only[0]); i++) {
        if (strcmp(mode, input_only[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The rates of the provider's tools, where a call used any. */
static const llmlab__rates_t *
tool_rates(llmlab__rates_t *out, const llmlab__price_ref_t *ref,
           const llmlab_usage_t *usage, const llmlab__request_t *request)
{
    const uint64_t tools = UINT64_C(1) << LLMLAB_USAGE_WEB_SEARCH_REQUESTS |
                           UINT64_C(1)
                               << LLMLAB_USAGE_CODE_INTERPRETER_SESSIONS |
                           UINT64_C(1) << LLMLAB_USAGE_FILE_SEARCH_CALLS;
    const llmlab__price_table_t *builtin = llmlab__price_table_builtin();
    const char *name = llmlab__price_text(ref->table, ref->row->family);
    const llmlab__family_t *family;
    const llmlab__period_t *period;
    llmlab__price_ref_t tool;

    if ((usage->present & tools) == 0) {
        return NULL;
    }
    family = llmlab__family_of(builtin, name, strlen(name));
    if (family == NULL) {
        return NULL;
    }
    tool = llmlab__price_find(NULL, llmlab__price_text(builtin, family->tools));
    period =
        tool.row != NULL ? llmlab__price_period(tool, request->time_s) : NULL;
    if (period == NULL) {
        return NULL;
    }
    llmlab__rates_select(out, tool.table, period, request);
    return out;
}

/* Sonar searches for every request: it states at which size, seldom how
 * often. */
static bool
searches_always(const llmlab__price_ref_t *ref,
                const llmlab_call_facts_t *facts)
{
    const char *family = llmlab__price_text(ref->table, ref->row->family);

    return facts->search_context != NULL && facts->search_context[0] != '\0' &&
           strcmp(family, "perplexity") == 0;
}

/* What of the rates is told in the result. */
static void
tell_rates(llmlab_cost_t *out, const llmlab__rates_t *rates, unsigned tier)
{
    bool of_tier = false;
    unsigned i;

    for (i = 0; i < LLMLAB__TOKEN_CLASSES; i++) {
        of_tier = of_tier ||
                  (llmlab__rates_has(rates, i) && (rates->rank[i] & 1) != 0);
    }
    if (rates->batch) {
        out->flags |= LLMLAB_COST_FLAG_BATCH;
    } else if (of_tier) {
        out->tier = llmlab__tier_name(tier);
    }
    if (rates->off_peak) {
        out->flags |= LLMLAB_COST_FLAG_OFF_PEAK;
    }
    out->context_threshold = rates->context_limit;
}

static void
tell_bill(llmlab_cost_t *out, const llmlab__bill_t *bill)
{
    out->priced = bill->missing     ? LLMLAB_UNPRICED
                  : bill->estimated ? LLMLAB_ESTIMATED_RATE
                                    : LLMLAB_PRICED;
    if (bill->estimated) {
        out->flags |= LLMLAB_COST_FLAG_ESTIMATED;
    }
    if (bill->clamped) {
        out->flags |= LLMLAB_COST_FLAG_CLAMPED;
    }
}

static int64_t
instant_of(const llmlab_call_facts_t *facts)
{
    return facts->time_ns != 0 ? facts->time_ns / NS_PER_S
                               : llmlab__price_table_builtin()->instant_s;
}

static llmlab_status_t
bill_call(llmlab_cost_t *out, const llmlab_price_book_t *book,
          const llmlab__price_ref_t *ref, const llmlab_call_facts_t *facts)
{
    const llmlab_usage_t *usage = facts->usage;
    const llmlab__discount_t *discount =
        llmlab__price_discount(book, *ref, instant_of(facts));
    llmlab__rates_t rates;
    llmlab__rates_t tools;
    llmlab__bill_t bill = {.usage = usage, .rates = &rates};
    llmlab__request_t request = {
        .input_tokens = llmlab__bill_count(&bill, LLMLAB_USAGE_INPUT_TOKENS),
        .max_results = llmlab__bill_count(&bill, LLMLAB_USAGE_MAX_RESULTS),
        .time_s = instant_of(facts),
        .tier = facts->batch ? LLMLAB__TIER_BATCH
                             : llmlab__tier_served(facts->service_tier)};
    const llmlab__period_t *period = llmlab__price_period(*ref, request.time_s);
    ratio_t token = {1, 1};
    ratio_t unit = {1, 1};
    bool fits = true;

    if (period == NULL || period->rate_count == 0) {
        return llmlab__fail(LLMLAB_EUNPRICED, "%s has no price", out->key);
    }
    if (ref->row->retires != 0 && request.time_s / 86400 >= ref->row->retires) {
        out->flags |= LLMLAB_COST_FLAG_RETIRED;
    }
    llmlab__rates_select(&rates, ref->table, period, &request);
    bill.billed_otherwise = billed_otherwise(ref, &rates);
    llmlab__bill_tokens(&bill);
    llmlab__bill_units(&bill, tool_rates(&tools, ref, usage, &request),
                       facts->search_context);
    if (searches_always(ref, facts)) {
        llmlab__bill_search(&bill, facts->search_context);
    }
    fits = token_ratio(&token, ref->table, period, facts, &out->flags);
    if (discount != NULL) {
        fits = fits &&
               multiply(&token, discount->numerator, discount->denominator) &&
               multiply(&unit, discount->numerator, discount->denominator);
        out->flags |= LLMLAB_COST_FLAG_CUSTOM;
    }
    tell_rates(out, &rates, request.tier);
    if (bill.overflow || !fits || !total(out, &bill, &token, &unit)) {
        memset(&out->amount, 0, sizeof(out->amount));
        memset(out->parts, 0, sizeof(out->parts));
        out->parts_present = 0;
        return llmlab__fail(LLMLAB_EOVERFLOW, "the cost is above 2^128 fUSD");
    }
    tell_bill(out, &bill);
    if (bill.missing) {
        return llmlab__fail(LLMLAB_EUNPRICED,
                            "%s has no rate for something that was used",
                            out->key);
    }
    return LLMLAB_OK;
}

static llmlab_match_t
find_row(llmlab__price_ref_t *ref, const llmlab_price_book_t *book,
         const llmlab_call_facts_t *facts)
{
    llmlab_match_t match;

    if (facts->key != NULL && facts->key[0] != '\0') {
        *ref = llmlab__price_find(book, facts->key);
        match = ref->row != NULL ? LLMLAB_MATCH_EXACT : LLMLAB_MATCH_UNKNOWN;
    } else {
        match = llmlab__price_resolve(ref, book, facts->provider, facts->model);
    }
    /* Before the user's first price holds, the built-in one does. */
    if (book != NULL && ref->row != NULL && ref->table == &book->table &&
        llmlab__price_period(*ref, instant_of(facts)) == NULL) {
        llmlab__price_ref_t before =
            llmlab__price_find(NULL, llmlab__price_ref_key(*ref));

        *ref = before.row != NULL ? before : *ref;
    }
    return match;
}

llmlab_status_t
llmlab__cost_one(llmlab_cost_t *out, const llmlab_price_book_t *book,
                 const llmlab_call_facts_t *facts)
{
    llmlab__price_ref_t ref;

    memset(out, 0, sizeof(*out));
    out->table = llmlab_pricing_version();
    out->tier = "";
    out->match = find_row(&ref, book, facts);
    if (ref.row != NULL) {
        out->key = llmlab__price_ref_key(ref);
        if (book != NULL && ref.table == &book->table) {
            out->table = ref.table->version;
            out->flags |= LLMLAB_COST_FLAG_CUSTOM;
        }
    }
    if (facts->usage == NULL || facts->usage->present == 0) {
        out->flags |= LLMLAB_COST_FLAG_NO_USAGE;
        return llmlab__fail(LLMLAB_ENOUSAGE, "no usage is stated");
    }
    if (ref.row == NULL) {
        return llmlab__fail(LLMLAB_EUNPRICED, "no price is known for %.80s",
                            facts->model != NULL ? facts->model : "no model");
    }
    return bill_call(out, book, &ref, facts);
}

llmlab_status_t
llmlab_cost_compute(llmlab_cost_t *out, const llmlab_price_book_t *book,
                    const llmlab_call_facts_t *facts)
{
    if (out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "nowhere to put the cost");
    }
    if (facts == NULL || facts->struct_size != sizeof(*facts)) {
        memset(out, 0, sizeof(*out));
        out->table = llmlab_pricing_version();
        out->tier = "";
        return llmlab__fail(LLMLAB_EINVAL,
                            "the facts want llmlab_call_facts_init()");
    }
    return facts->parts != NULL && facts->part_count > 0
               ? llmlab__cost_parts(out, book, facts)
               : llmlab__cost_one(out, book, facts);
}
