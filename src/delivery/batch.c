#include "delivery/batch.h"

#include <string.h>

#include "base/alloc.h"

#define FIRST_CAPACITY 16

void
llmlab__batches_init(llmlab__batches_t *batches,
                     const llmlab__batch_limits_t *limits)
{
    memset(batches, 0, sizeof(*batches));
    batches->limits = *limits;
}

void
llmlab__batches_cleanup(llmlab__batches_t *batches)
{
    llmlab__free(batches->sealed);
    memset(batches, 0, sizeof(*batches));
}

bool
llmlab__batches_reserve(llmlab__batches_t *batches)
{
    size_t capacity =
        batches->capacity == 0 ? FIRST_CAPACITY : 2 * batches->capacity;
    llmlab__batch_t *sealed;

    if (batches->count < batches->capacity) {
        return true;
    }
    sealed = llmlab__alloc(capacity * sizeof(*sealed));
    if (sealed == NULL) {
        return false;
    }
    for (size_t i = 0; i < batches->count; i++) {
        sealed[i] = batches->sealed[(batches->first + i) % batches->capacity];
    }
    llmlab__free(batches->sealed);
    batches->sealed = sealed;
    batches->first = 0;
    batches->capacity = capacity;
    return true;
}

void
llmlab__batches_seal(llmlab__batches_t *batches)
{
    if (batches->open.count == 0) {
        return;
    }
    batches->sealed[(batches->first + batches->count) % batches->capacity] =
        batches->open;
    batches->count++;
    memset(&batches->open, 0, sizeof(batches->open));
}

void
llmlab__batches_age(llmlab__batches_t *batches, int64_t now_ns)
{
    if (now_ns >= llmlab__batches_deadline(batches)) {
        llmlab__batches_seal(batches);
    }
}

int64_t
llmlab__batches_deadline(const llmlab__batches_t *batches)
{
    if (batches->open.count == 0) {
        return INT64_MAX;
    }
    return batches->open.oldest_ns + batches->limits.max_age_ns;
}

/* Remember that the span of this chunk is still to come, or that it came. */
static void
note_chunk(llmlab__batches_t *batches, const llmlab__record_t *record)
{
    bool is_chunk = record->type == LLMLAB__RECORD_CHUNK;

    for (unsigned i = 0; i < batches->awaited_count; i++) {
        if (batches->awaited[i] == record->span_id) {
            if (!is_chunk) {
                batches->awaited[i] =
                    batches->awaited[--batches->awaited_count];
            }
            return;
        }
    }
    if (is_chunk && batches->awaited_count < LLMLAB__BATCH_AWAITED) {
        batches->awaited[batches->awaited_count++] = record->span_id;
    }
}

/* A span's text and the span belong into one batch. A span that never comes
 * (its record did not fit) holds the cut up for one further batch at most. */
static bool
may_cut(llmlab__batches_t *batches)
{
    const llmlab__batch_t *open = &batches->open;

    if (batches->awaited_count > 0 &&
        open->count < 2 * batches->limits.max_calls &&
        open->bytes < 2 * batches->limits.max_bytes) {
        return false;
    }
    batches->awaited_count = 0;
    return true;
}

void
llmlab__batches_add(llmlab__batches_t *batches, const llmlab__record_t *record,
                    uint64_t number, const llmlab__segment_cursor_t *start,
                    const llmlab__segment_cursor_t *end, int64_t now_ns)
{
    llmlab__batch_t *open = &batches->open;

    if (open->count > 0 &&
        open->bytes + record->size > batches->limits.max_bytes &&
        may_cut(batches)) {
        llmlab__batches_seal(batches);
    }
    if (open->start.segment == NULL) {
        open->start = *start;
        open->oldest_ns = now_ns;
    }
    if (record->type == LLMLAB__RECORD_CHUNK || batches->awaited_count > 0) {
        note_chunk(batches, record);
    }
    open->bytes += record->size;
    open->end = *end;
    if (number == 0) {
        return;
    }
    if (open->count == 0) {
        open->first = number;
    }
    open->count++;
    if (open->count >= batches->limits.max_calls && may_cut(batches)) {
        llmlab__batches_seal(batches);
    }
}

llmlab__batch_t *
llmlab__batches_head(llmlab__batches_t *batches)
{
    return batches->count == 0 ? NULL : &batches->sealed[batches->first];
}

void
llmlab__batches_pop(llmlab__batches_t *batches)
{
    batches->first = (batches->first + 1) % batches->capacity;
    batches->count--;
}

bool
llmlab__batches_split(llmlab__batches_t *batches)
{
    llmlab__batch_t *whole;
    llmlab__batch_t *front;
    llmlab__segment_cursor_t cursor;
    uint32_t half;
    uint32_t seen = 0;
    size_t bytes = 0;

    if (!llmlab__batches_reserve(batches)) {
        return false;
    }
    whole = llmlab__batches_head(batches);
    half = whole->count / 2;
    cursor = whole->start;
    while (seen < half) {
        const llmlab__record_t *record;
        uint64_t number;
        bool sound;

        if (!llmlab__segments_read(&cursor, &record, &number, &sound)) {
            return false;
        }
        bytes += sound ? record->size : 0;
        seen += number != 0;
    }
    batches->first =
        (batches->first + batches->capacity - 1) % batches->capacity;
    batches->count++;
    front = llmlab__batches_head(batches);
    *front = *whole;
    front->count = half;
    front->bytes = bytes;
    front->end = cursor;
    whole->first += half;
    whole->count -= half;
    whole->bytes -= bytes < whole->bytes ? bytes : whole->bytes;
    whole->start = cursor;
    return true;
}
