/* Latency sketches: how many calls took how long, in buckets whose bounds are
 * the same everywhere, so that sketches of parts add up to that of the whole,
 * and may be taken away again. Integers only. A quantile is the middle of the
 * bucket in which it lies: off by at most 1/64 of itself. */
#ifndef LLMLAB_STORE_LATENCY_H
#define LLMLAB_STORE_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/rows.h"

/* 32 buckets an octave; below 64 ns each value has its own. */
#define LLMLAB__LATENCY_BUCKETS 1888

unsigned llmlab__latency_bucket(int64_t ns);
/* The middle of a bucket, in nanoseconds. */
int64_t llmlab__latency_value(unsigned bucket);

/* A few changes to a stored sketch, in the order of the buckets. */
typedef struct llmlab__latency_change_s {
    uint32_t bucket;
    int32_t count;
} llmlab__latency_change_t;

typedef struct llmlab__latency_delta_s {
    llmlab__latency_change_t *of;
    uint32_t count;
    uint32_t capacity;
} llmlab__latency_delta_t;

/* False: out of memory, or too many in one bucket. */
bool llmlab__latency_delta_add(llmlab__latency_delta_t *delta, unsigned bucket,
                               int32_t count);
/* Put a packed sketch with the changes applied into *out. False: out of
 * memory, or the sketch is damaged. */
bool llmlab__latency_apply(llmlab__text_t packed,
                           const llmlab__latency_delta_t *delta,
                           llmlab__buf_t *out);

/* A sketch to sum into: octaves come as they are needed. All zero: empty. */
typedef struct llmlab__latency_s {
    int64_t *octaves[LLMLAB__LATENCY_BUCKETS / 32];
    int64_t total;
} llmlab__latency_t;

void llmlab__latency_cleanup(llmlab__latency_t *latency);
/* Add a packed sketch; sign -1 takes it away again. */
bool llmlab__latency_sum(llmlab__latency_t *latency, llmlab__text_t packed,
                         int sign);
/* One call more. */
bool llmlab__latency_count(llmlab__latency_t *latency, int64_t ns);
/* The smallest value that at least `percent` of the calls do not exceed; -1
 * when there are none. */
int64_t llmlab__latency_quantile(const llmlab__latency_t *latency,
                                 unsigned percent);

#endif
