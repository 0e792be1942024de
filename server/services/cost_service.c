#include "services/cost_service.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "services/cost_cross.h"
#include "services/cost_sum.h"
#include "store/hash.h"

#define DAY INT64_C(86400)
/* From here on a total reads eight days at once. */
#define LONG_RANGE (24 * DAY)

/* What is known of a series: its group, or that it is filtered out. */
typedef struct series_s {
    int64_t series;
    uint32_t group;
    bool used;
    bool hidden;
} series_t;

typedef struct scan_s {
    llmlab__cost_sum_t sum;
    llmlab__store_t *store;
    llmlab__reader_t *reader;
    llmlab__view_t view;
    series_t *series; /* by hash */
    size_t series_count;
    size_t series_capacity;
    series_t *last;
    size_t bucket;        /* of the last row: rows come in the order of time */
    llmlab__level_t unit; /* of the rows scanned first */
    bool edge_before;     /* the edge lies before the bound */
} scan_t;

static series_t *
series_slot(scan_t *scan, int64_t series)
{
    size_t mask = scan->series_capacity - 1;
    size_t at = llmlab__hash_mix((uint64_t)series) & mask;

    while (scan->series[at].used && scan->series[at].series != series) {
        at = (at + 1) & mask;
    }
    return &scan->series[at];
}

static bool
series_grow(scan_t *scan)
{
    size_t capacity =
        scan->series_capacity == 0 ? 256 : scan->series_capacity * 2;
    series_t *old = scan->series;
    size_t old_capacity = scan->series_capacity;

    scan->series = llmlab__calloc(capacity, sizeof(*scan->series));
    if (scan->series == NULL) {
        scan->series = old;
        scan->sum.status = llmlab__fail(LLMLAB_ENOMEM, "no memory for costs");
        return false;
    }
    scan->series_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].used) {
            *series_slot(scan, old[i].series) = old[i];
        }
    }
    llmlab__free(old);
    return true;
}

static series_t *
series_get(scan_t *scan, int64_t number)
{
    const llmlab__cost_query_t *query = scan->sum.query;
    int64_t by[LLMLAB__DIMENSIONS] = {0};
    series_t *series;

    if (scan->series_count * 2 >= scan->series_capacity && !series_grow(scan)) {
        return NULL;
    }
    series = series_slot(scan, number);
    if (series->used) {
        return series;
    }
    scan->sum.status =
        scan->store->ops->series(scan->reader, scan->view, number, by);
    if (scan->sum.status != LLMLAB_OK) {
        return NULL;
    }
    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        series->hidden |= (query->only >> i & 1) && by[i] != query->value[i];
        by[i] = query->group_by >> i & 1 ? by[i] : 0;
    }
    if (!series->hidden &&
        !llmlab__cost_group(&scan->sum, by, &series->group)) {
        return NULL;
    }
    series->series = number;
    series->used = true;
    scan->series_count++;
    return series;
}

/* NULL: an error. */
static series_t *
series_of(scan_t *scan, const llmlab__rollup_row_t *rollup)
{
    if (scan->last == NULL || scan->last->series != rollup->series) {
        scan->last = series_get(scan, rollup->series);
    }
    return scan->last;
}

/* The whole unit nearest to a bound. */
static int64_t
nearest(llmlab__level_t level, int64_t bound)
{
    int64_t unit = llmlab__level_seconds(level);

    return (bound + unit / 2) / unit * unit;
}

static bool
on_unit(void *payload, const llmlab__rollup_row_t *rollup)
{
    scan_t *scan = payload;
    const llmlab__cost_sum_t *sum = &scan->sum;
    int64_t at = rollup->start * llmlab__level_seconds(scan->unit);
    series_t *series = series_of(scan, rollup);

    if (series == NULL) {
        return false;
    }
    while (scan->bucket + 1 < sum->buckets &&
           nearest(scan->unit, sum->bounds[scan->bucket + 1]) <= at) {
        scan->bucket++;
    }
    return series->hidden ||
           llmlab__cost_add(&scan->sum, scan->bucket, series->group,
                            &rollup->sums, rollup->latency, 1);
}

/* A row between a bound and the unit nearest to it: units gave it to the
 * bucket on the wrong side, or would have, but for the end of the range. */
static bool
on_edge(void *payload, const llmlab__rollup_row_t *rollup)
{
    scan_t *scan = payload;
    llmlab__cost_sum_t *sum = &scan->sum;
    int before = scan->edge_before ? 1 : -1;
    size_t at = scan->bucket;
    series_t *series = series_of(scan, rollup);

    if (series == NULL || series->hidden) {
        return series != NULL;
    }
    return (at == 0 ||
            llmlab__cost_add(sum, at - 1, series->group, &rollup->sums,
                             rollup->latency, before)) &&
           (at == sum->buckets ||
            llmlab__cost_add(sum, at, series->group, &rollup->sums,
                             rollup->latency, -before));
}

