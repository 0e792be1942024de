#include "pricing/describe.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/u128.h"
#include "pricing/windows.h"

#define MILLION  1000000
#define NS_PER_S INT64_C(1000000000)

static const char *const bound_names[] = {
    [LLMLAB__BOUND_ABOVE] = "input_above",
    [LLMLAB__BOUND_FROM] = "input_from",
    [LLMLAB__BOUND_MAX_RESULTS] = "max_results_from",
};

size_t
llmlab__rate_format(const llmlab__price_table_t *table, uint32_t rate,
                    char out[LLMLAB_MONEY_TEXT])
{
    llmlab__u128_t amount = table->amounts[LLMLAB__RATE_AMOUNT(rate)];

    if (!llmlab__rate_is_unit(LLMLAB__RATE_CLASS(rate))) {
        amount *= MILLION;
    }
    return llmlab_money_format(llmlab__money_of(amount), out);
}

void
llmlab__context_title(const llmlab__context_t *context,
                      char out[LLMLAB__RATE_TITLE])
{
    static const char *const words[] = {
        [LLMLAB__BOUND_ABOVE] = "above",
        [LLMLAB__BOUND_FROM] = "from",
        [LLMLAB__BOUND_MAX_RESULTS] = "for results from",
    };

    snprintf(out, LLMLAB__RATE_TITLE, "%s %u", words[context->bound],
             context->limit);
}

void
llmlab__rate_title(const llmlab__price_table_t *table,
                   const llmlab__period_t *period, uint32_t rate,
                   char out[LLMLAB__RATE_TITLE])
{
    const char *tier = llmlab__tier_name(LLMLAB__RATE_TIER(rate));
    unsigned context = LLMLAB__RATE_CONTEXT(rate);
    char above[LLMLAB__RATE_TITLE] = "";

    if (context > 0) {
        llmlab__context_title(&table->contexts[period->contexts + context - 1],
                              above);
    }
    snprintf(out, LLMLAB__RATE_TITLE, "%s%s%.40s%s%.40s", tier,
             tier[0] != '\0' ? " " : "",
             llmlab__rate_name(LLMLAB__RATE_CLASS(rate)),
             above[0] != '\0' ? " " : "", above);
}

static void
put_key(llmlab__json_out_t *out, const char *key)
{
    llmlab__json_key_n(out, key, strlen(key));
}

/* The rates of one kind, tier and context as an object under a key, if there
 * are any. */
static void
put_rates(llmlab__json_out_t *out, const char *key,
          const llmlab__price_table_t *table, const llmlab__period_t *period,
          bool units, unsigned tier, unsigned context)
{
    const uint32_t *rates = table->rates + period->rates;
    bool any = false;
    unsigned i;

    for (i = 0; i < period->rate_count; i++) {
        char text[LLMLAB_MONEY_TEXT];
        size_t size;

        if (LLMLAB__RATE_TIER(rates[i]) != tier ||
            LLMLAB__RATE_CONTEXT(rates[i]) != context ||
            llmlab__rate_is_unit(LLMLAB__RATE_CLASS(rates[i])) != units) {
            continue;
        }
        if (!any) {
            put_key(out, key);
            llmlab__json_begin_object(out);
            any = true;
        }
        put_key(out, llmlab__rate_name(LLMLAB__RATE_CLASS(rates[i])));
        size = llmlab__rate_format(table, rates[i], text);
        llmlab__json_put_string(out, text, size);
    }
    if (any) {
        llmlab__json_end_object(out);
    }
}

static bool
has_tier(const llmlab__price_table_t *table, const llmlab__period_t *period,
         unsigned context)
{
    const uint32_t *rates = table->rates + period->rates;
    unsigned i;

    for (i = 0; i < period->rate_count; i++) {
        unsigned tier = LLMLAB__RATE_TIER(rates[i]);

        if (tier != LLMLAB__TIER_STANDARD && tier != LLMLAB__TIER_OFF_PEAK &&
            LLMLAB__RATE_CONTEXT(rates[i]) == context) {
            return true;
        }
    }
    return false;
}

/* The rates, units and tiers of one context; 0 is the base. */
static void
put_context(llmlab__json_out_t *out, const llmlab__price_table_t *table,
            const llmlab__period_t *period, unsigned context)
{
    unsigned tier;

    put_rates(out, "rates", table, period, false, LLMLAB__TIER_STANDARD,
              context);
    put_rates(out, "units", table, period, true, LLMLAB__TIER_STANDARD,
              context);
    if (!has_tier(table, period, context)) {
        return;
    }
    llmlab__json_key(out, "tiers");
    llmlab__json_begin_object(out);
    for (tier = LLMLAB__TIER_PRIORITY; tier < LLMLAB__TIER_OFF_PEAK; tier++) {
        put_rates(out, llmlab__tier_name(tier), table, period, false, tier,
                  context);
    }
    llmlab__json_end_object(out);
}

static void
put_contexts(llmlab__json_out_t *out, const llmlab__price_table_t *table,
             const llmlab__period_t *period)
{
    unsigned i;

    if (period->context_count == 0) {
        return;
    }
    llmlab__json_key(out, "contexts");
    llmlab__json_begin_array(out);
    for (i = 0; i < period->context_count; i++) {
        const llmlab__context_t *context =
            &table->contexts[period->contexts + i];

        llmlab__json_begin_object(out);
        put_key(out, bound_names[context->bound]);
        llmlab__json_put_uint(out, context->limit);
        put_context(out, table, period, i + 1);
        llmlab__json_end_object(out);
    }
    llmlab__json_end_array(out);
}

