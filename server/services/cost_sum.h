/* Summing into rows, one for each bucket of time and group. */
#ifndef LLMLAB_SERVICES_COST_SUM_H
#define LLMLAB_SERVICES_COST_SUM_H

#include "services/cost_service.h"

/* A group is a combination of the dimensions asked for. */
typedef struct llmlab__cost_group_s {
    int64_t by[LLMLAB__DIMENSIONS];
    size_t bucket; /* of the row used last */
    uint32_t row;  /* + 1; 0: none yet */
} llmlab__cost_group_t;

typedef struct llmlab__cost_sum_s {
    const llmlab__cost_query_t *query;
    llmlab__cost_result_t *result;
    int64_t *bounds; /* of the buckets; one more than there are buckets */
    size_t buckets;
    llmlab_status_t status;
    bool apart; /* rows overlap: the total is summed elsewhere */

    llmlab__cost_group_t *groups;
    size_t group_count;
    size_t group_capacity;
    uint32_t *group_slots; /* index + 1, by hash */
    size_t group_slot_count;
    uint32_t *row_slots; /* the same of (bucket, group) */
    size_t row_slot_count;
    size_t row_capacity;
    uint32_t *row_groups; /* of each row: its group, and its bucket */
    uint32_t *row_buckets;
} llmlab__cost_sum_t;

void llmlab__cost_sum_init(llmlab__cost_sum_t *sum,
                           const llmlab__cost_query_t *query,
                           llmlab__cost_result_t *result);
/* The result's rows stay. */
void llmlab__cost_sum_cleanup(llmlab__cost_sum_t *sum);
/* Make the buckets. False: sum->status tells why. */
bool llmlab__cost_bounds(llmlab__cost_sum_t *sum);
/* The group's index; by has 0 where it is not grouped. False: no memory, told
 * in sum->status. */
bool llmlab__cost_group(llmlab__cost_sum_t *sum,
                        const int64_t by[LLMLAB__DIMENSIONS], uint32_t *out);
/* Add to a row, and to the total unless rows overlap; or take away. */
bool llmlab__cost_add(llmlab__cost_sum_t *sum, size_t bucket, uint32_t group,
                      const llmlab__sums_t *sums, llmlab__text_t latency,
                      int sign);
/* Drop what holds no calls, or nothing at all; sort. */
void llmlab__cost_finish(llmlab__cost_result_t *result, bool steps_too);

#endif