/* Visit the roll-ups of a level between two instants. */
static void
scan_level(scan_t *scan, llmlab__level_t level, int64_t from, int64_t to,
           llmlab__rollup_fn visit)
{
    int64_t seconds = llmlab__level_seconds(level);
    llmlab__rollup_query_t query = {.project = scan->sum.query->project,
                                    .view = scan->view,
                                    .level = level,
                                    .from = from / seconds,
                                    .to = to / seconds,
                                    .latency = scan->sum.query->latency};
    llmlab_status_t status;

    if (from >= to || scan->sum.status != LLMLAB_OK) {
        return;
    }
    status = scan->store->ops->rollups(scan->reader, &query, visit, scan);
    if (scan->sum.status == LLMLAB_OK) {
        scan->sum.status = status;
    }
}

/* What lies between a bound and the unit nearest to it: first to the nearest
 * of the next smaller units, and so on down to the bound itself. */
static void
scan_edge(scan_t *scan, size_t bound)
{
    int64_t at = scan->sum.bounds[bound];

    scan->bucket = bound;
    for (int level = (int)scan->unit; level > 0; level--) {
        int64_t coarse = nearest((llmlab__level_t)level, at);
        int64_t fine = nearest((llmlab__level_t)(level - 1), at);

        scan->edge_before = coarse < fine;
        scan_level(scan, (llmlab__level_t)(level - 1),
                   coarse < fine ? coarse : fine, coarse < fine ? fine : coarse,
                   on_edge);
    }
}

/* The smallest view that has all that is asked for. False: there is none. */
static bool
view_of(const llmlab__cost_query_t *query, llmlab__view_t *out)
{
    static const llmlab__view_t smallest_first[] = {
        LLMLAB__VIEW_SENDER, LLMLAB__VIEW_AGENT, LLMLAB__VIEW_MODEL,
        LLMLAB__VIEW_TAG,    LLMLAB__VIEW_USER,  LLMLAB__VIEW_ALL};
    unsigned dimensions = query->group_by | query->only;

    for (size_t i = 0; i < sizeof(smallest_first) / sizeof(smallest_first[0]);
         i++) {
        *out = smallest_first[i];
        if ((dimensions & ~llmlab__view_dimensions(*out)) == 0) {
            return true;
        }
    }
    return false;
}

bool
llmlab__cost_is_rolled(const llmlab__cost_query_t *query)
{
    llmlab__view_t view;

    return view_of(query, &view);
}

/* Whole units go to the bucket they lie in for the most part; what lies
 * between a bucket's bound and the nearest unit's then changes sides. So a day
 * in a zone east or west reads a few hours more, not all of them. */
static void
scan_all(scan_t *scan)
{
    const llmlab__cost_query_t *query = scan->sum.query;
    const llmlab__cost_sum_t *sum = &scan->sum;

    scan->unit = query->granularity == LLMLAB__HOURLY ? LLMLAB__LEVEL_HOUR
                 : query->granularity == LLMLAB__TOTAL &&
                         query->range->end - query->range->start >= LONG_RANGE
                     ? LLMLAB__LEVEL_EIGHT_DAYS
                     : LLMLAB__LEVEL_DAY;
    scan_level(scan, scan->unit, nearest(scan->unit, sum->bounds[0]),
               nearest(scan->unit, sum->bounds[sum->buckets]), on_unit);
    for (size_t i = 0; i <= sum->buckets; i++) {
        scan_edge(scan, i);
    }
}

/* Tags overlap: what they have together is not their sum. */
static llmlab_status_t
total_of_tags(llmlab__store_t *store, llmlab__reader_t *reader,
              const llmlab__cost_query_t *query, llmlab__cost_result_t *out)
{
    llmlab__cost_query_t whole = *query;
    llmlab__cost_result_t result;
    llmlab_status_t status;

    whole.group_by = 0;
    whole.granularity = LLMLAB__TOTAL;
    status = llmlab__cost_query(store, reader, &whole, &result);
    if (status == LLMLAB_OK) {
        llmlab__latency_t latency = out->latency;

        out->total = result.total;
        out->latency = result.latency;
        result.latency = latency;
    }
    llmlab__cost_result_cleanup(&result);
    return status;
}

llmlab_status_t
llmlab__cost_query(llmlab__store_t *store, llmlab__reader_t *reader,
                   const llmlab__cost_query_t *query,
                   llmlab__cost_result_t *out)
{
    unsigned tag = 1u << LLMLAB__BY_TAG;
    scan_t scan = {.store = store, .reader = reader};

    if (!view_of(query, &scan.view)) {
        return llmlab__cost_cross(store, reader, query, out);
    }
    llmlab__cost_sum_init(&scan.sum, query, out);
    scan.sum.apart = (query->group_by & tag) != 0 && (query->only & tag) == 0;
    if (llmlab__cost_bounds(&scan.sum)) {
        scan_all(&scan);
    }
    llmlab__cost_sum_cleanup(&scan.sum);
    llmlab__free(scan.series);
    if (scan.sum.status != LLMLAB_OK) {
        llmlab__cost_result_cleanup(out);
        return scan.sum.status;
    }
    llmlab__cost_finish(out, query->steps_too);
    if (scan.sum.apart) {
        return total_of_tags(store, reader, query, out);
    }
    return LLMLAB_OK;
}
