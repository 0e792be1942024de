/* Where the local days or hours of a range begin. */
#include "base/alloc.h"
#include "base/status.h"
#include "services/cost_sum.h"

#define QUARTER INT64_C(900)
#define HOUR    INT64_C(3600)
#define DAY     INT64_C(86400)

static bool
bound_add(llmlab__cost_sum_t *sum, size_t *capacity, int64_t bound)
{
    if (bound % QUARTER != 0) {
        sum->status = llmlab__fail(LLMLAB_EUNSUPPORTED,
                                   "a day of the zone begins within a quarter "
                                   "hour");
        return false;
    }
    if (sum->buckets == *capacity) {
        size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
        void *grown =
            llmlab__realloc(sum->bounds, wanted * sizeof(*sum->bounds));

        if (grown == NULL) {
            sum->status = llmlab__fail(LLMLAB_ENOMEM, "no memory for costs");
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

bool
llmlab__cost_bounds(llmlab__cost_sum_t *sum)
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
