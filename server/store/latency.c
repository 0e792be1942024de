#include "store/latency.h"

#include <string.h>

#include "base/alloc.h"
#include "base/u128.h"
#include "store/pack.h"

#define OCTAVE 32

unsigned
llmlab__latency_bucket(int64_t ns)
{
    uint64_t value = ns < 0 ? 0 : (uint64_t)ns;
    unsigned shift;

    if (value < OCTAVE) {
        return (unsigned)value;
    }
    shift = 58 - (unsigned)__builtin_clzll(value);
    return OCTAVE * shift + (unsigned)(value >> shift);
}

int64_t
llmlab__latency_value(unsigned bucket)
{
    unsigned shift;

    if (bucket < 2 * OCTAVE) {
        return (int64_t)bucket;
    }
    shift = bucket / OCTAVE - 1;
    return (int64_t)(((uint64_t)(bucket - OCTAVE * shift) << shift) +
                     (UINT64_C(1) << shift) / 2);
}

bool
llmlab__latency_delta_add(llmlab__latency_delta_t *delta, unsigned bucket,
                          int32_t count)
{
    uint32_t low = 0;
    uint32_t high = delta->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (delta->of[middle].bucket < bucket) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < delta->count && delta->of[low].bucket == bucket) {
        return !__builtin_add_overflow(delta->of[low].count, count,
                                       &delta->of[low].count);
    }
    if (delta->count == delta->capacity) {
        uint32_t capacity = delta->capacity == 0 ? 4 : delta->capacity * 2;
        void *grown = llmlab__realloc(delta->of, capacity * sizeof(*delta->of));

        if (grown == NULL) {
            return false;
        }
        delta->of = grown;
        delta->capacity = capacity;
    }
    memmove(delta->of + low + 1, delta->of + low,
            (delta->count - low) * sizeof(*delta->of));
    delta->of[low].bucket = bucket;
    delta->of[low].count = count;
    delta->count++;
    return true;
}

/* A packed sketch is a run of pairs: how many buckets further, how many. */
typedef struct pairs_s {
    const unsigned char *at;
    const unsigned char *end;
    uint64_t bucket;
    uint64_t count;
    bool damaged;
} pairs_t;

static bool
pairs_next(pairs_t *pairs)
{
    uint64_t gap;
    size_t size;

    if (pairs->at == pairs->end) {
        return false;
    }
    size = llmlab__varint_get(pairs->at, pairs->end, &gap);
    pairs->at += size;
    if (size > 0) {
        size = llmlab__varint_get(pairs->at, pairs->end, &pairs->count);
        pairs->at += size;
    }
    pairs->bucket += gap;
    pairs->damaged = size == 0 || gap >= LLMLAB__LATENCY_BUCKETS ||
                     pairs->bucket >= LLMLAB__LATENCY_BUCKETS ||
                     pairs->count > INT64_MAX;
    return !pairs->damaged;
}

static void
pairs_begin(pairs_t *pairs, llmlab__text_t packed)
{
    memset(pairs, 0, sizeof(*pairs));
    pairs->at = packed.size == 0 ? (const unsigned char *)""
                                 : (const unsigned char *)packed.data;
    pairs->end = pairs->at + packed.size;
}

/* Into memory that was reserved. */
static void
pair_put(llmlab__buf_t *out, uint64_t *last, uint64_t bucket, int64_t count)
{
    if (count == 0) {
        return;
    }
    out->size += llmlab__varint_put(out->data + out->size, bucket - *last);
    out->size += llmlab__varint_put(out->data + out->size, (uint64_t)count);
    *last = bucket;
}

bool
llmlab__latency_apply(llmlab__text_t packed,
                      const llmlab__latency_delta_t *delta, llmlab__buf_t *out)
{
    pairs_t pairs;
    uint64_t last = 0;
    uint32_t next = 0;
    bool more;
    bool good = true;

    /* A bucket that goes leaves its bytes to the gap after it; a count that
     * grows takes a byte more. */
    if (llmlab__buf_reserve(out, packed.size + 24 * (size_t)delta->count + 1) ==
        NULL) {
        return false;
    }
    pairs_begin(&pairs, packed);
    more = pairs_next(&pairs);
    while ((more || next < delta->count) && good && !pairs.damaged) {
        bool stored = more && (next == delta->count ||
                               pairs.bucket <= delta->of[next].bucket);
        bool changed = next < delta->count &&
                       (!more || delta->of[next].bucket <= pairs.bucket);
        uint64_t bucket = stored ? pairs.bucket : delta->of[next].bucket;
        int64_t count = stored ? (int64_t)pairs.count : 0;

        if (changed) {
            good =
                !__builtin_add_overflow(count, delta->of[next].count, &count) &&
                count >= 0;
            next++;
        }
        pair_put(out, &last, bucket, count);
        if (stored) {
            more = pairs_next(&pairs);
        }
    }
    return good && !pairs.damaged;
}

void
llmlab__latency_cleanup(llmlab__latency_t *latency)
{
    for (size_t i = 0; i < LLMLAB__LATENCY_BUCKETS / OCTAVE; i++) {
        llmlab__free(latency->octaves[i]);
    }
    memset(latency, 0, sizeof(*latency));
}

static bool
bucket_add(llmlab__latency_t *latency, uint64_t bucket, int64_t count)
{
    int64_t **octave = &latency->octaves[bucket / OCTAVE];

    if (*octave == NULL) {
        *octave = llmlab__calloc(OCTAVE, sizeof(**octave));
        if (*octave == NULL) {
            return false;
        }
    }
    (*octave)[bucket % OCTAVE] += count;
    latency->total += count;
    return true;
}

bool
llmlab__latency_sum(llmlab__latency_t *latency, llmlab__text_t packed, int sign)
{
    pairs_t pairs;

    pairs_begin(&pairs, packed);
    while (pairs_next(&pairs)) {
        if (!bucket_add(latency, pairs.bucket, sign * (int64_t)pairs.count)) {
            return false;
        }
    }
    return !pairs.damaged;
}

bool
llmlab__latency_count(llmlab__latency_t *latency, int64_t ns)
{
    return bucket_add(latency, llmlab__latency_bucket(ns), 1);
}

int64_t
llmlab__latency_quantile(const llmlab__latency_t *latency, unsigned percent)
{
    llmlab__u128_t rank;
    int64_t seen = 0;

    if (latency->total <= 0) {
        return -1;
    }
    rank = ((llmlab__u128_t)latency->total * percent + 99) / 100;
    for (unsigned i = 0; i < LLMLAB__LATENCY_BUCKETS; i++) {
        const int64_t *octave = latency->octaves[i / OCTAVE];

        if (octave == NULL) {
            i += OCTAVE - 1;
            continue;
        }
        seen += octave[i % OCTAVE];
        if (seen > 0 && (llmlab__u128_t)seen >= rank) {
            return llmlab__latency_value(i);
        }
    }
    return -1;
}
