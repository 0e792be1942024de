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
 * (4) Sleep. The producer stores tail, then loads the doorbell; the worker sets
 * the doorbell to PARKED, then loads the tails. Each of the two must see the
 * other's store, or the worker sleeps on a record; processors keep stores back
 * (store buffers), so each side needs a full barrier between its store and its
 * load. The producer, who passes here with every record, has only a compiler
 * barrier: when the worker parks, which is when nothing has come for a while,
 * it issues a barrier on behalf of all threads (membarrier). A producer that
 * loaded the doorbell before that barrier has its tail visible after it, and
 * the worker sees it; one that loads it later sees PARKED. Without such a
 * barrier the worker never sleeps long. tests/model/park.pml proves it, and
 * loses the wake-up when the barrier goes. The futex compares the word again
 * under the kernel's lock, so that a ring of the bell between the worker's look
 * and its sleep is not lost. While the worker is awake or ticking no producer
 * makes a system call, but when its ring is half full.
 *
 * (5) Segments. A ring that is full may go over to a second, larger run of
 * units. `start` of a segment is stored before the tail that publishes the
 * first record in it; the worker looks it up only for positions below the tail
 * it acquired, so it sees every switch at or below them. It may see a later
 * switch early, which does not matter: that start is above every position it
 * asks for. The producer goes back to the first segment only when the ring is
 * empty (head, acquired, is its own next position): the worker then reads
 * nothing until a tail beyond is published, so that the producer may rewrite
 * both starts and give the second's units to others at once.
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

#include <string.h>

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

/* The burst is over when the worker has read all of it. */
static void
shrink_if_empty(llmlab__ring_t *ring)
{
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);

    if (atomic_load_explicit(&ring->segment, RELAXED) == 1 &&
        refresh_floor(ring) == next &&
        next > atomic_load_explicit(&ring->segments[1].start, RELAXED)) {
        atomic_store_explicit(&ring->segments[1].start, LLMLAB__NOWHERE,
                              RELAXED);
        go_over(ring, 0);
        llmlab__segment_give(ring->set, &ring->segments[1]);
    }
}

/* Returns where what it frames goes. */
static inline void *
put_frame(llmlab__ring_t *ring, uint64_t position, uint32_t size, uint32_t type)
{
    uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
    unsigned char *at =
        atomic_load_explicit(&ring->data, RELAXED) + (position & mask);
    llmlab__frame_t frame = {size, type};

    memcpy(at, &frame, sizeof(frame));
    return at + sizeof(frame);
}

/* Place the record behind a pad if it does not fit before the end; NULL when
 * there is no room. */
static void *
place_if_room(llmlab__ring_t *ring, uint32_t size)
{
    uint64_t need = llmlab__frame_room(size);
    uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);
    uint64_t to_end = mask + 1 - (next & mask);
    uint64_t pad = need > to_end ? to_end : 0;

    if (next + pad + need - refresh_floor(ring) > mask + 1) {
        return NULL;
    }
    if (pad > 0) {
        put_frame(ring, next, (uint32_t)(pad - sizeof(llmlab__frame_t)),
                  LLMLAB__FRAME_PAD);
        next += pad;
        atomic_store_explicit(&ring->next, next, RELAXED);
    }
    return put_frame(ring, next, size, LLMLAB__FRAME_RECORD);
}

/* What the fast way does not do: wrap, look where the worker is, grow. */
static __attribute__((noinline)) void *
claim_slowly(llmlab__ring_t *ring, uint32_t size)
{
    void *place;

    if (size > ring->set->max_record) {
        return NULL;
    }
    shrink_if_empty(ring);
    place = place_if_room(ring, size);
    if (place == NULL) {
        if (atomic_load_explicit(&ring->segment, RELAXED) == 0 && grow(ring)) {
            place = place_if_room(ring, size);
        }
        /* To drain, and to put a new segment's pages in place. */
        llmlab__ring_set_wake(ring->set);
    }
    return place;
}

void *
llmlab__ring_claim(llmlab__ring_t *ring, uint32_t size)
{
    uint64_t need = llmlab__frame_room(size);
    uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);
    uint64_t floor = atomic_load_explicit(&ring->floor, RELAXED);

    if (__builtin_expect(
            need > mask + 1 - (next & mask) || next + need - floor > mask + 1 ||
                atomic_load_explicit(&ring->segment, RELAXED) != 0 ||
                size > ring->set->max_record,
            0)) {
        return claim_slowly(ring, size);
    }
    return put_frame(ring, next, size, LLMLAB__FRAME_RECORD);
}

static __attribute__((noinline)) void
ring_the_bell(llmlab__ring_set_t *set, uint32_t seen)
{
    if (atomic_compare_exchange_strong(&set->doorbell, &seen,
                                       LLMLAB__BELL_RUNG)) {
        llmlab__os_wake(&set->doorbell);
    }
}

static inline void
publish(llmlab__ring_t *ring, uint32_t size, uint32_t type)
{
    llmlab__ring_set_t *set = ring->set;
    uint64_t mask = atomic_load_explicit(&ring->mask, RELAXED);
    uint64_t next = atomic_load_explicit(&ring->next, RELAXED);
    uint64_t fill;
    uint32_t bell;

    put_frame(ring, next, size, type);
    next += llmlab__frame_room(size);
    atomic_store_explicit(&ring->next, next, RELAXED);
    atomic_store_explicit(&ring->tail, next, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst); /* see (4) */
    bell = atomic_load_explicit(&set->doorbell, RELAXED);
    fill = next - atomic_load_explicit(&ring->floor, RELAXED);
    if (__builtin_expect(bell == LLMLAB__BELL_PARKED, 0) ||
        (__builtin_expect(fill > mask / 2, 0) && bell == LLMLAB__BELL_TICKING &&
         next - refresh_floor(ring) > mask / 2)) {
        ring_the_bell(set, bell);
    }
}

void
llmlab__ring_commit(llmlab__ring_t *ring, uint32_t size)
{
    atomic_store_explicit(&ring->records,
                          atomic_load_explicit(&ring->records, RELAXED) + 1,
                          RELAXED);
    publish(ring, size, LLMLAB__FRAME_RECORD);
}

void
llmlab__ring_commit_part(llmlab__ring_t *ring, uint32_t size)
{
    publish(ring, size, LLMLAB__FRAME_PART);
}
