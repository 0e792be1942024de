/* The set of rings: who owns which, and the worker's side of all of them. */
#include "queue/ring_set.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/status.h"
#include "queue/ring.h"

#define RELAXED memory_order_relaxed
#define ACQUIRE memory_order_acquire
#define RELEASE memory_order_release

#define IDLE_NS INT64_C(1000000000)

/* How long the worker sleeps where a wake-up might be lost: (4) in ring.c. */
#define BLIND_NS INT64_C(100000000)

/* A thread id that no thread has: the worker while it takes a ring apart. */
#define RECYCLER UINT32_MAX

/* A new thread asks after the owners of at most so many rings while units are
 * left: one system call each. */
#define PROBES 16

/* A thread that makes a ring puts up to so many bytes in place itself (64 KiB
 * take some 15 us); a larger ring is left to the worker, who is woken. */
#define POPULATED_AT_ONCE ((uint32_t)512 * 1024)

llmlab_status_t
llmlab__ring_set_new(llmlab__ring_set_t **out,
                     const llmlab__ring_options_t *options)
{
    llmlab__ring_set_t *set = llmlab__os_map_anonymous(sizeof(*set));
    llmlab_status_t status;

    *out = NULL;
    if (set == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for the queue");
    }
    status = llmlab__pool_open(set, options);
    if (status != LLMLAB_OK) {
        llmlab__os_unmap(set, sizeof(*set));
        return status;
    }
    *out = set;
    return LLMLAB_OK;
}

void
llmlab__ring_set_destroy(llmlab__ring_set_t *set)
{
    if (set != NULL) {
        llmlab__pool_close(set);
        llmlab__os_unmap(set, sizeof(*set));
    }
}

bool
llmlab__ring_set_is_file(const llmlab__ring_set_t *set)
{
    return set->fd >= 0;
}

uint32_t
llmlab__ring_max_record(const llmlab__ring_set_t *set)
{
    return set->max_record;
}

uint32_t
llmlab__ring_set_capacity(const llmlab__ring_set_t *set)
{
    return set->units;
}

uint32_t
llmlab__ring_index(const llmlab__ring_t *ring)
{
    return (uint32_t)(ring - ring->set->rings);
}

void
llmlab__ring_set_note_clock(llmlab__ring_set_t *set, int64_t offset_ns)
{
    atomic_store_explicit(&set->pool->clock_offset_ns, offset_ns, RELAXED);
}

static uint32_t
rings_used(const llmlab__ring_set_t *set)
{
    return atomic_load_explicit(&set->pool->used, ACQUIRE);
}

/* Owners. */

static uint32_t
owner_of(uint64_t word)
{
    return (uint32_t)word;
}

/* Make the ring thread's if its owner word still is what was seen. */
static bool
change_owner(llmlab__ring_t *ring, uint64_t seen, uint32_t thread)
{
    uint64_t next = ((seen >> 32) + 1) << 32 | thread;

    return atomic_compare_exchange_strong_explicit(
        &ring->owner, &seen, next, memory_order_acq_rel, RELAXED);
}

/* Continue where the ended owner had published. */
static void
take_over(llmlab__ring_t *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, ACQUIRE);
    uint32_t segment = llmlab__ring_segment_at(ring, tail);
    uint64_t start =
        atomic_load_explicit(&ring->segments[segment].start, RELAXED);
    uint64_t head;

    llmlab__ring_resume(ring, segment, tail);
    head = atomic_load_explicit(&ring->head, ACQUIRE);
    atomic_store_explicit(&ring->floor, head > start ? head : start, RELAXED);
}

/* The ring whose owner has this thread's id: its own, or that of an ended
 * thread whose id it got. */
static llmlab__ring_t *
find_own(llmlab__ring_set_t *set, uint32_t thread)
{
    uint32_t used = rings_used(set);

    for (uint32_t i = 0; i < used; i++) {
        llmlab__ring_t *ring = &set->rings[i];
        uint64_t owner = atomic_load_explicit(&ring->owner, ACQUIRE);

        if (owner_of(owner) == thread && change_owner(ring, owner, thread)) {
            return ring;
        }
    }
    return NULL;
}

