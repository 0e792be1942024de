/* A row of a price table told again: in our schema, or rate by rate. */
#ifndef LLMLAB_PRICING_DESCRIBE_H
#define LLMLAB_PRICING_DESCRIBE_H

#include "base/json_write.h"
#include "pricing/book.h"

/* Write the row as a member of "models" has it. What is read again is the
 * same. */
void llmlab__price_row_write(llmlab__json_out_t *out, llmlab__price_ref_t ref);

/* The rate's amount as our files state it: USD per million tokens, or per
 * unit. */
size_t llmlab__rate_format(const llmlab__price_table_t *table, uint32_t rate,
                           char out[LLMLAB_MONEY_TEXT]);

/* "priority input above 272000" of one of the period's rates. */
#define LLMLAB__RATE_TITLE 96
void llmlab__rate_title(const llmlab__price_table_t *table,
                        const llmlab__period_t *period, uint32_t rate,
                        char out[LLMLAB__RATE_TITLE]);

/* "above 272000" of a context. */
void llmlab__context_title(const llmlab__context_t *context,
                           char out[LLMLAB__RATE_TITLE]);

#endif
