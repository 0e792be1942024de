#include "services/cost_service.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"

#define QUARTER INT64_C(900)
#define HOUR    INT64_C(3600)
#define DAY     INT64_C(86400)

typedef struct sum_s {
    const llmlab__cost_query_t *query;
    llmlab__cost_result_t *result;
    int64_t *bounds; /* of the buckets; one more than there are buckets */
    size_t buckets;
    size_t bucket;    /* of the last row: rows come in the order of time */
    int64_t unit;     /* seconds: a day or an hour */
    bool edge_before; /* the edge lies before the bound */
    llmlab__view_t view;
    size_t capacity;
    uint32_t *slots; /* index + 1 of a row, by hash */
    size_t slot_count;
    llmlab_status_t status;
} sum_t;

static bool
rows_grow(sum_t *sum)
{
    size_t capacity = sum->capacity == 0 ? 64 : sum->capacity * 2;
    size_t slots = capacity * 2;
    llmlab__cost_result_t *result = sum->result;
    void *rows =
        llmlab__realloc(result->rows, capacity * sizeof(*result->rows));

    if (rows == NULL) {
        return false;
    }
    result->rows = rows;
    sum->capacity = capacity;
    llmlab__free(sum->slots);
    sum->slots = llmlab__calloc(slots, sizeof(*sum->slots));
    if (sum->slots == NULL) {
        return false;
    }
    sum->slot_count = slots;
    for (size_t i = 0; i < result->count; i++) {
        const llmlab__cost_row_t *row = &result->rows[i];
        size_t at =
            llmlab__hash_bytes((uint64_t)row->start, row->by, sizeof(row->by)) &
            (slots - 1);

        while (sum->slots[at] != 0) {
            at = (at + 1) & (slots - 1);
        }
        sum->slots[at] = (uint32_t)i + 1;
    }
    return true;
}

static llmlab__cost_row_t *
row_get(sum_t *sum, int64_t start, const int64_t by[LLMLAB__DIMENSIONS])
{
    llmlab__cost_result_t *result = sum->result;
    llmlab__cost_row_t *row;
    size_t at;

    if (result->count == sum->capacity && !rows_grow(sum)) {
        sum->status = llmlab__fail(LLMLAB_ENOMEM, "no memory for costs");
        return NULL;
    }
    at = llmlab__hash_bytes((uint64_t)start, by,
                            LLMLAB__DIMENSIONS * sizeof(*by)) &
         (sum->slot_count - 1);
    while (sum->slots[at] != 0) {
        row = &result->rows[sum->slots[at] - 1];
        if (row->start == start && memcmp(row->by, by, sizeof(row->by)) == 0) {
            return row;
        }
        at = (at + 1) & (sum->slot_count - 1);
    }
    if (result->count == LLMLAB__COST_ROWS_MAX) {
        sum->status = llmlab__fail(LLMLAB_ETOOBIG, "too many rows");
        return NULL;
    }
    row = &result->rows[result->count];
    memset(row, 0, sizeof(*row));
    row->start = start;
    memcpy(row->by, by, sizeof(row->by));
    result->count++;
    sum->slots[at] = (uint32_t)result->count;
    return row;
}

/* Add a roll-up row to a bucket's, or take it away again. */
static bool
bucket_add(sum_t *sum, size_t bucket, const llmlab__rollup_row_t *rollup,
           bool add)
{
    int64_t by[LLMLAB__DIMENSIONS];
    llmlab__cost_row_t *row;

    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        by[i] = sum->query->group_by >> i & 1 ? rollup->by[i] : 0;
    }
    row = row_get(sum, sum->bounds[bucket], by);
    if (row == NULL) {
        return false;
    }
    if (!add) {
        llmlab__sums_subtract(&row->sums, &rollup->sums);
        llmlab__sums_subtract(&sum->result->total, &rollup->sums);
        return true;
    }
    if (!llmlab__sums_add(&row->sums, &rollup->sums) ||
        !llmlab__sums_add(&sum->result->total, &rollup->sums)) {
        sum->status = llmlab__fail(LLMLAB_EOVERFLOW, "a sum exceeds 64 bits");
        return false;
    }
    return true;
}

