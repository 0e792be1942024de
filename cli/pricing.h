/* The verbs of `llmlab pricing`, one file each. */
#ifndef LLMLAB_CLI_PRICING_H
#define LLMLAB_CLI_PRICING_H

#include "cli/args.h"
#include "pricing/book.h"

/* The operands after the verb. */
int cli_pricing_show(const cli_args_t *args);
int cli_pricing_diff(const cli_args_t *args);
int cli_pricing_version(const cli_args_t *args);
int cli_pricing_update(const cli_args_t *args);
int cli_pricing_keygen(const cli_args_t *args);
int cli_pricing_sign(const cli_args_t *args);

/* A price file, or the built-in table for the name "builtin". *out_book is
 * owned and NULL for the built-in. False after a line on stderr. */
bool cli_pricing_open(const char *name, llmlab_price_book_t **out_book,
                      const llmlab__price_table_t **out_table);

/* All or nothing: whoever reads the file meanwhile reads the old one. secret:
 * for its owner only. False after a line on stderr. */
bool cli_pricing_replace(const char *path, const void *bytes, size_t size,
                         bool secret);

#endif
