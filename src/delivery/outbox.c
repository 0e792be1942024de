#include "delivery/outbox.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sabotage.h"
#include "delivery/segment_state.h"

void
llmlab__outbox_init(llmlab__outbox_t *outbox,
                    const llmlab__segment_owner_t *owner, size_t segment_bytes,
                    const llmlab__batch_limits_t *limits,
                    llmlab__ledger_t *ledger)
{
    memset(outbox, 0, sizeof(*outbox));
    llmlab__claim_init(&outbox->ring_claim);
    llmlab__claim_init(&outbox->claim);
    llmlab__segments_init(&outbox->segments, owner, segment_bytes);
    llmlab__batches_init(&outbox->batches, limits);
    outbox->instance = outbox->segments.owner.instance;
    outbox->ledger = ledger;
    outbox->next_number = 1;
    outbox->in_flight_until = 1;
    outbox->written_until = 1;
    outbox->spooled_until = 1;
    outbox->sealed_until = 1;
}

void
llmlab__outbox_cleanup(llmlab__outbox_t *outbox)
{
    llmlab__batches_cleanup(&outbox->batches);
    llmlab__segments_cleanup(&outbox->segments);
    llmlab__ring_set_destroy(outbox->rings);
    outbox->rings = NULL;
    /* After the rings: whoever may open their file now finds it done with. */
    llmlab__claim_release(&outbox->ring_claim);
    llmlab__claim_release(&outbox->claim);
}

static void
lock_name(const llmlab__outbox_t *outbox, char out[LLMLAB__SPOOL_NAME])
{
    snprintf(out, LLMLAB__SPOOL_NAME, "%s.lock", outbox->segments.base);
}

bool
llmlab__outbox_write(llmlab__outbox_t *outbox)
{
    llmlab__segments_t *segments = &outbox->segments;

    if (llmlab__segments_have_files(segments) &&
        !llmlab__claim_holds(&outbox->claim)) {
        char name[LLMLAB__SPOOL_NAME];

        lock_name(outbox, name);
        if (!llmlab__claim_create(&outbox->claim, segments->spool->fd, name)) {
            return false;
        }
    }
    if (!llmlab__segments_write(segments)) {
        return false;
    }
    outbox->written_until = outbox->next_number;
    return true;
}

/* What is neither on disk nor gone, up to a number, goes to a place of the
 * ledger. */
static void
move_rest(llmlab__outbox_t *outbox, uint64_t until, _Atomic uint64_t *place)
{
    llmlab__ledger_t *ledger = outbox->ledger;
    uint64_t from = outbox->spooled_until;
    uint64_t flying = 0;

    if (until <= from) {
        return;
    }
    if (outbox->in_flight_until > from) {
        flying = (outbox->in_flight_until < until ? outbox->in_flight_until
                                                  : until) -
                 from;
    }
    if (!llmlab__sabotaged("ledger_counts_twice")) {
        atomic_fetch_sub(&ledger->queued, until - from - flying);
    }
    atomic_fetch_sub(&ledger->in_flight, flying);
    atomic_fetch_add(place, until - from);
    outbox->spooled_until = until;
}

void
llmlab__outbox_count_written(llmlab__outbox_t *outbox)
{
    move_rest(outbox, outbox->written_until, &outbox->ledger->spooled);
}

void
llmlab__outbox_count_lost(llmlab__outbox_t *outbox, _Atomic uint64_t *sink)
{
    move_rest(outbox, outbox->next_number, sink);
}

bool
llmlab__outbox_is_safe(const llmlab__outbox_t *outbox)
{
    return outbox->written_until == outbox->next_number;
}

uint32_t
llmlab__outbox_on_disk(const llmlab__outbox_t *outbox,
                       const llmlab__batch_t *batch)
{
    uint64_t until = outbox->spooled_until;

    if (until <= batch->first) {
        return 0;
    }
    return until - batch->first < batch->count
               ? (uint32_t)(until - batch->first)
               : batch->count;
}

bool
llmlab__outbox_is_empty(const llmlab__outbox_t *outbox)
{
    return outbox->batches.count == 0 && outbox->batches.open.count == 0;
}

void
llmlab__outbox_delete(llmlab__outbox_t *outbox)
{
    llmlab__segments_t *segments = &outbox->segments;
    char name[LLMLAB__SPOOL_NAME];

    for (llmlab__segment_t *segment = segments->head; segment != NULL;
         segment = segment->next) {
        llmlab__segment_unlink(segments, segment);
    }
    if (llmlab__claim_holds(&outbox->claim)) {
        lock_name(outbox, name);
        unlinkat(segments->spool->fd, name, 0);
        llmlab__claim_release(&outbox->claim);
    }
}

void
llmlab__outbox_note_seal(llmlab__outbox_t *outbox, const llmlab__batch_t *batch)
{
    uint64_t end = batch->first + batch->count;

    if (!llmlab__segments_have_files(&outbox->segments) ||
        (end <= outbox->sealed_until && !outbox->was_split)) {
        return;
    }
    if (end > outbox->sealed_until) {
        outbox->sealed_until = end;
    }
    /* Without disk nobody will cut it again. */
    if (llmlab__segments_note(&outbox->segments, LLMLAB__FRAME_SEALED, end,
                              NULL, 0) &&
        llmlab__outbox_write(outbox)) {
        llmlab__outbox_count_written(outbox);
    }
}

/* The first record that it still has. */
static uint64_t
first_held(const llmlab__outbox_t *outbox)
{
    const llmlab__batches_t *batches = &outbox->batches;

    if (batches->count > 0) {
        return batches->sealed[batches->first].first;
    }
    return batches->open.count > 0 ? batches->open.first : outbox->next_number;
}

void
llmlab__outbox_note_gone(llmlab__outbox_t *outbox)
{
    uint64_t first = first_held(outbox);

    if (first > 1 && first > outbox->gone_until &&
        llmlab__segments_note(&outbox->segments, LLMLAB__FRAME_GONE, first,
                              NULL, 0)) {
        outbox->gone_until = first;
    }
}