static void
put_factors(llmlab__json_out_t *out, const llmlab__price_table_t *table,
            const llmlab__period_t *period)
{
    static const char *const kinds[] = {
        [LLMLAB__FACTOR_REGION] = "region",
        [LLMLAB__FACTOR_REGION_NOT] = "region_not",
        [LLMLAB__FACTOR_SPEED] = "speed",
    };
    unsigned i;

    if (period->factor_count == 0) {
        return;
    }
    llmlab__json_key(out, "multiply");
    llmlab__json_begin_array(out);
    for (i = 0; i < period->factor_count; i++) {
        const llmlab__factor_t *factor = &table->factors[period->factors + i];
        /* It was made from a decimal, so the division leaves no rest. */
        llmlab__u128_t by = (llmlab__u128_t)factor->numerator * LLMLAB__FEMTO /
                            factor->denominator;
        char text[LLMLAB_MONEY_TEXT];

        llmlab_money_format(llmlab__money_of(by), text);
        llmlab__json_begin_object(out);
        put_key(out, kinds[factor->kind]);
        llmlab__json_put_text(out, llmlab__price_text(table, factor->text));
        llmlab__json_key(out, "by");
        llmlab__json_put_text(out, text);
        llmlab__json_end_object(out);
    }
    llmlab__json_end_array(out);
}

static void
put_window(llmlab__json_out_t *out, const llmlab__window_t *window)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu",
                                       "fri", "sat", "sun"};
    char hours[32];
    unsigned i;

    llmlab__json_begin_object(out);
    if (window->days != LLMLAB__EVERY_DAY) {
        llmlab__json_key(out, "days");
        llmlab__json_begin_array(out);
        for (i = 0; i < 7; i++) {
            if ((window->days >> i & 1) != 0) {
                llmlab__json_put_text(out, days[i]);
            }
        }
        llmlab__json_end_array(out);
    }
    snprintf(hours, sizeof(hours), "%02u:%02u-%02u:%02u", window->start / 60u,
             window->start % 60u, window->end / 60u, window->end % 60u);
    llmlab__json_key(out, "hours");
    llmlab__json_begin_array(out);
    llmlab__json_put_text(out, hours);
    llmlab__json_end_array(out);
    llmlab__json_end_object(out);
}

static void
put_off_peak(llmlab__json_out_t *out, const llmlab__price_table_t *table,
             const llmlab__period_t *period)
{
    const llmlab__window_t *windows = table->windows + period->windows;
    unsigned i;

    if (period->window_count == 0) {
        return;
    }
    llmlab__json_key(out, "off_peak");
    llmlab__json_begin_object(out);
    if (windows[0].zone != 0) {
        unsigned ahead = (unsigned)(windows[0].zone < 0 ? -windows[0].zone
                                                        : windows[0].zone);
        char zone[16];

        snprintf(zone, sizeof(zone), "%c%02u:%02u",
                 windows[0].zone < 0 ? '-' : '+', ahead / 60 % 100, ahead % 60);
        llmlab__json_key(out, "zone");
        llmlab__json_put_text(out, zone);
    }
    llmlab__json_key(out, "windows");
    llmlab__json_begin_array(out);
    for (i = 0; i < period->window_count; i++) {
        put_window(out, &windows[i]);
    }
    llmlab__json_end_array(out);
    put_rates(out, "rates", table, period, false, LLMLAB__TIER_OFF_PEAK, 0);
    llmlab__json_end_object(out);
}

static void
put_period(llmlab__json_out_t *out, const llmlab__price_table_t *table,
           const llmlab__period_t *period)
{
    if (period->from_s != INT64_MIN) {
        char text[LLMLAB__TIME_TEXT];

        llmlab__time_format(period->from_s * NS_PER_S, text);
        llmlab__json_key(out, "from");
        llmlab__json_put_text(out, text);
    }
    if ((period->flags & LLMLAB__PERIOD_WHOLE) != 0) {
        llmlab__json_key(out, "whole");
        llmlab__json_put_bool(out, true);
    }
    put_context(out, table, period, 0);
    put_contexts(out, table, period);
    put_factors(out, table, period);
    put_off_peak(out, table, period);
}

static void
put_date(llmlab__json_out_t *out, const char *key, uint16_t day)
{
    char text[16];

    if (day != 0) {
        llmlab__date_format(day, text);
        put_key(out, key);
        llmlab__json_put_text(out, text);
    }
}

void
llmlab__price_row_write(llmlab__json_out_t *out, llmlab__price_ref_t ref)
{
    const llmlab__price_row_t *row = ref.row;
    const llmlab__period_t *periods = ref.table->periods + row->periods;
    unsigned i;

    llmlab__json_begin_object(out);
    llmlab__json_key(out, "provider");
    llmlab__json_put_text(out, llmlab__price_text(ref.table, row->provider));
    llmlab__json_key(out, "mode");
    llmlab__json_put_text(out, llmlab__price_text(ref.table, row->mode));
    llmlab__json_key(out, "source");
    llmlab__json_put_text(out, llmlab__price_text(ref.table, row->source));
    put_date(out, "checked", row->checked);
    put_date(out, "retires", row->retires);
    if (row->period_count == 1) {
        put_period(out, ref.table, periods);
    } else {
        llmlab__json_key(out, "prices");
        llmlab__json_begin_array(out);
        for (i = 0; i < row->period_count; i++) {
            llmlab__json_begin_object(out);
            put_period(out, ref.table, &periods[i]);
            llmlab__json_end_object(out);
        }
        llmlab__json_end_array(out);
    }
    llmlab__json_end_object(out);
}