static llmlab__ring_t *
find_orphan(llmlab__ring_set_t *set, uint32_t thread, uint32_t probes)
{
    uint32_t used = rings_used(set);

    for (uint32_t i = 0; i < used && probes > 0; i++) {
        llmlab__ring_t *ring = &set->rings[i];
        uint64_t owner = atomic_load_explicit(&ring->owner, ACQUIRE);

        if (owner_of(owner) == 0 || owner_of(owner) == RECYCLER) {
            continue;
        }
        probes--;
        if (!llmlab__os_thread_alive(owner_of(owner)) &&
            change_owner(ring, owner, thread)) {
            return ring;
        }
    }
    return NULL;
}

/* A control block that nobody owns, with a unit of its own. */
static llmlab__ring_t *
make_ring(llmlab__ring_set_t *set, uint32_t thread)
{
    for (uint32_t i = 0; i < set->units; i++) {
        llmlab__ring_t *ring = &set->rings[i];
        uint64_t owner = atomic_load_explicit(&ring->owner, ACQUIRE);
        uint32_t used = rings_used(set);
        uint64_t tail;

        if (owner_of(owner) != 0 || !change_owner(ring, owner, thread)) {
            continue;
        }
        if (!llmlab__segment_take(set, &ring->segments[0], 1)) {
            change_owner(ring, atomic_load_explicit(&ring->owner, RELAXED), 0);
            return NULL;
        }
        if (ring->set == NULL) {
            ring->set = set;
        }
        tail = atomic_load_explicit(&ring->tail, ACQUIRE);
        atomic_store_explicit(&ring->segments[0].start, tail, RELAXED);
        atomic_store_explicit(&ring->segments[1].start, LLMLAB__NOWHERE,
                              RELAXED);
        llmlab__ring_resume(ring, 0, tail);
        while (used <= i &&
               !atomic_compare_exchange_weak(&set->pool->used, &used, i + 1)) {
        }
        if (set->unit_bytes <= POPULATED_AT_ONCE) {
            llmlab__segment_populate(set, &ring->segments[0]);
        } else {
            llmlab__ring_set_wake(set);
        }
        return ring;
    }
    return NULL;
}

llmlab__ring_t *
llmlab__ring_set_acquire(llmlab__ring_set_t *set)
{
    uint32_t thread = llmlab__os_thread_id();
    llmlab__ring_t *ring = find_own(set, thread);

    if (ring == NULL) {
        ring = find_orphan(set, thread, PROBES);
    }
    if (ring != NULL) {
        take_over(ring);
        return ring;
    }
    ring = make_ring(set, thread);
    if (ring == NULL) {
        ring = find_orphan(set, thread, UINT32_MAX);
        if (ring != NULL) {
            take_over(ring);
        }
    }
    return ring;
}

/* The worker's side. */

/* The frame at a position below tail, or NULL if its size cannot be: a stray
 * write of the host. */
static const llmlab__frame_t *
frame_at(const llmlab__ring_t *ring, uint64_t position, uint64_t tail)
{
    uint32_t segment = llmlab__ring_segment_at(ring, position);
    uint64_t capacity = llmlab__ring_capacity(ring, segment);
    uint64_t offset = position & (capacity - 1);
    const llmlab__frame_t *frame =
        (const llmlab__frame_t *)(const void *)(llmlab__ring_data(ring,
                                                                  segment) +
                                                offset);
    uint64_t left = capacity - offset;

    if (left > tail - position) {
        left = tail - position;
    }
    return llmlab__frame_room(frame->size) <= left ? frame : NULL;
}

/* A large ring, or one that has grown: its thread does not wait for pages. */
static void
populate(llmlab__ring_set_t *set, llmlab__ring_t *ring)
{
    uint64_t owner = atomic_load_explicit(&ring->owner, RELAXED);
    uint64_t tail = atomic_load_explicit(&ring->tail, RELAXED);
    uint64_t state = owner << 1 | llmlab__ring_segment_at(ring, tail);

    if (ring->populated_for != state) {
        ring->populated_for = state;
        /* Not ring->set: a thread may be making this ring right now. */
        llmlab__segment_populate(set, &ring->segments[state & 1]);
    }
}

