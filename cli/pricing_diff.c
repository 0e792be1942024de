/* llmlab pricing diff: two price tables, model by model. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/pricing.h"
#include "pricing/compare.h"
#include "pricing/describe.h"

static void
print_change(void *context, const llmlab__rate_change_t *change)
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

/* The models of a table that another lacks. */
static unsigned
print_missing(const llmlab__price_table_t *table,
              const llmlab__price_table_t *other, char mark)
{
    unsigned count = 0;
    uint32_t i;

    for (i = 0; i < table->row_count; i++) {
        const char *key = llmlab__price_text(table, table->rows[i].key);

        if (llmlab__table_find(other, key, strlen(key), NULL) == NULL) {
            printf("%c %s\n", mark, key);
            count++;
        }
    }
    return count;
}

/* What a person looks for comes last, above the sum: prices that changed. */
static void
diff_tables(const llmlab__price_table_t *before,
            const llmlab__price_table_t *after, totals_t *totals)
{
    llmlab__price_ref_t old = {before, NULL};
    llmlab__price_ref_t new = {after, NULL};
    uint32_t i;

    totals->removed = print_missing(before, after, '-');
    totals->added = print_missing(after, before, '+');
    for (i = 0; i < after->row_count; i++) {
        const char *key = llmlab__price_text(after, after->rows[i].key);

        new.row = &after->rows[i];
        old.row = llmlab__table_find(before, key, strlen(key), NULL);
        if (old.row != NULL &&
            llmlab__price_compare(old, old.row->period_count - 1u, new,
                                  print_change, NULL) > 0) {
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
