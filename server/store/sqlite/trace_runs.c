#include "store/sqlite/trace_runs.h"

#include <string.h>

#include "base/alloc.h"
#include "store/pack.h"

void
llmlab__runs_cleanup(llmlab__runs_t *runs)
{
    llmlab__free(runs->of);
    memset(runs, 0, sizeof(*runs));
}

static bool
insert(llmlab__runs_t *runs, uint32_t at, int64_t first, int64_t last)
{
    if (runs->count == runs->capacity) {
        uint32_t capacity = runs->capacity == 0 ? 8 : runs->capacity * 2;
        void *grown = llmlab__realloc(runs->of, capacity * sizeof(*runs->of));

        if (grown == NULL) {
            return false;
        }
        runs->of = grown;
        runs->capacity = capacity;
    }
    memmove(runs->of + at + 1, runs->of + at,
            (runs->count - at) * sizeof(*runs->of));
    runs->of[at].first = first;
    runs->of[at].last = last;
    runs->count++;
    return true;
}

/* Make one of the two runs that are nearest to each other. */
static void
merge_nearest(llmlab__runs_t *runs)
{
    uint32_t best = 0;
    int64_t least = INT64_MAX;

    for (uint32_t i = 0; i + 1 < runs->count; i++) {
        int64_t gap = runs->of[i + 1].first - runs->of[i].last;

        if (gap < least) {
            least = gap;
            best = i;
        }
    }
    runs->of[best].last = runs->of[best + 1].last;
    memmove(runs->of + best + 1, runs->of + best + 2,
            (runs->count - best - 2) * sizeof(*runs->of));
    runs->count--;
}

bool
llmlab__runs_add(llmlab__runs_t *runs, int64_t start_ns)
{
    uint32_t low = 0;
    uint32_t high = runs->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (runs->of[middle].last < start_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < runs->count && runs->of[low].first <= start_ns) {
        return true;
    }
    if (!insert(runs, low, start_ns, start_ns)) {
        return false;
    }
    if (runs->count > LLMLAB__RUNS_MAX) {
        merge_nearest(runs);
    }
    return true;
}

void
llmlab__runs_pack(const llmlab__runs_t *runs, llmlab__buf_t *out)
{
    int64_t before = 0;

    for (uint32_t i = 0; i < runs->count; i++) {
        const llmlab__run_t *run = &runs->of[i];
        unsigned char bytes[20];
        size_t size =
            llmlab__varint_put(bytes, (uint64_t)(run->first - before));

        size += llmlab__varint_put(bytes + size,
                                   (uint64_t)(run->last - run->first));
        llmlab__buf_append(out, bytes, size);
        before = run->last;
    }
}

bool
llmlab__runs_unpack(llmlab__text_t packed, llmlab__runs_t *out)
{
    const unsigned char *at = (const unsigned char *)packed.data;
    const unsigned char *end = packed.size == 0 ? at : at + packed.size;
    int64_t before = 0;

    out->count = 0;
    while (at < end) {
        uint64_t gap;
        uint64_t length = 0;
        size_t size = llmlab__varint_get(at, end, &gap);

        at += size;
        if (size > 0) {
            size = llmlab__varint_get(at, end, &length);
            at += size;
        }
        if (size == 0 || gap > INT64_MAX || length > INT64_MAX ||
            __builtin_add_overflow(before, (int64_t)gap, &before) ||
            !insert(out, out->count, before, before) ||
            __builtin_add_overflow(before, (int64_t)length, &before)) {
            return false;
        }
        out->of[out->count - 1].last = before;
    }
    return true;
}
