/* A price book: the user's table, aliases and discounts over the built-in
 * table. NULL is the built-in alone. */
#ifndef LLMLAB_PRICING_BOOK_H
#define LLMLAB_PRICING_BOOK_H

#include "pricing/build.h"
#include "pricing/family.h"

#include <llmlab/pricing.h>

/* "my-deployment" of a provider, or of any, is the row of another key. */
typedef struct llmlab__name_alias_s {
    char *family; /* "" any */
    char *name;
    char *key;
} llmlab__name_alias_t;

/* What is paid of the list price, as a ratio. */
typedef struct llmlab__discount_s {
    char *family; /* "" any */
    char *key;    /* "" any */
    int64_t from_s;
    uint32_t numerator;
    uint32_t denominator;
} llmlab__discount_t;

struct llmlab_price_book_s {
    llmlab__build_t build; /* owns what table refers to */
    llmlab__price_table_t table;
    llmlab__name_alias_t *aliases;
    size_t alias_count;
    llmlab__discount_t *discounts;
    size_t discount_count;
};

/* A row, and the table that it belongs to; row NULL: none. */
typedef struct llmlab__price_ref_s {
    const llmlab__price_table_t *table;
    const llmlab__price_row_t *row;
} llmlab__price_ref_t;

static inline const char *
llmlab__price_ref_key(llmlab__price_ref_t ref)
{
    return llmlab__price_text(ref.table, ref.row->key);
}

/* A table's row of that key (size bytes and a NUL); a row whose key differs
 * only in case goes into *out_folded (may be NULL) where that is NULL still. */
const llmlab__price_row_t *
llmlab__table_find(const llmlab__price_table_t *table, const char *key,
                   size_t size, const llmlab__price_row_t **out_folded);

/* The row of exactly that key, whosever it is. */
llmlab__price_ref_t llmlab__price_find(const llmlab_price_book_t *book,
                                       const char *key);

/* As llmlab_pricing_resolve(). */
llmlab_match_t llmlab__price_resolve(llmlab__price_ref_t *out,
                                     const llmlab_price_book_t *book,
                                     const char *provider, const char *model);

/* What is paid for the row at an instant; NULL: the list price. */
const llmlab__discount_t *
llmlab__price_discount(const llmlab_price_book_t *book, llmlab__price_ref_t ref,
                       int64_t time_s);

/* The prices of a row that hold at an instant; NULL when it has none. */
const llmlab__period_t *llmlab__price_period(llmlab__price_ref_t ref,
                                             int64_t time_s);

#endif
