/* Calls that were not sampled, folded into sums: one row for all that agree in
 * everything a row states once. Rows live for one batch. */
#ifndef LLMLAB_DELIVERY_UNSAMPLED_H
#define LLMLAB_DELIVERY_UNSAMPLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "delivery/span_view.h"
#include "delivery/wire_write.h"

typedef struct llmlab__unsampled_row_s {
    const llmlab__record_t *record; /* the first one: states the key */
    size_t key_at;                  /* in keys */
    size_t key_size;
    uint32_t first_run; /* of numbers, in runs; the last one is last_run */
    uint32_t last_run;
    uint64_t calls;
    int64_t latency_ns;
    llmlab_usage_t usage;
    llmlab_money_t cost;
    llmlab_money_t provider_cost;
} llmlab__unsampled_row_t;

/* Record numbers in a row: first .. last, and the row's next run. */
typedef struct llmlab__unsampled_run_s {
    uint64_t first;
    uint64_t last;
    uint32_t next;
} llmlab__unsampled_run_t;

typedef struct llmlab__unsampled_s {
    llmlab__buf_t keys;  /* the rows' keys, one after the other */
    llmlab__buf_t rows;  /* of llmlab__unsampled_row_t */
    llmlab__buf_t runs;  /* of llmlab__unsampled_run_t */
    llmlab__buf_t slots; /* of uint32_t: row + 1, by hash; a power of two */
    size_t row_count;
    size_t run_count;
} llmlab__unsampled_t;

void llmlab__unsampled_init(llmlab__unsampled_t *rows);
void llmlab__unsampled_cleanup(llmlab__unsampled_t *rows);
void llmlab__unsampled_clear(llmlab__unsampled_t *rows);
size_t llmlab__unsampled_memory(const llmlab__unsampled_t *rows);

/* Fold a call in. The record must stay until the rows are written. A sum that
 * would overflow stays at the greatest number. False when out of memory. */
bool llmlab__unsampled_add(llmlab__unsampled_t *rows,
                           const llmlab__span_view_t *view);

/* "unsampled":[...] */
void llmlab__unsampled_write(const llmlab__unsampled_t *rows,
                             llmlab__wire_t *wire);

#endif
