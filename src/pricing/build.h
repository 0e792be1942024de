/* Makes a price table row by row. The table compiler and the readers of price
 * files share it, so that both keep the same checks and rounding. Equal runs
 * of rates, texts and periods are stored once.
 *
 *   begin a row, begin a period, add contexts, rates, factors, windows,
 *   end the period, (further periods,) end the row; finish the table
 */
#ifndef LLMLAB_PRICING_BUILD_H
#define LLMLAB_PRICING_BUILD_H

#include "base/buf.h"
#include "pricing/pool.h"
#include "pricing/table.h"

#include <llmlab/status.h>

#define LLMLAB__DRAFT_RATES 128
#define LLMLAB__DRAFT_SMALL 32

typedef struct llmlab__build_s {
    llmlab__pool_t texts;
    llmlab__pool_t amounts;
    llmlab__pool_t rates;
    llmlab__pool_t contexts;
    llmlab__pool_t factors;
    llmlab__pool_t windows;
    llmlab__pool_t periods;
    llmlab__buf_t rows;
    llmlab__buf_t families;
    llmlab__buf_t aliases;
    llmlab__buf_t slots;
    llmlab__buf_t alias_slots;
    uint32_t version; /* text */
    int64_t instant_s;

    /* the row and the period that are being made */
    llmlab__price_row_t row;
    llmlab__period_t period;
    llmlab__buf_t row_periods;
    uint32_t draft_rates[LLMLAB__DRAFT_RATES];
    llmlab__context_t draft_contexts[LLMLAB__RATE_CONTEXTS];
    llmlab__factor_t draft_factors[LLMLAB__DRAFT_SMALL];
    llmlab__window_t draft_windows[LLMLAB__DRAFT_SMALL];

    /* Told of each rate that is finer than a femto-USD. May be NULL. */
    void (*rounded)(void *context, const char *key, const char *rate,
                    const char *text);
    void *rounded_context;
    bool failed; /* out of memory somewhere */
} llmlab__build_t;

void llmlab__build_init(llmlab__build_t *build);
void llmlab__build_cleanup(llmlab__build_t *build);

/* A text's offset; equal texts share one. */
uint32_t llmlab__build_text(llmlab__build_t *build, const char *text);

/* family: the canonical name of the provider's family. */
void llmlab__build_row(llmlab__build_t *build, const char *key,
                       const char *provider, const char *family);
void llmlab__build_period(llmlab__build_t *build, int64_t from_s);

/* Add a context; returns what llmlab__build_rate() takes, 0 when there are too
 * many. */
unsigned llmlab__build_context(llmlab__build_t *build, uint32_t limit,
                               llmlab__bound_t bound);

/* Add a rate from decimal text times 10^exponent. A class, tier and context
 * that has one already keeps the later. On an error the detail names the key
 * and the rate. */
llmlab_status_t llmlab__build_rate(llmlab__build_t *build, unsigned rate_class,
                                   unsigned tier, unsigned context,
                                   const char *number, int exponent);
/* Has the period a rate of that class, tier and context? */
bool llmlab__build_has_rate(const llmlab__build_t *build, unsigned rate_class,
                            unsigned tier, unsigned context);
/* Give a class the rate of another, where that has one. */
void llmlab__build_copy_rate(llmlab__build_t *build, unsigned to,
                             unsigned from);

/* The decimal must be an exact ratio of 32-bit numbers. */
llmlab_status_t llmlab__build_factor(llmlab__build_t *build,
                                     llmlab__factor_kind_t kind,
                                     const char *text, const char *number);
llmlab_status_t llmlab__build_window(llmlab__build_t *build,
                                     const llmlab__window_t *window);

llmlab_status_t llmlab__build_period_end(llmlab__build_t *build);
/* The row's periods must have been added by their instants. */
llmlab_status_t llmlab__build_row_end(llmlab__build_t *build);

void llmlab__build_family(llmlab__build_t *build,
                          const llmlab__family_t *family);
/* name is folded here. */
void llmlab__build_alias(llmlab__build_t *build, const char *name,
                         uint32_t family);

/* Index the rows and fill *out, whose arrays belong to the build. The detail
 * of LLMLAB_EPARSE names a key that stands twice. */
llmlab_status_t llmlab__build_finish(llmlab__build_t *build,
                                     llmlab__price_table_t *out);

#endif
