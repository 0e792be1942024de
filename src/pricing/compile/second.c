/* The table against another source: a difference of more than twofold is an
 * error of one of them. */
#include "compile.h"

#include <string.h>

#include <llmlab/pricing.h>

#include "base/u128.h"

#define PER_MILLION 1000000

/* Has one of the row's periods a plain rate within twofold of the amount (USD
 * a million)? *out_has tells whether one has such a rate at all. */
static bool
agrees(const llmlab__price_table_t *table, const llmlab__price_row_t *row,
       unsigned rate_class, llmlab__u128_t theirs, bool *out_has)
{
    *out_has = false;
    for (unsigned i = 0; i < row->period_count; i++) {
        const llmlab__period_t *period = &table->periods[row->periods + i];

        for (unsigned j = 0; j < period->rate_count; j++) {
            uint32_t rate = table->rates[period->rates + j];
            llmlab__u128_t ours = table->amounts[LLMLAB__RATE_AMOUNT(rate)];

            if (LLMLAB__RATE_CLASS(rate) != rate_class ||
                LLMLAB__RATE_TIER(rate) != LLMLAB__TIER_STANDARD ||
                LLMLAB__RATE_CONTEXT(rate) != 0) {
                continue;
            }
            *out_has = true;
            ours *= PER_MILLION;
            if (ours <= 2 * theirs && theirs <= 2 * ours) {
                return true;
            }
        }
    }
    return false;
}

static bool
check_model(llmlab__faults_t *faults, const llmlab__price_table_t *table,
            const llmlab__price_row_t *row, const cJSON *rates)
{
    const char *key = llmlab__price_text(table, row->key);
    const cJSON *item;

    cJSON_ArrayForEach(item, rates)
    {
        unsigned rate_class = llmlab__rate_find(item->string, false);
        const char *text = llmlab__json_dom_string(item);
        llmlab_money_t amount;
        bool has;

        if (rate_class == LLMLAB__RATE_CLASSES || text == NULL ||
            llmlab_money_parse(&amount, text, strlen(text), NULL) !=
                LLMLAB_OK) {
            fprintf(stderr, "%s: %s: is no rate\n", key, item->string);
            return false;
        }
        if (!agrees(table, row, rate_class, llmlab__u128_of(amount), &has) &&
            has) {
            llmlab__fault(faults, key, item->string,
                          "differs more than twofold from the second source");
        }
    }
    return true;
}

static const llmlab__price_row_t *
find_row(const llmlab__price_table_t *table, const char *key)
{
    for (uint32_t i = 0; i < table->row_count; i++) {
        if (strcmp(llmlab__price_text(table, table->rows[i].key), key) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

bool
llmlab__check_second(llmlab__faults_t *faults,
                     const llmlab__price_table_t *table, const cJSON *root)
{
    const cJSON *models = llmlab__json_dom_get(root, "models");
    const cJSON *rates;
    int64_t format = 0;

    if (!llmlab__json_dom_int(
            llmlab__json_dom_get(root, "llmlab_second_source"), &format) ||
        format != 1 || !cJSON_IsObject(models)) {
        fprintf(stderr, "llmlab_second_source: 1 and models are expected\n");
        return false;
    }
    cJSON_ArrayForEach(rates, models)
    {
        const llmlab__price_row_t *row = find_row(table, rates->string);

        if (row == NULL) {
            fprintf(stderr,
                    "%s: the second source prices a model that the "
                    "table lacks\n",
                    rates->string);
            return false;
        }
        if (!check_model(faults, table, row, rates)) {
            return false;
        }
    }
    return true;
}
