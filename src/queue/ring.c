/* The producer's side of one ring.
 *
 * Why this is correct.
 *
 * (1) Records. The producer alone writes frames at positions >= tail, then
 * stores tail with release. The worker loads tail with acquire and reads only
 * below it: every byte of a published record happens before it is read. No
 * checksum or flag in the record is needed, and a process that is killed leaves
 * [head, tail) whole.
 *
 * (2) Reuse. The worker is done with everything below head when it stores head
 * with release. The producer loads head with acquire before it writes over
 * those bytes (`floor` caches what it knew last, which is only ever too low).
 * So the worker's reads happen before the producer's overwriting stores.
 *
 * (3) Positions are 64-bit byte counts: they do not wrap within centuries, so
 * there is no ABA; tail - head is the fill.
 *
 * (4) Sleep. The producer stores tail, fences (seq_cst), then looks at the
 * doorbell; the worker sets the doorbell to PARKED, fences (seq_cst), then
 * looks at the tails. One of the two fences comes first in the single order of
 * seq_cst fences: either the worker sees the new tail and does not sleep, or
 * the producer sees PARKED and wakes it. Without either fence both may miss
 * (store buffers), which tests/model/park.pml shows. The futex compares the
 * word again under the kernel's lock, so that a ring between the worker's look
 * and its sleep is not lost. While the worker is awake or ticking no producer
 * makes a system call, but when its ring is half full.
 *
 * (5) Segments. A ring that is full may go over to a second, larger run of
 * units and later back. `start` of a segment is stored before the tail that
 * publishes the first record in it; the worker looks it up only for positions
 * below the tail it acquired, so it sees every switch at or below them. It may
 * see a later switch early, which does not matter: that start is above every
 * position it asks for. The producer goes back to the first segment only when
 * head has passed the second's start, so that nothing unread lies in the first;
 * the worker gives the second's units back only when head has passed the new
 * start of the first, and tells so by `grown` (release, acquired in grow()).
 *
 * (6) Owners. A ring belongs to the thread that its owner word names. A thread
 * takes over the ring of an ended one by compare-and-swap of the whole word,
 * whose upper half counts the owners: of two that try, one wins, and a reused
 * thread id cannot make an old word valid again. The new owner continues at the
 * published tail; what the old one had claimed and not committed is forgotten.
 * The kernel's answer that the old thread is gone orders its stores before.
 *
 * Wait-free: claim and commit have no loop but the one over units in grow(),
 * which runs when a ring is full. */
#include "queue/ring.h"

#include "base/os.h"

#define RELAXED memory_order_relaxed

/* A burst goes into a second segment of so many units, or of an eighth of the
 * pool if that is less. */
#define GROWN_UNITS 16

void
llmlab__ring_resume(llmlab__ring_t *ring, uint32_t segment, uint64_t position)
{
    atomic_store_explicit(&ring->segment, segment, RELAXED);
    atomic_store_explicit(&ring->data, llmlab__ring_data(ring, segment),
                          RELAXED);
    atomic_store_explicit(&ring->mask, llmlab__ring_capacity(ring, segment) - 1,
                          RELAXED);
    atomic_store_explicit(&ring->next, position, RELAXED);
    atomic_store_explicit(&ring->floor, position, RELAXED);
}

static void
go_over(llmlab__ring_t *ring, uint32_t segment)
{
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);

    atomic_store_explicit(&ring->segments[segment].start, next, RELAXED);
    llmlab__ring_resume(ring, segment, next);
}

/* Half of the units stay for threads that have no ring yet. */
static bool
grow(llmlab__ring_t *ring)
{
    llmlab__ring_set_t *set = ring->set;
    uint32_t units = GROWN_UNITS;

    if (atomic_load_explicit(&ring->grown, memory_order_acquire) != 0) {
        return false;
    }
    while (units > set->units / 8) {
        units /= 2;
    }
    if (units < 2 || atomic_load_explicit(&set->free_units, RELAXED) <
                         set->units / 2 + units) {
        return false;
    }
    if (!llmlab__segment_take(set, &ring->segments[1], units)) {
        return false;
    }
    atomic_store_explicit(&ring->grown, 1, RELAXED);
    go_over(ring, 1);
    return true;
}