/* The whole unit nearest to a bound. */
static int64_t
nearest(const sum_t *sum, int64_t bound)
{
    return (bound + sum->unit / 2) / sum->unit * sum->unit;
}

static bool
on_unit(void *payload, const llmlab__rollup_row_t *rollup)
{
    sum_t *sum = payload;

    while (sum->bucket + 1 < sum->buckets &&
           nearest(sum, sum->bounds[sum->bucket + 1]) <=
               rollup->start * sum->unit) {
        sum->bucket++;
    }
    return bucket_add(sum, sum->bucket, rollup, true);
}

/* A row between a bound and the unit nearest to it: units gave it to the
 * bucket on the wrong side, or would have, but for the end of the range. */
static bool
on_edge(void *payload, const llmlab__rollup_row_t *rollup)
{
    sum_t *sum = payload;
    bool before = sum->edge_before;
    size_t at = sum->bucket;

    return (at == 0 || bucket_add(sum, at - 1, rollup, before)) &&
           (at == sum->buckets || bucket_add(sum, at, rollup, !before));
}

static bool
bound_add(sum_t *sum, size_t *capacity, int64_t bound)
{
    if (sum->buckets == *capacity) {
        size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
        void *grown =
            llmlab__realloc(sum->bounds, wanted * sizeof(*sum->bounds));

        if (grown == NULL) {
            return false;
        }
        sum->bounds = grown;
        *capacity = wanted;
    }
    sum->bounds[sum->buckets++] = bound;
    return true;
}

/* Where the next local day or hour begins. */
static int64_t
bucket_end(const llmlab__cost_query_t *query, int64_t at)
{
    const llmlab__zone_t *zone = &query->range->zone;
    int64_t local = at + llmlab__zone_offset(zone, at);
    int64_t day = local / DAY - (local % DAY < 0);
    int64_t next;

    if (query->granularity == LLMLAB__TOTAL) {
        return query->range->end;
    }
    if (query->granularity == LLMLAB__HOURLY) {
        return at + HOUR - (local % HOUR + HOUR) % HOUR;
    }
    next = llmlab__zone_day_start(zone, day + 1);
    return next > at ? next : at + DAY;
}

static bool
bounds_make(sum_t *sum)
{
    const llmlab__time_range_t *range = sum->query->range;
    size_t capacity = 0;
    int64_t at = range->start;

    while (at < range->end) {
        if (!bound_add(sum, &capacity, at)) {
            return false;
        }
        at = bucket_end(sum->query, at);
    }
    if (!bound_add(sum, &capacity, range->end)) {
        return false;
    }
    sum->buckets--;
    return true;
}

/* Visit the roll-ups of a level between two instants. */
static void
scan(sum_t *sum, llmlab__store_t *store, llmlab__reader_t *reader,
     llmlab__level_t level, int64_t from, int64_t to, llmlab__rollup_fn visit)
{
    int64_t seconds = llmlab__level_seconds(level);
    llmlab_status_t status;

    if (from >= to || sum->status != LLMLAB_OK) {
        return;
    }
    status = store->ops->rollups(reader, sum->query->project, sum->view, level,
                                 from / seconds, to / seconds, visit, sum);
    if (sum->status == LLMLAB_OK) {
        sum->status = status;
    }
}

/* What lies between a bound and the unit nearest to it, by hours as far as
 * there are whole ones. */
static void
scan_edge(sum_t *sum, llmlab__store_t *store, llmlab__reader_t *reader,
          size_t bound)
{
    int64_t at = sum->bounds[bound];
    int64_t unit = nearest(sum, at);
    int64_t from = at < unit ? at : unit;
    int64_t to = at < unit ? unit : at;
    int64_t first = (from + HOUR - 1) / HOUR * HOUR;
    int64_t last = to / HOUR * HOUR;

    sum->bucket = bound;
    sum->edge_before = unit < at;
    if (first > last) {
        scan(sum, store, reader, LLMLAB__LEVEL_QUARTER, from, to, on_edge);
        return;
    }
    scan(sum, store, reader, LLMLAB__LEVEL_QUARTER, from, first, on_edge);
    scan(sum, store, reader, LLMLAB__LEVEL_HOUR, first, last, on_edge);
    scan(sum, store, reader, LLMLAB__LEVEL_QUARTER, last, to, on_edge);
}

