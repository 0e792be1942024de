/* What the calls of a time range cost: roll-up rows, summed into buckets and
 * groups. */
#ifndef LLMLAB_SERVICES_COST_SERVICE_H
#define LLMLAB_SERVICES_COST_SERVICE_H

#include "services/time_range.h"
#include "store/store.h"

typedef enum llmlab__granularity_e {
    LLMLAB__TOTAL,
    LLMLAB__DAILY,
    LLMLAB__HOURLY
} llmlab__granularity_t;

typedef struct llmlab__cost_query_s {
    int64_t project;
    const llmlab__time_range_t *range;
    llmlab__granularity_t granularity;
    unsigned group_by; /* bits by llmlab__dimension_t */
} llmlab__cost_query_t;

typedef struct llmlab__cost_row_s {
    int64_t start;                  /* of the bucket, Unix seconds */
    int64_t by[LLMLAB__DIMENSIONS]; /* those not grouped by are 0 */
    llmlab__sums_t sums;
} llmlab__cost_row_t;

typedef struct llmlab__cost_result_s {
    llmlab__cost_row_t *rows; /* by start, then the dearest first */
    size_t count;
    llmlab__sums_t total;
} llmlab__cost_result_t;

/* LLMLAB_OK, LLMLAB_ETOOBIG (more rows than an answer holds),
 * LLMLAB_EOVERFLOW, or the store's. Free the result's rows. */
llmlab_status_t llmlab__cost_query(llmlab__store_t *store,
                                   llmlab__reader_t *reader,
                                   const llmlab__cost_query_t *query,
                                   llmlab__cost_result_t *out);

#define LLMLAB__COST_ROWS_MAX 100000

#endif
