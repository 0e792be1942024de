/* The verbs of `llmlab pricing`, one file each. */
#ifndef LLMLAB_CLI_PRICING_H
#define LLMLAB_CLI_PRICING_H

#include "cli/args.h"
#include "pricing/book.h"

/* The operands after the verb. */
int cli_pricing_show(const cli_args_t *args);
int cli_pricing_diff(const cli_args_t *args);
int cli_pricing_update(const cli_args_t *args);

/* A price file, or the built-in table for the name "builtin". *out_book is
 * owned and NULL for the built-in. False after a line on stderr. */
bool cli_pricing_open(const char *name, llmlab_price_book_t **out_book,
                      const llmlab__price_table_t **out_table);

/* A changed rate of one model. */
typedef struct cli_rate_change_s {
    const char *key;
    const char *title; /* "priority input" */
    const llmlab__price_table_t *old_table;
    const llmlab__price_table_t *new_table;
    uint32_t old_rate;
    uint32_t new_rate;
    bool has_old;
    bool has_new;
} cli_rate_change_t;

typedef void (*cli_rate_change_fn)(void *context,
                                   const cli_rate_change_t *change);

/* Tell (if not NULL) every rate in which a period of one row differs from the
 * newest prices of another; returns their number. */
unsigned cli_pricing_compare(llmlab__price_ref_t before, unsigned period,
                             llmlab__price_ref_t after, cli_rate_change_fn tell,
                             void *context);

#endif
