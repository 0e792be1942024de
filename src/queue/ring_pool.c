/* The memory of all rings of a set: a header page, the rings' control blocks,
 * then units of data that rings take and give back without locks. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/status.h"
#include "queue/ring.h"

#define PAGE           ((size_t)4096)
#define MIN_RING       ((size_t)4096)
#define MAX_RING       ((size_t)1 << 26)
#define DEFAULT_RING   ((size_t)64 * 1024)
#define MAX_POOL_UNITS 65536

static size_t
whole_pages(size_t size)
{
    return (size + PAGE - 1) & ~(PAGE - 1);
}

/* The largest power of two not above size. */
static size_t
power_of_two(size_t size)
{
    return (size_t)1 << (63 - __builtin_clzll(size));
}

static void
map_pool(llmlab__ring_set_t *set, const char *directory)
{
    set->fd = -1;
    if (directory != NULL) {
        set->pool = llmlab__os_map_ring_file(
            directory, set->pool_bytes, &set->fd, set->path, sizeof(set->path));
    }
    if (set->pool == NULL) {
        set->fd = -1;
        set->pool = llmlab__os_map_anonymous(set->pool_bytes);
    }
}

llmlab_status_t
llmlab__pool_open(llmlab__ring_set_t *set,
                  const llmlab__ring_options_t *options)
{
    size_t unit = options->ring_bytes > 0 ? options->ring_bytes : DEFAULT_RING;
    size_t rings_bytes;
    size_t units;

    unit = power_of_two(unit < MIN_RING   ? MIN_RING
                        : unit > MAX_RING ? MAX_RING
                                          : unit);
    if (options->max_bytes < unit) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "queue.max_bytes: %zu is below one ring of %zu",
                            options->max_bytes, unit);
    }
    units = options->max_bytes / unit;
    if (units > MAX_POOL_UNITS) {
        units = MAX_POOL_UNITS;
    }
    rings_bytes = whole_pages(units * sizeof(llmlab__ring_t));
    set->pool_bytes = PAGE + rings_bytes + units * unit;
    /* Mapped like the set: of what a mapping holds a pointer to, leak checkers
     * do not know that it is in use. */
    set->unit_state =
        llmlab__os_map_anonymous(units * sizeof(_Atomic uint32_t));
    if (set->unit_state == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for %zu rings", units);
    }
    map_pool(set, options->directory);
    if (set->pool == NULL) {
        llmlab__os_unmap(set->unit_state, units * sizeof(_Atomic uint32_t));
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for rings: %zu bytes",
                            set->pool_bytes);
    }
    set->rings = (llmlab__ring_t *)(void *)((char *)set->pool + PAGE);
    set->data = (unsigned char *)set->pool + PAGE + rings_bytes;
    set->unit_bytes = (uint32_t)unit;
    set->units = (uint32_t)units;
    atomic_init(&set->free_units, (uint32_t)units);
    /* Half a ring, so that a record always fits into an empty one, wherever
     * its end lies. */
    set->max_record =
        (uint32_t)(unit / 2 - sizeof(llmlab__frame_t)) & ~UINT32_C(7);
    set->pid = getpid();

    set->pool->version = LLMLAB__POOL_VERSION;
    set->pool->ring_size = sizeof(llmlab__ring_t);
    set->pool->rings_at = PAGE;
    set->pool->data_at = PAGE + rings_bytes;
    set->pool->rings = set->units;
    set->pool->unit_bytes = set->unit_bytes;
    set->pool->pid = set->pid;
    set->pool->opened_ns = llmlab__clock_mono_ns();
    atomic_init(&set->pool->clock_offset_ns, llmlab__clock_offset_ns());
    llmlab__os_boot_id(set->pool->boot_id);
    atomic_thread_fence(memory_order_release);
    set->pool->magic = LLMLAB__POOL_MAGIC; /* last: the rest is whole */
    return LLMLAB_OK;
}

