#include "pricing/build.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/money.h"
#include "base/status.h"
#include "base/u128.h"

void
llmlab__build_init(llmlab__build_t *build)
{
    memset(build, 0, sizeof(*build));
    llmlab__build_text(build, ""); /* offset 0 is the empty text */
}

void
llmlab__build_cleanup(llmlab__build_t *build)
{
    llmlab__pool_cleanup(&build->texts);
    llmlab__pool_cleanup(&build->amounts);
    llmlab__pool_cleanup(&build->rates);
    llmlab__pool_cleanup(&build->contexts);
    llmlab__pool_cleanup(&build->factors);
    llmlab__pool_cleanup(&build->windows);
    llmlab__pool_cleanup(&build->periods);
    llmlab__buf_cleanup(&build->rows);
    llmlab__buf_cleanup(&build->families);
    llmlab__buf_cleanup(&build->aliases);
    llmlab__buf_cleanup(&build->slots);
    llmlab__buf_cleanup(&build->alias_slots);
    llmlab__buf_cleanup(&build->row_periods);
}

uint32_t
llmlab__build_text(llmlab__build_t *build, const char *text)
{
    return llmlab__pool_add(&build->texts, text, strlen(text) + 1);
}

/* What a detail calls the row that is being made. */
static const char *
row_key(const llmlab__build_t *build)
{
    return (const char *)build->texts.bytes.data + build->row.key;
}

void
llmlab__build_row(llmlab__build_t *build, const char *key, const char *provider,
                  const char *family)
{
    memset(&build->row, 0, sizeof(build->row));
    build->row.key = llmlab__build_text(build, key);
    build->row.provider = llmlab__build_text(build, provider);
    build->row.family = llmlab__build_text(build, family);
    llmlab__buf_clear(&build->row_periods);
}

void
llmlab__build_period(llmlab__build_t *build, int64_t from_s)
{
    memset(&build->period, 0, sizeof(build->period));
    build->period.from_s = from_s;
}

unsigned
llmlab__build_context(llmlab__build_t *build, uint32_t limit,
                      llmlab__bound_t bound)
{
    llmlab__period_t *period = &build->period;
    unsigned i;

    for (i = 0; i < period->context_count; i++) {
        if (build->draft_contexts[i].limit == limit &&
            build->draft_contexts[i].bound == (uint32_t)bound) {
            return i + 1;
        }
    }
    if (i == LLMLAB__RATE_CONTEXTS) {
        return 0;
    }
    build->draft_contexts[i].limit = limit;
    build->draft_contexts[i].bound = (uint32_t)bound;
    period->context_count++;
    return i + 1;
}

/* The draft rate of that class, tier and context; the count where none is. */
static unsigned
find_rate(const llmlab__build_t *build, unsigned rate_class, unsigned tier,
          unsigned context)
{
    uint32_t wanted = LLMLAB__RATE(rate_class, tier, context, 0);
    unsigned i;

    for (i = 0; i < build->period.rate_count; i++) {
        uint32_t rate = build->draft_rates[i];

        if (rate - LLMLAB__RATE_AMOUNT(rate) == wanted) {
            break;
        }
    }
    return i;
}

bool
llmlab__build_has_rate(const llmlab__build_t *build, unsigned rate_class,
                       unsigned tier, unsigned context)
{
    return find_rate(build, rate_class, tier, context) <
           build->period.rate_count;
}