/* Learn how far the worker is. */
static uint64_t
refresh_floor(llmlab__ring_t *ring)
{
    uint32_t segment = atomic_load_explicit(&ring->segment, RELAXED);
    uint64_t start =
        atomic_load_explicit(&ring->segments[segment].start, RELAXED);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t floor = head > start ? head : start;

    atomic_store_explicit(&ring->floor, floor, RELAXED);
    return floor;
}

/* The burst is over when the worker has passed the first segment and little is
 * left in the second. */
static bool
shrink(llmlab__ring_t *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);

    if (head < atomic_load_explicit(&ring->segments[1].start, RELAXED) ||
        next - head > llmlab__ring_capacity(ring, 0) / 4) {
        return false;
    }
    go_over(ring, 0);
    return true;
}

static void *
place(llmlab__ring_t *ring, uint64_t position, uint32_t size)
{
    uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
    unsigned char *at =
        atomic_load_explicit(&ring->data, RELAXED) + (position & mask);
    llmlab__frame_t frame = {size, LLMLAB__FRAME_RECORD};

    *(llmlab__frame_t *)(void *)at = frame;
    return at + sizeof(frame);
}

/* The record does not fit before the segment's end, or there is no room as far
 * as the producer knows. */
static __attribute__((noinline)) void *
claim_slowly(llmlab__ring_t *ring, uint32_t size)
{
    uint64_t need = llmlab__frame_room(size);

    if (size > ring->set->max_record) {
        return NULL;
    }
    for (int attempt = 0; attempt < 2; attempt++) {
        uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
        uint64_t next = atomic_load_explicit(&ring->next, RELAXED);
        uint64_t to_end = mask + 1 - (next & mask);
        uint64_t pad = need > to_end ? to_end : 0;

        if (pad > 0 && attempt == 0 &&
            atomic_load_explicit(&ring->segment, RELAXED) == 1 &&
            shrink(ring)) {
            continue;
        }
        if (next + pad + need - refresh_floor(ring) <= mask + 1) {
            if (pad > 0) {
                llmlab__frame_t *frame = place(ring, next, 0);

                frame--;
                frame->size = (uint32_t)(pad - sizeof(*frame));
                frame->type = LLMLAB__FRAME_PAD;
                next += pad;
                atomic_store_explicit(&ring->next, next, RELAXED);
            }
            return place(ring, next, size);
        }
        if (attempt > 0 || atomic_load_explicit(&ring->segment, RELAXED) == 1 ||
            !grow(ring)) {
            break;
        }
    }
    llmlab__ring_set_wake(ring->set);
    return NULL;
}

void *
llmlab__ring_claim(llmlab__ring_t *ring, uint32_t size)
{
    uint64_t need = llmlab__frame_room(size);
    uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);
    uint64_t floor = atomic_load_explicit(&ring->floor, RELAXED);

    if (__builtin_expect(need > mask + 1 - (next & mask) ||
                             next + need - floor > mask + 1 ||
                             size > ring->set->max_record,
                         0)) {
        return claim_slowly(ring, size);
    }
    return place(ring, next, size);
}

static __attribute__((noinline)) void
ring_the_bell(llmlab__ring_set_t *set, uint32_t seen)
{
    if (atomic_compare_exchange_strong(&set->doorbell, &seen,
                                       LLMLAB__BELL_RUNG)) {
        llmlab__os_wake(&set->doorbell);
    }
}

void
llmlab__ring_commit(llmlab__ring_t *ring, uint32_t size)
{
    llmlab__ring_set_t *set = ring->set;
    uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);
    unsigned char *at =
        atomic_load_explicit(&ring->data, RELAXED) + (next & mask);
    uint64_t fill;
    uint32_t bell;

    ((llmlab__frame_t *)(void *)at)->size = size;
    next += llmlab__frame_room(size);
    atomic_store_explicit(&ring->next, next, RELAXED);
    atomic_store_explicit(&ring->records,
                          atomic_load_explicit(&ring->records, RELAXED) + 1,
                          RELAXED);
    atomic_store_explicit(&ring->tail, next, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);

    bell = atomic_load_explicit(&set->doorbell, RELAXED);
    fill = next - atomic_load_explicit(&ring->floor, RELAXED);
    if (__builtin_expect(bell == LLMLAB__BELL_PARKED, 0) ||
        (__builtin_expect(fill > mask / 2, 0) && bell == LLMLAB__BELL_TICKING &&
         next - refresh_floor(ring) > mask / 2)) {
        ring_the_bell(set, bell);
    }
}
