/* What no price may be. Each check has caught an error of a public source:
 * prices per thousand in a field per token, a read price filed as a write
 * price, a tier that was not updated with its base. */
#include "compile.h"

#include "base/u128.h"

#define TOKEN_MAX (LLMLAB__FEMTO / 1000) /* the dearest real one is 0.0006 */
#define UNIT_MAX  (LLMLAB__FEMTO * 10)

typedef struct checker_s {
    const llmlab__price_table_t *table;
    const llmlab__price_row_t *row;
    const llmlab__period_t *period;
    llmlab__faults_t *faults;
} checker_t;

static void
fault(const checker_t *checker, unsigned rate_class, const char *what)
{
    llmlab__fault(checker->faults,
                  llmlab__price_text(checker->table, checker->row->key),
                  llmlab__rate_name(rate_class), what);
}

static bool
find_rate(const checker_t *checker, unsigned rate_class, unsigned tier,
          unsigned context, uint64_t *out)
{
    const uint32_t *rates = checker->table->rates + checker->period->rates;
    unsigned i;

    for (i = 0; i < checker->period->rate_count; i++) {
        if (LLMLAB__RATE_CLASS(rates[i]) == rate_class &&
            LLMLAB__RATE_TIER(rates[i]) == tier &&
            LLMLAB__RATE_CONTEXT(rates[i]) == context) {
            *out = checker->table->amounts[LLMLAB__RATE_AMOUNT(rates[i])];
            return true;
        }
    }
    return false;
}

/* Is rate between low and high percent of base? */
static bool
within(uint64_t rate, uint64_t base, unsigned low, unsigned high)
{
    llmlab__u128_t hundredfold = (llmlab__u128_t)rate * 100;

    return hundredfold >= (llmlab__u128_t)base * low &&
           hundredfold <= (llmlab__u128_t)base * high;
}

/* A tier against the standard rate of the same class. */
static void
check_tier(const checker_t *checker, unsigned rate_class, unsigned tier,
           uint64_t amount)
{
    static const struct {
        unsigned low;
        unsigned high;
        const char *what;
    } bounds[LLMLAB__TIERS] = {
        [LLMLAB__TIER_PRIORITY] = {100, 300, "priority is not 1x to 3x"},
        [LLMLAB__TIER_ULTRAFAST] = {100, 600, "ultrafast is not 1x to 6x"},
        [LLMLAB__TIER_FLEX] = {45, 70, "flex is not about half"},
        [LLMLAB__TIER_BATCH] = {40, 60, "batch is not about half"},
        [LLMLAB__TIER_OFF_PEAK] = {20, 100, "off-peak is dearer than peak"},
    };
    uint64_t base;

    if (tier == LLMLAB__TIER_STANDARD ||
        !find_rate(checker, rate_class, LLMLAB__TIER_STANDARD, 0, &base)) {
        return;
    }
    if (!within(amount, base, bounds[tier].low, bounds[tier].high)) {
        fault(checker, rate_class, bounds[tier].what);
    }
}

/* A context tier against the base, and input's against output's. */
static void
check_context(const checker_t *checker, unsigned rate_class, unsigned context,
              uint64_t amount)
{
    uint64_t other;

    if (find_rate(checker, rate_class, LLMLAB__TIER_STANDARD, 0, &other) &&
        amount < other) {
        fault(checker, rate_class, "a context tier is cheaper than the base");
    }
    if (rate_class == LLMLAB__INPUT &&
        !find_rate(checker, LLMLAB__OUTPUT, LLMLAB__TIER_STANDARD, context,
                   &other)) {
        fault(checker, rate_class, "its context tier has no output rate");
    }
}

/* Providers charge a write what input costs, a quarter more, or twice as much.
 * Zero is written where a source does not know. */
static bool
is_write_price(uint64_t rate, uint64_t input)
{
    return rate == 0 || within(rate, input, 100, 100) ||
           within(rate, input, 125, 125) || within(rate, input, 200, 200);
}

/* A cache rate against the input rate of the same tier and context. */
static void
check_cache(const checker_t *checker, unsigned rate_class, unsigned tier,
            unsigned context, uint64_t amount)
{
    uint64_t input;

    if (!find_rate(checker, LLMLAB__INPUT, tier, context, &input)) {
        return;
    }
    if (rate_class == LLMLAB__CACHE_READ && amount > input) {
        fault(checker, rate_class, "is dearer than input");
    }
    if (rate_class == LLMLAB__CACHE_WRITE && !is_write_price(amount, input)) {
        fault(checker, rate_class, "is not 1x, 1.25x or 2x input");
    }
    if (rate_class == LLMLAB__CACHE_WRITE_1H && amount != 0 &&
        !within(amount, input, 200, 200)) {
        fault(checker, rate_class, "is not 2x input");
    }
}

static void
check_period(const checker_t *checker)
{
    const uint32_t *rates = checker->table->rates + checker->period->rates;
    unsigned i;

    for (i = 0; i < checker->period->rate_count; i++) {
        unsigned rate_class = LLMLAB__RATE_CLASS(rates[i]);
        unsigned context = LLMLAB__RATE_CONTEXT(rates[i]);
        unsigned tier = LLMLAB__RATE_TIER(rates[i]);
        uint64_t amount =
            checker->table->amounts[LLMLAB__RATE_AMOUNT(rates[i])];

        if (llmlab__rate_is_unit(rate_class)) {
            if (amount > UNIT_MAX) {
                fault(checker, rate_class, "is above 10 USD");
            }
            continue;
        }
        if (amount > TOKEN_MAX) {
            fault(checker, rate_class, "is above 0.001 USD a token");
        }
        if (context == 0) {
            check_tier(checker, rate_class, tier, amount);
        } else if (tier == LLMLAB__TIER_STANDARD) {
            check_context(checker, rate_class, context, amount);
        }
        check_cache(checker, rate_class, tier, context, amount);
    }
}

void
llmlab__check_table(llmlab__faults_t *faults,
                    const llmlab__price_table_t *table)
{
    checker_t checker = {table, NULL, NULL, faults};
    uint32_t i;
    uint16_t j;

    for (i = 0; i < table->row_count; i++) {
        checker.row = &table->rows[i];
        for (j = 0; j < checker.row->period_count; j++) {
            checker.period = &table->periods[checker.row->periods + j];
            check_period(&checker);
        }
    }
}
