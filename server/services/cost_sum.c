#include "services/cost_sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"

void
llmlab__cost_sum_init(llmlab__cost_sum_t *sum,
                      const llmlab__cost_query_t *query,
                      llmlab__cost_result_t *result)
{
    memset(sum, 0, sizeof(*sum));
    memset(result, 0, sizeof(*result));
    sum->query = query;
    sum->result = result;
}

void
llmlab__cost_sum_cleanup(llmlab__cost_sum_t *sum)
{
    llmlab__free(sum->bounds);
    llmlab__free(sum->groups);
    llmlab__free(sum->group_slots);
    llmlab__free(sum->row_slots);
    llmlab__free(sum->row_groups);
    llmlab__free(sum->row_buckets);
}

void
llmlab__cost_result_cleanup(llmlab__cost_result_t *result)
{
    for (size_t i = 0; i < result->count; i++) {
        if (result->rows[i].latency != NULL) {
            llmlab__latency_cleanup(result->rows[i].latency);
            llmlab__free(result->rows[i].latency);
        }
    }
    for (size_t i = 0; i < result->session_count; i++) {
        llmlab__free(result->sessions[i]);
    }
    llmlab__free(result->sessions);
    llmlab__free(result->rows);
    llmlab__latency_cleanup(&result->latency);
    memset(result, 0, sizeof(*result));
}

static bool
no_memory(llmlab__cost_sum_t *sum)
{
    sum->status = llmlab__fail(LLMLAB_ENOMEM, "no memory for costs");
    return false;
}

static uint64_t
group_hash(const int64_t by[LLMLAB__DIMENSIONS])
{
    return llmlab__hash_bytes(llmlab__hash_seed, by,
                              LLMLAB__DIMENSIONS * sizeof(*by));
}

static uint64_t
row_hash(size_t bucket, uint32_t group)
{
    return llmlab__hash_mix((uint64_t)bucket << 32 | group);
}

static bool
array_grow(void **array, size_t capacity, size_t size)
{
    void *grown = llmlab__realloc(*array, capacity * size);

    *array = grown == NULL ? *array : grown;
    return grown != NULL;
}

static bool
groups_grow(llmlab__cost_sum_t *sum)
{
    size_t capacity = sum->group_capacity == 0 ? 64 : sum->group_capacity * 2;
    void *groups = sum->groups;

    if (!array_grow(&groups, capacity, sizeof(*sum->groups))) {
        return no_memory(sum);
    }
    sum->groups = groups;
    sum->group_capacity = capacity;
    llmlab__free(sum->group_slots);
    sum->group_slot_count = capacity * 2;
    sum->group_slots = llmlab__calloc(capacity * 2, sizeof(uint32_t));
    if (sum->group_slots == NULL) {
        return no_memory(sum);
    }
    for (size_t i = 0; i < sum->group_count; i++) {
        size_t at = group_hash(sum->groups[i].by) & (capacity * 2 - 1);

        while (sum->group_slots[at] != 0) {
            at = (at + 1) & (capacity * 2 - 1);
        }
        sum->group_slots[at] = (uint32_t)i + 1;
    }
    return true;
}

bool
llmlab__cost_group(llmlab__cost_sum_t *sum,
                   const int64_t by[LLMLAB__DIMENSIONS], uint32_t *out)
{
    llmlab__cost_group_t *group;
    size_t at;

    if (sum->group_count == sum->group_capacity && !groups_grow(sum)) {
        return false;
    }
    at = group_hash(by) & (sum->group_slot_count - 1);
    while (sum->group_slots[at] != 0) {
        *out = sum->group_slots[at] - 1;
        if (memcmp(sum->groups[*out].by, by, sizeof(group->by)) == 0) {
            return true;
        }
        at = (at + 1) & (sum->group_slot_count - 1);
    }
    group = &sum->groups[sum->group_count];
    memset(group, 0, sizeof(*group));
    memcpy(group->by, by, sizeof(group->by));
    *out = (uint32_t)sum->group_count++;
    sum->group_slots[at] = *out + 1;
    return true;
}

