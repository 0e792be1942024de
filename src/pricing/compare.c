#include "pricing/compare.h"

#include "base/u128.h"
#include "pricing/describe.h"

#define TOKEN_MAX (LLMLAB__FEMTO / 1000) /* the dearest real one is 0.0006 */

/* The rate of the same class, tier and context bound; false when none is. */
static bool
find_rate(const llmlab__price_table_t *table, const llmlab__period_t *period,
          const llmlab__price_table_t *other_table,
          const llmlab__period_t *other, uint32_t wanted, uint32_t *out)
{
    unsigned wanted_context = LLMLAB__RATE_CONTEXT(wanted);
    unsigned i;

    for (i = 0; i < period->rate_count; i++) {
        uint32_t rate = table->rates[period->rates + i];
        unsigned context = LLMLAB__RATE_CONTEXT(rate);

        if (LLMLAB__RATE_CLASS(rate) != LLMLAB__RATE_CLASS(wanted) ||
            LLMLAB__RATE_TIER(rate) != LLMLAB__RATE_TIER(wanted) ||
            (context == 0) != (wanted_context == 0)) {
            continue;
        }
        if (context == 0 ||
            memcmp(&table->contexts[period->contexts + context - 1],
                   &other_table->contexts[other->contexts + wanted_context - 1],
                   sizeof(llmlab__context_t)) == 0) {
            *out = rate;
            return true;
        }
    }
    return false;
}

static unsigned
newest(llmlab__price_ref_t ref)
{
    return ref.row->period_count - 1u;
}

unsigned
llmlab__price_compare(llmlab__price_ref_t before, unsigned period,
                      llmlab__price_ref_t after, llmlab__rate_change_fn tell,
                      void *context)
{
    const llmlab__period_t *old =
        &before.table->periods[before.row->periods + period];
    const llmlab__period_t *new =
        &after.table->periods[after.row->periods + newest(after)];
    char title[LLMLAB__RATE_TITLE];
    llmlab__rate_change_t change = {.key = llmlab__price_ref_key(after),
                                    .title = title,
                                    .old_table = before.table,
                                    .new_table = after.table,
                                    .new_period = new};
    unsigned count = 0;
    unsigned i;

    for (i = 0; i < old->rate_count; i++) {
        change.old_rate = before.table->rates[old->rates + i];
        change.has_old = true;
        change.has_new = find_rate(after.table, new, before.table, old,
                                   change.old_rate, &change.new_rate);
        if (change.has_new &&
            before.table->amounts[LLMLAB__RATE_AMOUNT(change.old_rate)] ==
                after.table->amounts[LLMLAB__RATE_AMOUNT(change.new_rate)]) {
            continue;
        }
        if (tell != NULL) {
            llmlab__rate_title(before.table, old, change.old_rate, title);
            tell(context, &change);
        }
        count++;
    }
    for (i = 0; i < new->rate_count; i++) {
        change.new_rate = after.table->rates[new->rates + i];
        change.has_new = true;
        change.has_old = find_rate(before.table, old, after.table, new,
                                   change.new_rate, &change.old_rate);
        if (change.has_old) {
            continue;
        }
        if (tell != NULL) {
            llmlab__rate_title(after.table, new, change.new_rate, title);
            tell(context, &change);
        }
        count++;
    }
    return count;
}

bool
llmlab__price_knows(llmlab__price_ref_t before, llmlab__price_ref_t after)
{
    unsigned i;

    for (i = 0; i < before.row->period_count; i++) {
        if (llmlab__price_compare(before, i, after, NULL, NULL) == 0) {
            return true;
        }
    }
    return false;
}

bool
llmlab__change_is_beyond(const llmlab__rate_change_t *change)
{
    llmlab__u128_t before;
    llmlab__u128_t after;

    if (!change->has_old || !change->has_new) {
        return false;
    }
    before = change->old_table->amounts[LLMLAB__RATE_AMOUNT(change->old_rate)];
    after = change->new_table->amounts[LLMLAB__RATE_AMOUNT(change->new_rate)];
    return after > before * LLMLAB__CHANGE_MAX ||
           before > after * LLMLAB__CHANGE_MAX;
}

#define TIER_MAX  6 /* ultrafast; priority is 3 at most, a batch half */
#define WRITE_MAX 2

/* The amount of a plain rate of the change's new period; false: it has none. */
static bool
plain_amount(const llmlab__rate_change_t *change, unsigned rate_class,
             llmlab__u128_t *out)
{
    const uint32_t *rates =
        change->new_table->rates + change->new_period->rates;

    for (unsigned i = 0; i < change->new_period->rate_count; i++) {
        if (LLMLAB__RATE_CLASS(rates[i]) == rate_class &&
            LLMLAB__RATE_TIER(rates[i]) == LLMLAB__TIER_STANDARD &&
            LLMLAB__RATE_CONTEXT(rates[i]) == 0) {
            *out = change->new_table->amounts[LLMLAB__RATE_AMOUNT(rates[i])];
            return true;
        }
    }
    return false;
}

bool
llmlab__change_is_odd(const llmlab__rate_change_t *change)
{
    uint32_t rate = change->new_rate;
    unsigned rate_class = LLMLAB__RATE_CLASS(rate);
    llmlab__u128_t amount;
    llmlab__u128_t base;

    if (change->has_old || llmlab__rate_is_unit(rate_class) ||
        LLMLAB__RATE_CONTEXT(rate) != 0) {
        return false;
    }
    amount = change->new_table->amounts[LLMLAB__RATE_AMOUNT(rate)];
    if (LLMLAB__RATE_TIER(rate) != LLMLAB__TIER_STANDARD) {
        return plain_amount(change, rate_class, &base) &&
               (amount > base * TIER_MAX || base > amount * LLMLAB__CHANGE_MAX);
    }
    return rate_class == LLMLAB__CACHE_WRITE && amount != 0 &&
           plain_amount(change, LLMLAB__INPUT, &base) &&
           (amount < base || amount > base * WRITE_MAX);
}

bool
llmlab__price_is_absurd(llmlab__price_ref_t ref)
{
    const llmlab__period_t *periods = ref.table->periods + ref.row->periods;
    unsigned i;
    unsigned j;

    for (i = 0; i < ref.row->period_count; i++) {
        for (j = 0; j < periods[i].rate_count; j++) {
            uint32_t rate = ref.table->rates[periods[i].rates + j];

            if (!llmlab__rate_is_unit(LLMLAB__RATE_CLASS(rate)) &&
                ref.table->amounts[LLMLAB__RATE_AMOUNT(rate)] > TOKEN_MAX) {
                return true;
            }
        }
    }
    return false;
}
