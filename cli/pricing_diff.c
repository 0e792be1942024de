/* llmlab pricing diff: two price tables, model by model. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/pricing.h"
#include "pricing/describe.h"

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
cli_pricing_compare(llmlab__price_ref_t before, unsigned period,
                    llmlab__price_ref_t after, cli_rate_change_fn tell,
                    void *context)
{
    const llmlab__period_t *old =
        &before.table->periods[before.row->periods + period];
    const llmlab__period_t *new =
        &after.table->periods[after.row->periods + newest(after)];
    char title[LLMLAB__RATE_TITLE];
    cli_rate_change_t change = {.key = llmlab__price_ref_key(after),
                                .title = title,
                                .old_table = before.table,
                                .new_table = after.table};
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

static void
print_change(void *context, const cli_rate_change_t *change)
{
    char old_text[LLMLAB_MONEY_TEXT] = "-";
    char new_text[LLMLAB_MONEY_TEXT] = "-";

    (void)context;
    if (change->has_old) {
        llmlab__rate_format(change->old_table, change->old_rate, old_text);
    }
    if (change->has_new) {
        llmlab__rate_format(change->new_table, change->new_rate, new_text);
    }
    printf("~ %s: %s: %s -> %s\n", change->key, change->title, old_text,
           new_text);
}

typedef struct totals_s {
    unsigned added;
    unsigned removed;
    unsigned changed;
} totals_t;

static void
diff_tables(const llmlab__price_table_t *before,
            const llmlab__price_table_t *after, totals_t *totals)
{
    llmlab__price_ref_t old = {before, NULL};
    llmlab__price_ref_t new = {after, NULL};
    uint32_t i;

    for (i = 0; i < before->row_count; i++) {
        const char *key = llmlab__price_text(before, before->rows[i].key);

        if (llmlab__table_find(after, key, strlen(key), NULL) == NULL) {
            printf("- %s\n", key);
            totals->removed++;
        }
    }
    for (i = 0; i < after->row_count; i++) {
        const char *key = llmlab__price_text(after, after->rows[i].key);

        new.row = &after->rows[i];
        old.row = llmlab__table_find(before, key, strlen(key), NULL);
        if (old.row == NULL) {
            printf("+ %s\n", key);
            totals->added++;
        } else if (cli_pricing_compare(old, newest(old), new, print_change,
                                       NULL) > 0) {
            totals->changed++;
        }
    }
}

int
cli_pricing_diff(const cli_args_t *args)
{
    llmlab_price_book_t *books[2] = {NULL, NULL};
    const llmlab__price_table_t *tables[2];
    totals_t totals = {0, 0, 0};
    int result = CLI_FAILED;

    if (cli_pricing_open(args->operands[1], &books[0], &tables[0]) &&
        cli_pricing_open(args->operands[2], &books[1], &tables[1])) {
        diff_tables(tables[0], tables[1], &totals);
        printf("%u models added, %u removed, %u changed; amounts in USD per "
               "million tokens or per unit\n",
               totals.added, totals.removed, totals.changed);
        result = CLI_OK;
    }
    llmlab_price_book_destroy(books[0]);
    llmlab_price_book_destroy(books[1]);
    return result;
}