/* In a forked child the pool is the parent's: its mapping is not here (or reads
 * as zeroes), and its file stays. */
void
llmlab__pool_close(llmlab__ring_set_t *set)
{
    if (set->pid == getpid()) {
        llmlab__os_unmap(set->pool, set->pool_bytes);
        llmlab__os_unmap(set->unit_state,
                         set->units * sizeof(_Atomic uint32_t));
        if (set->fd >= 0) {
            unlink(set->path);
            close(set->fd);
        }
    }
}

static bool
take_unit(llmlab__ring_set_t *set, uint32_t i)
{
    uint32_t state =
        atomic_load_explicit(&set->unit_state[i], memory_order_relaxed);

    return (state & LLMLAB__UNIT_TAKEN) == 0 &&
           atomic_compare_exchange_strong_explicit(
               &set->unit_state[i], &state, state | LLMLAB__UNIT_TAKEN,
               memory_order_acquire, memory_order_relaxed);
}

static void
give_run(llmlab__ring_set_t *set, uint32_t first, uint32_t units)
{
    for (uint32_t i = 0; i < units; i++) {
        atomic_fetch_and_explicit(&set->unit_state[first + i],
                                  ~(uint32_t)LLMLAB__UNIT_TAKEN,
                                  memory_order_release);
    }
}

static bool
take_run(llmlab__ring_set_t *set, uint32_t first, uint32_t units)
{
    for (uint32_t i = 0; i < units; i++) {
        if (!take_unit(set, first + i)) {
            give_run(set, first, i);
            return false;
        }
    }
    return true;
}

/* Single units are taken from the low end, runs from the high end, so that
 * first rings do not break up the place for runs. */
static uint32_t
find_run(llmlab__ring_set_t *set, uint32_t units, uint32_t *first)
{
    if (units == 1) {
        for (*first = 0; *first < set->units; ++*first) {
            if (take_run(set, *first, 1)) {
                return 1;
            }
        }
        return 0;
    }
    for (; units >= 2; units /= 2) {
        for (uint32_t end = set->units; end >= units; end -= units) {
            *first = end - units;
            if (take_run(set, *first, units)) {
                return units;
            }
        }
    }
    return 0;
}

bool
llmlab__segment_take(llmlab__ring_set_t *set, llmlab__segment_t *segment,
                     uint32_t units)
{
    uint32_t first;

    units = find_run(set, units, &first);
    if (units == 0) {
        return false;
    }
    atomic_fetch_sub_explicit(&set->free_units, units, memory_order_relaxed);
    atomic_store_explicit(&segment->first_unit, first, memory_order_relaxed);
    atomic_store_explicit(&segment->units, units, memory_order_relaxed);
    return true;
}

void
llmlab__segment_give(llmlab__ring_set_t *set, llmlab__segment_t *segment)
{
    uint32_t units =
        atomic_load_explicit(&segment->units, memory_order_relaxed);

    give_run(set,
             atomic_load_explicit(&segment->first_unit, memory_order_relaxed),
             units);
    atomic_fetch_add_explicit(&set->free_units, units, memory_order_relaxed);
}

void
llmlab__segment_populate(llmlab__ring_set_t *set,
                         const llmlab__segment_t *segment)
{
    uint32_t first =
        atomic_load_explicit(&segment->first_unit, memory_order_relaxed);
    uint32_t units =
        atomic_load_explicit(&segment->units, memory_order_relaxed);

    /* The worker may see a segment that changes hands: half of the old, half of
     * the new. It then puts pages in place that were not asked for, but never
     * outside the pool. */
    for (uint32_t i = first; i < first + units && i < set->units; i++) {
        uint32_t state = atomic_fetch_or_explicit(
            &set->unit_state[i], LLMLAB__UNIT_POPULATED, memory_order_relaxed);

        if ((state & LLMLAB__UNIT_POPULATED) == 0) {
            llmlab__os_populate(set->data + (size_t)i * set->unit_bytes,
                                set->unit_bytes);
        }
    }
}