/* False when visit wants no more. */
static bool
peek_ring(llmlab__ring_t *ring, llmlab__ring_visit_fn visit, void *payload,
          size_t max_bytes, size_t *bytes, size_t *records)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, ACQUIRE);

    while (ring->peeked != tail) {
        const llmlab__frame_t *frame = frame_at(ring, ring->peeked, tail);

        if (frame == NULL) {
            /* Nothing after it can be found. */
            uint64_t records_now =
                atomic_load_explicit(&ring->records, RELAXED);

            if (!visit(payload, NULL,
                       (uint32_t)(records_now - ring->peeked_records))) {
                return false;
            }
            ring->peeked = tail;
            ring->peeked_records = records_now;
            return true;
        }
        if (frame->type != LLMLAB__FRAME_PAD) {
            if (*bytes >= max_bytes ||
                !visit(payload, frame + 1, frame->size)) {
                return false;
            }
            *bytes += frame->size;
            (*records)++;
            ring->peeked_records += frame->type == LLMLAB__FRAME_RECORD;
        }
        ring->peeked += llmlab__frame_room(frame->size);
    }
    return true;
}

/* Has the worker read of it what it has not released? */
static bool
is_peeked(const llmlab__ring_t *ring)
{
    return atomic_load_explicit(&ring->head, RELAXED) != ring->peeked;
}

size_t
llmlab__ring_set_peek(llmlab__ring_set_t *set, llmlab__ring_visit_fn visit,
                      void *payload, size_t max_bytes)
{
    uint32_t used = rings_used(set);
    size_t records = 0;
    size_t bytes = 0;
    size_t rings = 0;

    for (uint32_t n = 0; n < used && rings < LLMLAB__RINGS_AT_ONCE; n++) {
        uint32_t i = set->next_visit < used ? set->next_visit : 0;
        bool is_done;

        if (!set->is_adopted) {
            populate(set, &set->rings[i]);
        }
        is_done = !peek_ring(&set->rings[i], visit, payload, max_bytes, &bytes,
                             &records);
        rings += is_peeked(&set->rings[i]);
        if (is_done) {
            break;
        }
        set->next_visit = i + 1;
    }
    return records;
}

size_t
llmlab__ring_set_positions(const llmlab__ring_set_t *set,
                           llmlab__ring_position_t out[LLMLAB__RINGS_AT_ONCE])
{
    uint32_t used = rings_used(set);
    size_t count = 0;

    for (uint32_t i = 0; i < used && count < LLMLAB__RINGS_AT_ONCE; i++) {
        if (is_peeked(&set->rings[i])) {
            out[count++] =
                (llmlab__ring_position_t){i, 0, set->rings[i].peeked};
        }
    }
    return count;
}

void
llmlab__ring_set_release(llmlab__ring_set_t *set)
{
    uint32_t used = rings_used(set);

    for (uint32_t i = 0; i < used; i++) {
        llmlab__ring_t *ring = &set->rings[i];

        if (is_peeked(ring)) {
            atomic_store_explicit(&ring->taken, ring->peeked_records, RELAXED);
            atomic_store_explicit(&ring->head, ring->peeked, RELEASE);
        }
    }
    atomic_fetch_add(&set->releases, 1);
    if (atomic_load(&set->waiting) > 0) {
        llmlab__os_wake(&set->releases);
    }
}

/* Take a ring apart whose owner is gone and which holds nothing. */
static void
dismantle(llmlab__ring_t *ring, uint64_t owner)
{
    uint64_t mine = ((owner >> 32) + 1) << 32 | RECYCLER;
    uint64_t tail;

    if (!change_owner(ring, owner, RECYCLER)) {
        return;
    }
    tail = atomic_load_explicit(&ring->tail, ACQUIRE);
    if (atomic_load_explicit(&ring->head, RELAXED) != tail) {
        /* It published once more between our look and its end. */
        change_owner(ring, mine, owner_of(owner));
        return;
    }
    if (llmlab__ring_segment_at(ring, tail) == 1) {
        llmlab__segment_give(ring->set, &ring->segments[1]);
        atomic_store_explicit(&ring->segments[1].start, LLMLAB__NOWHERE,
                              RELAXED);
    }
    llmlab__segment_give(ring->set, &ring->segments[0]);
    change_owner(ring, mine, 0);
}

void
llmlab__ring_set_recycle(llmlab__ring_set_t *set, int64_t now_ns)
{
    uint32_t used = rings_used(set);

    for (uint32_t i = 0; i < used; i++) {
        llmlab__ring_t *ring = &set->rings[i];
        uint64_t owner = atomic_load_explicit(&ring->owner, ACQUIRE);
        uint64_t tail = atomic_load_explicit(&ring->tail, ACQUIRE);

        if (owner_of(owner) == 0 || tail != ring->seen_tail ||
            tail != atomic_load_explicit(&ring->head, RELAXED)) {
            ring->seen_tail = tail;
            ring->seen_ns = now_ns;
            continue;
        }
        if (now_ns - ring->seen_ns < IDLE_NS) {
            continue;
        }
        ring->seen_ns = now_ns;
        if (!llmlab__os_thread_alive(owner_of(owner))) {
            dismantle(ring, owner);
        }
    }
}

