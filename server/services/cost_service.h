/* What the calls of a time range cost: roll-up rows, summed into buckets and
 * groups; what is not rolled up so is read from the spans. */
#ifndef LLMLAB_SERVICES_COST_SERVICE_H
#define LLMLAB_SERVICES_COST_SERVICE_H

#include "services/time_range.h"
#include "store/latency.h"
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
    unsigned group_by;                 /* bits by llmlab__dimension_t */
    unsigned only;                     /* the same: of these only one value */
    int64_t value[LLMLAB__DIMENSIONS]; /* label ids and the like */
    const char *session;               /* the value of that dimension */
    bool latency;
    bool steps_too; /* keep groups that hold no calls */
} llmlab__cost_query_t;

typedef struct llmlab__cost_row_s {
    int64_t start;                  /* of the bucket, Unix seconds */
    int64_t by[LLMLAB__DIMENSIONS]; /* those not grouped by are 0 */
    llmlab__sums_t sums;
    llmlab__latency_t *latency; /* NULL unless asked for */
} llmlab__cost_row_t;

typedef struct llmlab__cost_result_s {
    llmlab__cost_row_t *rows; /* by start, then the dearest first */
    size_t count;
    llmlab__sums_t total;
    llmlab__latency_t latency; /* of the total */
    char **sessions;           /* a row's session is an index + 1 */
    size_t session_count;
    int64_t spans; /* with LLMLAB_EFULL: those of the range */
} llmlab__cost_result_t;

/* LLMLAB_OK, LLMLAB_ETOOBIG (more rows than an answer holds),
 * LLMLAB_EOVERFLOW, LLMLAB_EUNSUPPORTED (a day or hour of the zone begins
 * within a quarter hour), LLMLAB_EFULL (it is not rolled up so, and the range
 * has too many spans to read them), LLMLAB_ENOTFOUND (and not all of these are
 * still stored), or the store's. Clean up in any case. */
llmlab_status_t llmlab__cost_query(llmlab__store_t *store,
                                   llmlab__reader_t *reader,
                                   const llmlab__cost_query_t *query,
                                   llmlab__cost_result_t *out);
void llmlab__cost_result_cleanup(llmlab__cost_result_t *result);
/* Is it answered from roll-ups? */
bool llmlab__cost_is_rolled(const llmlab__cost_query_t *query);

#define LLMLAB__COST_ROWS_MAX    100000
#define LLMLAB__COST_LATENCY_MAX 10000 /* rows with latencies */
#define LLMLAB__COST_SPANS_MAX   100000

#endif