static llmlab_status_t
put_rate(llmlab__build_t *build, unsigned rate_class, unsigned tier,
         unsigned context, uint32_t amount)
{
    unsigned i = find_rate(build, rate_class, tier, context);

    if (i == LLMLAB__DRAFT_RATES) {
        return llmlab__fail(LLMLAB_EPARSE, "%s: more than %d rates",
                            row_key(build), LLMLAB__DRAFT_RATES);
    }
    build->draft_rates[i] = LLMLAB__RATE(rate_class, tier, context, amount);
    if (i == build->period.rate_count) {
        build->period.rate_count++;
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__build_rate(llmlab__build_t *build, unsigned rate_class, unsigned tier,
                   unsigned context, const char *number, int exponent)
{
    const char *name = llmlab__rate_name(rate_class);
    llmlab_money_t money;
    int inexact = 0;
    uint32_t amount;

    if (llmlab__money_parse_scaled(&money, number, strlen(number), exponent,
                                   &inexact) != LLMLAB_OK) {
        return llmlab__fail(LLMLAB_EPARSE,
                            "%s: %s: \"%.40s\" is no amount of USD",
                            row_key(build), name, number);
    }
    if (money.high != 0) {
        return llmlab__fail(LLMLAB_EPARSE,
                            "%s: %s: \"%.40s\" is above 18446 USD",
                            row_key(build), name, number);
    }
    if (inexact && build->rounded != NULL) {
        build->rounded(build->rounded_context, row_key(build), name, number);
    }
    amount = llmlab__pool_add(&build->amounts, &money.low, sizeof(money.low)) /
             (uint32_t)sizeof(money.low);
    if (amount >> LLMLAB__RATE_AMOUNT_BITS != 0) {
        return llmlab__fail(LLMLAB_EPARSE, "more than %d different rates",
                            1 << LLMLAB__RATE_AMOUNT_BITS);
    }
    return put_rate(build, rate_class, tier, context, amount);
}

void
llmlab__build_copy_rate(llmlab__build_t *build, unsigned to, unsigned from)
{
    unsigned i = find_rate(build, from, LLMLAB__TIER_STANDARD, 0);

    if (i < build->period.rate_count) {
        (void)put_rate(build, to, LLMLAB__TIER_STANDARD, 0,
                       LLMLAB__RATE_AMOUNT(build->draft_rates[i]));
    }
}

static uint64_t
greatest_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

llmlab_status_t
llmlab__build_factor(llmlab__build_t *build, llmlab__factor_kind_t kind,
                     const char *text, const char *number)
{
    unsigned i = build->period.factor_count;
    llmlab__factor_t *factor = &build->draft_factors[i];
    llmlab_money_t money = {0, 0};
    uint64_t divisor = 1;
    int inexact = 0;

    if (i == LLMLAB__DRAFT_SMALL) {
        return llmlab__fail(LLMLAB_EPARSE, "%s: too many multipliers",
                            row_key(build));
    }
    if (llmlab_money_parse(&money, number, strlen(number), &inexact) ==
        LLMLAB_OK) {
        divisor = greatest_divisor(money.low, LLMLAB__FEMTO);
    }
    if (inexact || money.high != 0 || money.low == 0 ||
        money.low / divisor > UINT32_MAX ||
        LLMLAB__FEMTO / divisor > UINT32_MAX) {
        return llmlab__fail(LLMLAB_EPARSE,
                            "%s: \"%.40s\" is no multiplier: a positive "
                            "decimal of few digits",
                            row_key(build), number);
    }
    factor->kind = (uint32_t)kind;
    factor->text = llmlab__build_text(build, text);
    factor->numerator = (uint32_t)(money.low / divisor);
    factor->denominator = (uint32_t)(LLMLAB__FEMTO / divisor);
    build->period.factor_count++;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__build_window(llmlab__build_t *build, const llmlab__window_t *window)
{
    unsigned i = build->period.window_count;

    if (i == LLMLAB__DRAFT_SMALL) {
        return llmlab__fail(LLMLAB_EPARSE, "%s: too many time windows",
                            row_key(build));
    }
    build->draft_windows[i] = *window;
    build->period.window_count++;
    return LLMLAB_OK;
}

static int
compare_rates(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/* Intern a run of count elements of equal size; returns the element's index. */
static uint32_t
intern(llmlab__pool_t *pool, const void *elements, size_t count, size_t size)
{
    return llmlab__pool_add(pool, elements, count * size) / (uint32_t)size;
}

llmlab_status_t
llmlab__build_period_end(llmlab__build_t *build)
{
    llmlab__period_t *period = &build->period;

    qsort(build->draft_rates, period->rate_count, sizeof(uint32_t),
          compare_rates);
    period->rates = intern(&build->rates, build->draft_rates,
                           period->rate_count, sizeof(uint32_t));
    period->contexts = intern(&build->contexts, build->draft_contexts,
                              period->context_count, sizeof(llmlab__context_t));
    period->factors = intern(&build->factors, build->draft_factors,
                             period->factor_count, sizeof(llmlab__factor_t));
    period->windows = intern(&build->windows, build->draft_windows,
                             period->window_count, sizeof(llmlab__window_t));
    if (build->row.period_count > 0) {
        const llmlab__period_t *before =
            (const llmlab__period_t *)(const void *)build->row_periods.data +
            build->row.period_count - 1;

        if (before->from_s >= period->from_s) {
            return llmlab__fail(LLMLAB_EPARSE,
                                "%s: prices must stand by their dates",
                                row_key(build));
        }
    }
    llmlab__buf_append(&build->row_periods, period, sizeof(*period));
    build->row.period_count++;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__build_row_end(llmlab__build_t *build)
{
    if (build->row_periods.failed) {
        build->failed = true;
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    build->row.periods =
        intern(&build->periods, build->row_periods.data,
               build->row.period_count, sizeof(llmlab__period_t));
    llmlab__buf_append(&build->rows, &build->row, sizeof(build->row));
    return LLMLAB_OK;
}

void
llmlab__build_family(llmlab__build_t *build, const llmlab__family_t *family)
{
    llmlab__buf_append(&build->families, family, sizeof(*family));
}

void
llmlab__build_alias(llmlab__build_t *build, const char *name, uint32_t family)
{
    llmlab__alias_t alias = {0, family};
    char folded[64];
    size_t i;

    for (i = 0; name[i] != '\0' && i + 1 < sizeof(folded); i++) {
        folded[i] = llmlab__provider_fold(name[i]);
    }
    folded[i] = '\0';
    alias.name = llmlab__build_text(build, folded);
    llmlab__buf_append(&build->aliases, &alias, sizeof(alias));
}

/* Make slots for count entries whose texts key_of tells. */
static uint32_t
make_slots(llmlab__buf_t *slots, const char *texts, const void *entries,
           size_t count, size_t entry_size)
{
    uint32_t mask = 15;
    uint32_t *slot_of;
    size_t size;
    uint32_t i;

    while (mask + 1 < count * 2) {
        mask = mask * 2 + 1;
    }
    size = ((size_t)mask + 1) * sizeof(uint32_t);
    slot_of = (uint32_t *)(void *)llmlab__buf_reserve(slots, size);
    if (slot_of == NULL) {
        return 0;
    }
    memset(slot_of, 0, size);
    slots->size += size;
    for (i = 0; i < count; i++) {
        /* Rows and aliases begin with the offset of their text. */
        uint32_t offset =
            *(const uint32_t *)((const char *)entries + i * entry_size);
        const char *key = texts + offset;
        uint32_t slot = llmlab__key_hash(key, strlen(key)) & mask;

        while (slot_of[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        slot_of[slot] = i + 1;
    }
    return mask;
}

/* Equal keys lie at one offset, because texts are interned. */
static llmlab_status_t
check_keys(const llmlab__build_t *build, const llmlab__price_table_t *table)
{
    uint32_t *offsets = llmlab__calloc(table->row_count + 1, sizeof(uint32_t));
    llmlab_status_t status = LLMLAB_OK;
    uint32_t i;

    if (offsets == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    for (i = 0; i < table->row_count; i++) {
        offsets[i] = table->rows[i].key;
    }
    qsort(offsets, table->row_count, sizeof(*offsets), compare_rates);
    for (i = 1; i < table->row_count && status == LLMLAB_OK; i++) {
        if (offsets[i] == offsets[i - 1]) {
            status = llmlab__fail(
                LLMLAB_EPARSE, "the model \"%s\" stands twice",
                (const char *)build->texts.bytes.data + offsets[i]);
        }
    }
    llmlab__free(offsets);
    return status;
}

static bool
out_of_memory(const llmlab__build_t *build)
{
    return build->failed || build->texts.failed || build->amounts.failed ||
           build->rates.failed || build->contexts.failed ||
           build->factors.failed || build->windows.failed ||
           build->periods.failed || build->rows.failed ||
           build->families.failed || build->aliases.failed ||
           build->slots.failed || build->alias_slots.failed;
}

/* A table without any of a kind still has a place for them, so that readers
 * may add an offset of zero. */
static const void *
place_of(const llmlab__buf_t *buf)
{
    static const uint64_t nothing;

    return buf->data != NULL ? (const void *)buf->data : &nothing;
}

llmlab_status_t
llmlab__build_finish(llmlab__build_t *build, llmlab__price_table_t *out)
{
    const char *texts = (const char *)build->texts.bytes.data;
    size_t aliases = build->aliases.size / sizeof(llmlab__alias_t);

    if (out_of_memory(build)) {
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    memset(out, 0, sizeof(*out));
    out->row_count = (uint32_t)(build->rows.size / sizeof(llmlab__price_row_t));
    out->slot_mask = make_slots(&build->slots, texts, build->rows.data,
                                out->row_count, sizeof(llmlab__price_row_t));
    out->alias_mask =
        make_slots(&build->alias_slots, texts, build->aliases.data, aliases,
                   sizeof(llmlab__alias_t));
    if (out_of_memory(build)) {
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    out->version = texts + build->version;
    out->instant_s = build->instant_s;
    out->texts = texts;
    out->rows = place_of(&build->rows);
    out->periods = place_of(&build->periods.bytes);
    out->rates = place_of(&build->rates.bytes);
    out->amounts = place_of(&build->amounts.bytes);
    out->contexts = place_of(&build->contexts.bytes);
    out->factors = place_of(&build->factors.bytes);
    out->windows = place_of(&build->windows.bytes);
    out->families = place_of(&build->families);
    out->aliases = place_of(&build->aliases);
    out->slots = place_of(&build->slots);
    out->alias_slots = place_of(&build->alias_slots);
    return check_keys(build, out);
}
