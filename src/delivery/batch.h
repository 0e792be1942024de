/* Batches: runs of records, cut by number of calls, bytes and age. The open
 * batch grows at the end; sealed ones wait in order. One thread. */
#ifndef LLMLAB_DELIVERY_BATCH_H
#define LLMLAB_DELIVERY_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delivery/segment.h"

typedef struct llmlab__batch_s {
    uint64_t first; /* the number of its first record */
    uint32_t count; /* of numbered records: chunks have no number */
    size_t bytes;
    int64_t oldest_ns; /* monotonic, when its first record arrived */
    llmlab__segment_cursor_t start;
    llmlab__segment_cursor_t end; /* behind its last record */
} llmlab__batch_t;

typedef struct llmlab__batch_limits_s {
    uint32_t max_calls;
    size_t max_bytes;
    int64_t max_age_ns;
} llmlab__batch_limits_t;

/* Spans whose chunks have come and that have not: their number is bounded by
 * the number of threads that end a span with text at this moment. */
enum { LLMLAB__BATCH_AWAITED = 16 };

typedef struct llmlab__batches_s {
    llmlab__batch_limits_t limits;
    llmlab__batch_t open; /* count == 0: none */
    llmlab__batch_t *sealed;
    size_t first; /* of the sealed ones */
    size_t count;
    size_t capacity;
    uint64_t awaited[LLMLAB__BATCH_AWAITED]; /* span ids */
    unsigned awaited_count;
} llmlab__batches_t;

void llmlab__batches_init(llmlab__batches_t *batches,
                          const llmlab__batch_limits_t *limits);
void llmlab__batches_cleanup(llmlab__batches_t *batches);

/* Room for one more sealed batch: must have succeeded before an add. */
bool llmlab__batches_reserve(llmlab__batches_t *batches);

/* A record was appended at start, and the next goes to end. Seals what is
 * full. number is 0 for a chunk. */
void llmlab__batches_add(llmlab__batches_t *batches,
                         const llmlab__record_t *record, uint64_t number,
                         const llmlab__segment_cursor_t *start,
                         const llmlab__segment_cursor_t *end, int64_t now_ns);

/* Seal the open batch, if there is one. */
void llmlab__batches_seal(llmlab__batches_t *batches);
/* Seal it if it is too old. */
void llmlab__batches_age(llmlab__batches_t *batches, int64_t now_ns);
/* When the open batch gets too old; INT64_MAX without one. */
int64_t llmlab__batches_deadline(const llmlab__batches_t *batches);

/* The oldest sealed batch; NULL when there is none. */
llmlab__batch_t *llmlab__batches_head(llmlab__batches_t *batches);
void llmlab__batches_pop(llmlab__batches_t *batches);
/* Halve the oldest sealed batch, which has at least two records. False when
 * out of memory. */
bool llmlab__batches_split(llmlab__batches_t *batches);

#endif
