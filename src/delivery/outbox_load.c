/* Batches from the segments that a process left. */
#include <stdlib.h>
#include <string.h>

#include "delivery/outbox.h"
#include "delivery/segment_state.h"

typedef struct boundaries_s {
    const uint64_t *at;
    size_t left;
} boundaries_t;

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Did a batch end before this number? */
static bool
is_boundary(boundaries_t *boundaries, uint64_t number)
{
    while (boundaries->left > 0 && *boundaries->at < number) {
        boundaries->at++;
        boundaries->left--;
    }
    return boundaries->left > 0 && *boundaries->at == number;
}

/* What was sealed may have been sent, so it is cut where it was cut before. */
static const llmlab__batch_limits_t unlimited = {UINT32_MAX / 2, SIZE_MAX / 4,
                                                 INT64_MAX};

typedef struct maker_s {
    llmlab__outbox_t *outbox;
    boundaries_t boundaries;
    uint64_t gone_until;
    uint64_t last_number; /* read so far */
    uint64_t records;
} maker_t;

/* False when out of memory. */
static bool
add_segment(maker_t *maker, llmlab__segment_t *segment,
            const llmlab__batch_limits_t *limits)
{
    llmlab__outbox_t *outbox = maker->outbox;
    llmlab__batches_t *batches = &outbox->batches;
    llmlab__segment_cursor_t cursor = {segment,
                                       sizeof(llmlab__segment_header_t)};
    llmlab__segment_cursor_t start = cursor;
    const llmlab__record_t *record;
    uint64_t number;
    bool sound;

    while (cursor.offset < segment->records_end &&
           llmlab__segments_read(&cursor, &record, &number, &sound)) {
        if (!sound) {
            continue;
        }
        maker->last_number = number != 0 ? number : maker->last_number;
        /* A chunk's number is that of the record to come. */
        if (maker->last_number + (number == 0) < maker->gone_until) {
            start = cursor;
            continue;
        }
        if (number != 0 && batches->open.count > 0 &&
            number != batches->open.first + batches->open.count) {
            llmlab__batches_seal(batches);
        }
        if (!llmlab__batches_reserve(batches)) {
            return false;
        }
        batches->limits =
            number + 1 <= outbox->sealed_until ? unlimited : *limits;
        llmlab__batches_add(batches, record, number, &start, &cursor, 0);
        if (number != 0) {
            maker->records++;
            if (is_boundary(&maker->boundaries, number + 1)) {
                llmlab__batches_seal(batches);
            }
        }
        start = cursor;
    }
    return true;
}

static bool
make_batches(maker_t *maker)
{
    llmlab__segments_t *segments = &maker->outbox->segments;
    llmlab__batch_limits_t limits = maker->outbox->batches.limits;
    bool ok = true;

    for (llmlab__segment_t *segment = segments->head; ok && segment != NULL;
         segment = segment->next) {
        llmlab__segment_cursor_t whole = {segment, 0};

        ok = llmlab__segments_fetch(segments, &whole, &whole) &&
             add_segment(maker, segment, &limits);
        llmlab__segment_let_go(segments, segment);
    }
    llmlab__segments_keep_none(segments);
    maker->outbox->batches.limits = limits;
    return ok;
}

/* The rings go on where the segments end. */
static void
align_rings(llmlab__outbox_t *outbox, const llmlab__segment_load_t *load)
{
    size_t size = sizeof(llmlab__ring_position_t);
    uint64_t mark = llmlab__ring_set_mark(outbox->rings);

    for (size_t at = 0; at + size <= load->consumed.size; at += size) {
        llmlab__ring_position_t position;

        memcpy(&position, load->consumed.data + at, size);
        llmlab__ring_set_skip(outbox->rings, position.ring, position.position);
    }
    if (mark >= outbox->next_number) {
        outbox->next_number = mark + 1;
    }
    llmlab__ring_set_set_mark(outbox->rings, outbox->next_number - 1);
    llmlab__ring_set_write_back(outbox->rings);
    outbox->offset_ns = llmlab__ring_set_clock(outbox->rings);
}

bool
llmlab__outbox_load(llmlab__outbox_t *outbox, uint64_t *torn)
{
    llmlab__segment_load_t load;
    maker_t maker = {.outbox = outbox};
    size_t count;
    bool ok;

    if (!llmlab__segments_load(&outbox->segments, outbox->rings != NULL,
                               &load)) {
        return false;
    }
    count = load.sealed.size / sizeof(uint64_t);
    maker.boundaries =
        (boundaries_t){(const uint64_t *)(const void *)load.sealed.data, count};
    if (count > 0) {
        qsort(load.sealed.data, count, sizeof(uint64_t), compare);
        outbox->sealed_until = maker.boundaries.at[count - 1];
    }
    outbox->next_number = load.last_number + 1;
    outbox->gone_until = load.gone_until;
    maker.gone_until = load.gone_until;
    ok = make_batches(&maker);
    if (ok && outbox->rings != NULL) {
        align_rings(outbox, &load);
    }
    if (ok) {
        atomic_fetch_add(&outbox->ledger->spooled, maker.records);
    } else {
        llmlab__segments_forget(&outbox->segments);
    }
    outbox->written_until = outbox->next_number;
    outbox->spooled_until = outbox->next_number;
    *torn = load.torn;
    llmlab__buf_cleanup(&load.sealed);
    llmlab__buf_cleanup(&load.consumed);
    return ok;
}
