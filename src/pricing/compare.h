/* What differs between two price tables, and what no update may bring. */
#ifndef LLMLAB_PRICING_COMPARE_H
#define LLMLAB_PRICING_COMPARE_H

#include "pricing/book.h"

/* A rate in which two rows differ. */
typedef struct llmlab__rate_change_s {
    const char *key;
    const char *title; /* "priority input" */
    const llmlab__price_table_t *old_table;
    const llmlab__price_table_t *new_table;
    const llmlab__period_t *new_period;
    uint32_t old_rate;
    uint32_t new_rate;
    bool has_old;
    bool has_new;
} llmlab__rate_change_t;

typedef void (*llmlab__rate_change_fn)(void *context,
                                       const llmlab__rate_change_t *change);

/* Tell (if not NULL) every rate in which a period of one row differs from the
 * newest prices of another; returns their number. */
unsigned llmlab__price_compare(llmlab__price_ref_t before, unsigned period,
                               llmlab__price_ref_t after,
                               llmlab__rate_change_fn tell, void *context);

/* Has the old row the newest prices of the new one, now or at another time? */
bool llmlab__price_knows(llmlab__price_ref_t before, llmlab__price_ref_t after);

#define LLMLAB__CHANGE_MAX 3

/* Is the change more than threefold, up or down? */
bool llmlab__change_is_beyond(const llmlab__rate_change_t *change);

/* Is it a rate that the old row lacks, and far from the rate that would hold
 * without it: a tier's from the standard rate, a cache write's from input? */
bool llmlab__change_is_odd(const llmlab__rate_change_t *change);

/* Has the row a rate above 0.001 USD a token? */
bool llmlab__price_is_absurd(llmlab__price_ref_t ref);

#endif