/* Numbers for readers. */

uint64_t
llmlab__ring_set_pending(const llmlab__ring_set_t *set)
{
    uint32_t used = rings_used(set);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < used; i++) {
        const llmlab__ring_t *ring = &set->rings[i];
        uint64_t taken = atomic_load_explicit(&ring->taken, ACQUIRE);

        sum += atomic_load_explicit(&ring->records, RELAXED) - taken;
    }
    return sum;
}

uint64_t
llmlab__ring_set_pending_bytes(const llmlab__ring_set_t *set)
{
    uint32_t used = rings_used(set);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < used; i++) {
        const llmlab__ring_t *ring = &set->rings[i];
        uint64_t head = atomic_load_explicit(&ring->head, ACQUIRE);

        sum += atomic_load_explicit(&ring->tail, RELAXED) - head;
    }
    return sum;
}

uint64_t
llmlab__ring_set_memory(const llmlab__ring_set_t *set)
{
    uint32_t taken =
        set->units - atomic_load_explicit(&set->free_units, RELAXED);

    return (uint64_t)taken * (set->unit_bytes + sizeof(llmlab__ring_t));
}

/* Sleeping and waking. */

static bool
anything_published(const llmlab__ring_set_t *set)
{
    uint32_t used = rings_used(set);

    for (uint32_t i = 0; i < used; i++) {
        if (atomic_load_explicit(&set->rings[i].tail, ACQUIRE) !=
            set->rings[i].peeked) {
            return true;
        }
    }
    return false;
}

/* Until the bell rings, unless it has rung since the worker woke. What the
 * ringer had done before is served by what the worker does next. */
static void
sleep_as(llmlab__ring_set_t *set, uint32_t bell, int64_t timeout_ns)
{
    uint32_t awake = LLMLAB__BELL_AWAKE;

    if (atomic_compare_exchange_strong(&set->doorbell, &awake, bell)) {
        if (bell == LLMLAB__BELL_PARKED && !llmlab__os_process_barrier() &&
            (timeout_ns < 0 || timeout_ns > BLIND_NS)) {
            timeout_ns = BLIND_NS;
        }
        if (bell == LLMLAB__BELL_TICKING || !anything_published(set)) {
            llmlab__os_wait(&set->doorbell, bell, timeout_ns);
        }
    }
    atomic_exchange(&set->doorbell, LLMLAB__BELL_AWAKE);
}

void
llmlab__ring_set_park(llmlab__ring_set_t *set, int64_t timeout_ns)
{
    sleep_as(set, LLMLAB__BELL_PARKED, timeout_ns);
}

void
llmlab__ring_set_tick(llmlab__ring_set_t *set, int64_t timeout_ns)
{
    sleep_as(set, LLMLAB__BELL_TICKING, timeout_ns);
}

void
llmlab__ring_set_wake(llmlab__ring_set_t *set)
{
    uint32_t before = atomic_exchange(&set->doorbell, LLMLAB__BELL_RUNG);

    if (before == LLMLAB__BELL_TICKING || before == LLMLAB__BELL_PARKED) {
        llmlab__os_wake(&set->doorbell);
    }
}

void *
llmlab__ring_claim_wait(llmlab__ring_t *ring, uint32_t size, int64_t timeout_ns)
{
    llmlab__ring_set_t *set = ring->set;
    int64_t deadline = llmlab__clock_mono_ns() + timeout_ns;
    void *place = llmlab__ring_claim(ring, size);

    if (place != NULL || size > set->max_record) {
        return place;
    }
    atomic_fetch_add(&set->waiting, 1);
    for (;;) {
        uint32_t seen = atomic_load(&set->releases);
        int64_t left = deadline - llmlab__clock_mono_ns();

        place = llmlab__ring_claim(ring, size);
        if (place != NULL || left <= 0) {
            break;
        }
        llmlab__os_wait(&set->releases, seen, left);
    }
    atomic_fetch_sub(&set->waiting, 1);
    return place;
}