/* The smallest view that has all that is asked for. */
static llmlab__view_t
view_of(unsigned group_by)
{
    unsigned model = 1u << LLMLAB__BY_PROVIDER | 1u << LLMLAB__BY_MODEL;

    if ((group_by & ~model) == 0) {
        return LLMLAB__VIEW_MODEL;
    }
    return group_by == 1u << LLMLAB__BY_AGENT ? LLMLAB__VIEW_AGENT
                                              : LLMLAB__VIEW_ALL;
}

/* Whole UTC days or hours go to the bucket they lie in for the most part; what
 * lies between a bucket's bound and the nearest unit's then changes sides. So
 * a day in a zone east or west reads a few hours more, not all of them. */
static void
scan_all(sum_t *sum, llmlab__store_t *store, llmlab__reader_t *reader)
{
    llmlab__level_t level = sum->query->granularity == LLMLAB__HOURLY
                                ? LLMLAB__LEVEL_HOUR
                                : LLMLAB__LEVEL_DAY;

    sum->unit = llmlab__level_seconds(level);
    for (size_t i = 0; i <= sum->buckets; i++) {
        /* A zone's offset of old may not even be on the quarter. */
        sum->bounds[i] = sum->bounds[i] / QUARTER * QUARTER;
    }
    sum->bucket = 0;
    scan(sum, store, reader, level, nearest(sum, sum->bounds[0]),
         nearest(sum, sum->bounds[sum->buckets]), on_unit);
    for (size_t i = 0; i <= sum->buckets; i++) {
        scan_edge(sum, store, reader, i);
    }
}

static int
compare(const void *a, const void *b)
{
    const llmlab__cost_row_t *left = a;
    const llmlab__cost_row_t *right = b;
    const int64_t *l = left->sums.of;
    const int64_t *r = right->sums.of;

    if (left->start != right->start) {
        return left->start < right->start ? -1 : 1;
    }
    if (l[LLMLAB__SUM_COST_NANO] != r[LLMLAB__SUM_COST_NANO]) {
        return l[LLMLAB__SUM_COST_NANO] > r[LLMLAB__SUM_COST_NANO] ? -1 : 1;
    }
    if (l[LLMLAB__SUM_COST_REST] != r[LLMLAB__SUM_COST_REST]) {
        return l[LLMLAB__SUM_COST_REST] > r[LLMLAB__SUM_COST_REST] ? -1 : 1;
    }
    if (l[LLMLAB__SUM_CALLS] != r[LLMLAB__SUM_CALLS]) {
        return l[LLMLAB__SUM_CALLS] > r[LLMLAB__SUM_CALLS] ? -1 : 1;
    }
    return memcmp(left->by, right->by, sizeof(left->by));
}

/* Steps that are no calls cost nothing; they are in the total's spans. */
static void
rows_finish(llmlab__cost_result_t *result)
{
    size_t kept = 0;

    for (size_t i = 0; i < result->count; i++) {
        if (result->rows[i].sums.of[LLMLAB__SUM_CALLS] > 0) {
            result->rows[kept++] = result->rows[i];
        }
    }
    result->count = kept;
    if (kept > 1) {
        qsort(result->rows, kept, sizeof(*result->rows), compare);
    }
}

llmlab_status_t
llmlab__cost_query(llmlab__store_t *store, llmlab__reader_t *reader,
                   const llmlab__cost_query_t *query,
                   llmlab__cost_result_t *out)
{
    sum_t sum = {.query = query,
                 .result = out,
                 .view = view_of(query->group_by),
                 .status = LLMLAB_OK};

    memset(out, 0, sizeof(*out));
    if (!bounds_make(&sum)) {
        sum.status = llmlab__fail(LLMLAB_ENOMEM, "no memory for costs");
    } else {
        scan_all(&sum, store, reader);
    }
    llmlab__free(sum.bounds);
    llmlab__free(sum.slots);
    if (sum.status != LLMLAB_OK) {
        llmlab__free(out->rows);
        memset(out, 0, sizeof(*out));
        return sum.status;
    }
    rows_finish(out);
    return LLMLAB_OK;
}