static bool
rows_grow(llmlab__cost_sum_t *sum)
{
    size_t capacity = sum->row_capacity == 0 ? 64 : sum->row_capacity * 2;
    llmlab__cost_result_t *result = sum->result;
    void *rows = result->rows;
    void *row_groups = sum->row_groups;
    void *row_buckets = sum->row_buckets;
    bool good = array_grow(&rows, capacity, sizeof(*result->rows));

    good = array_grow(&row_groups, capacity, sizeof(uint32_t)) && good;
    good = array_grow(&row_buckets, capacity, sizeof(uint32_t)) && good;
    result->rows = rows;
    sum->row_groups = row_groups;
    sum->row_buckets = row_buckets;
    if (!good) {
        return no_memory(sum);
    }
    sum->row_capacity = capacity;
    llmlab__free(sum->row_slots);
    sum->row_slot_count = capacity * 2;
    sum->row_slots = llmlab__calloc(capacity * 2, sizeof(uint32_t));
    if (sum->row_slots == NULL) {
        return no_memory(sum);
    }
    for (size_t i = 0; i < result->count; i++) {
        size_t at = row_hash(sum->row_buckets[i], sum->row_groups[i]) &
                    (capacity * 2 - 1);

        while (sum->row_slots[at] != 0) {
            at = (at + 1) & (capacity * 2 - 1);
        }
        sum->row_slots[at] = (uint32_t)i + 1;
    }
    return true;
}

static llmlab__cost_row_t *
row_get(llmlab__cost_sum_t *sum, size_t bucket, uint32_t group)
{
    llmlab__cost_result_t *result = sum->result;
    llmlab__cost_group_t *of = &sum->groups[group];
    llmlab__cost_row_t *row;
    size_t at;

    if (of->row != 0 && of->bucket == bucket) {
        return &result->rows[of->row - 1];
    }
    of->bucket = bucket;
    if (result->count == sum->row_capacity && !rows_grow(sum)) {
        return NULL;
    }
    at = row_hash(bucket, group) & (sum->row_slot_count - 1);
    while (sum->row_slots[at] != 0) {
        of->row = sum->row_slots[at];
        if (sum->row_buckets[of->row - 1] == bucket &&
            sum->row_groups[of->row - 1] == group) {
            return &result->rows[of->row - 1];
        }
        at = (at + 1) & (sum->row_slot_count - 1);
    }
    if (result->count == (sum->query->latency ? LLMLAB__COST_LATENCY_MAX
                                              : LLMLAB__COST_ROWS_MAX)) {
        sum->status = llmlab__fail(LLMLAB_ETOOBIG, "too many rows");
        return NULL;
    }
    row = &result->rows[result->count];
    memset(row, 0, sizeof(*row));
    row->start = sum->bounds[bucket];
    memcpy(row->by, of->by, sizeof(row->by));
    sum->row_groups[result->count] = group;
    sum->row_buckets[result->count] = (uint32_t)bucket;
    result->count++;
    of->row = (uint32_t)result->count;
    sum->row_slots[at] = of->row;
    return row;
}

static bool
latency_add(llmlab__cost_sum_t *sum, llmlab__cost_row_t *row,
            llmlab__text_t latency, int sign)
{
    if (row->latency == NULL) {
        row->latency = llmlab__calloc(1, sizeof(*row->latency));
        if (row->latency == NULL) {
            return no_memory(sum);
        }
    }
    if (!llmlab__latency_sum(row->latency, latency, sign) ||
        (!sum->apart &&
         !llmlab__latency_sum(&sum->result->latency, latency, sign))) {
        sum->status = llmlab__fail(LLMLAB_EIO, "a stored latency is damaged");
        return false;
    }
    return true;
}

bool
llmlab__cost_add(llmlab__cost_sum_t *sum, size_t bucket, uint32_t group,
                 const llmlab__sums_t *sums, llmlab__text_t latency, int sign)
{
    llmlab__cost_row_t *row = row_get(sum, bucket, group);

    if (row == NULL ||
        (latency.size > 0 && !latency_add(sum, row, latency, sign))) {
        return false;
    }
    if (sign < 0) {
        llmlab__sums_subtract(&row->sums, sums);
        if (!sum->apart) {
            llmlab__sums_subtract(&sum->result->total, sums);
        }
        return true;
    }
    if (!llmlab__sums_add(&row->sums, sums) ||
        (!sum->apart && !llmlab__sums_add(&sum->result->total, sums))) {
        sum->status = llmlab__fail(LLMLAB_EOVERFLOW, "a sum exceeds 64 bits");
        return false;
    }
    return true;
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

void
llmlab__cost_finish(llmlab__cost_result_t *result, bool steps_too)
{
    size_t kept = 0;

    for (size_t i = 0; i < result->count; i++) {
        llmlab__cost_row_t *row = &result->rows[i];

        /* Steps that are no calls cost nothing; they are in the total's
         * spans. */
        if (row->sums.of[steps_too ? LLMLAB__SUM_SPANS : LLMLAB__SUM_CALLS] >
            0) {
            result->rows[kept++] = *row;
        } else if (row->latency != NULL) {
            llmlab__latency_cleanup(row->latency);
            llmlab__free(row->latency);
        }
    }
    result->count = kept;
    if (kept > 1) {
        qsort(result->rows, kept, sizeof(*result->rows), compare);
    }
}
