/* The memory of all rings of a set: a header page, the rings' control blocks,
 * then units of data that rings take and give back without locks. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/status.h"
#include "queue/ring.h"

#define MIN_RING     ((size_t)4096)
#define MAX_RING     ((size_t)1 << 26)
#define DEFAULT_RING ((size_t)64 * 1024)

static size_t
whole_pages(size_t size)
{
    return (size + LLMLAB__POOL_PAGE - 1) & ~((size_t)LLMLAB__POOL_PAGE - 1);
}

/* The largest power of two not above size. */
static size_t
power_of_two(size_t size)
{
    return (size_t)1 << (63 - __builtin_clzll(size));
}

void
llmlab__pool_layout(llmlab__pool_layout_t *out, size_t units, size_t unit_bytes)
{
    out->data_at =
        LLMLAB__POOL_PAGE + whole_pages(units * sizeof(llmlab__ring_t));
    out->bytes = out->data_at + units * unit_bytes;
}

void
llmlab__pool_attach(llmlab__ring_set_t *set, void *memory, size_t units,
                    size_t unit_bytes)
{
    llmlab__pool_layout_t layout;

    llmlab__pool_layout(&layout, units, unit_bytes);
    set->pool = memory;
    set->pool_bytes = layout.bytes;
    set->rings = (llmlab__ring_t *)(void *)((char *)memory + LLMLAB__POOL_PAGE);
    set->data = (unsigned char *)memory + layout.data_at;
    set->unit_bytes = (uint32_t)unit_bytes;
    set->units = (uint32_t)units;
    /* Half a ring, so that a record always fits into an empty one, wherever
     * its end lies. */
    set->max_record =
        (uint32_t)(unit_bytes / 2 - sizeof(llmlab__frame_t)) & ~UINT32_C(7);
    set->pid = getpid();
}

/* A file, of which only the part before the data has blocks yet. */
static void *
map_file(llmlab__ring_set_t *set, const char *directory,
         const llmlab__pool_layout_t *layout)
{
    void *memory = llmlab__os_map_ring_file(directory, layout->bytes, &set->fd,
                                            set->path, sizeof(set->path));

    if (memory == NULL) {
        set->fd = -1;
        return NULL;
    }
    if (!llmlab__os_reserve(set->fd, 0, layout->data_at)) {
        llmlab__os_unmap(memory, layout->bytes);
        unlink(set->path);
        close(set->fd);
        set->fd = -1;
        return NULL;
    }
    return memory;
}

static void *
map_pool(llmlab__ring_set_t *set, const char *directory,
         const llmlab__pool_layout_t *layout)
{
    void *memory = NULL;

    set->fd = -1;
    if (directory != NULL) {
        memory = map_file(set, directory, layout);
    }
    return memory != NULL ? memory : llmlab__os_map_anonymous(layout->bytes);
}

static void
write_header(llmlab__ring_set_t *set, const llmlab__ring_options_t *options)
{
    llmlab__pool_header_t *pool = set->pool;

    pool->version = LLMLAB__POOL_VERSION;
    pool->ring_size = sizeof(llmlab__ring_t);
    pool->rings_at = LLMLAB__POOL_PAGE;
    pool->data_at = (uint64_t)(set->data - (unsigned char *)pool);
    pool->rings = set->units;
    pool->unit_bytes = set->unit_bytes;
    pool->pid = set->pid;
    pool->opened_ns = llmlab__clock_mono_ns();
    atomic_init(&pool->clock_offset_ns, llmlab__clock_offset_ns());
    llmlab__os_boot_id(pool->boot_id);
    if (options->label != NULL) {
        memcpy(pool->label, options->label, options->label_size);
    }
    atomic_thread_fence(memory_order_release);
    pool->magic = LLMLAB__POOL_MAGIC; /* last: the rest is whole */
}

llmlab_status_t
llmlab__pool_open(llmlab__ring_set_t *set,
                  const llmlab__ring_options_t *options)
{
    size_t unit = options->ring_bytes > 0 ? options->ring_bytes : DEFAULT_RING;
    llmlab__pool_layout_t layout;
    size_t units;
    void *memory;

    unit = power_of_two(unit < MIN_RING   ? MIN_RING
                        : unit > MAX_RING ? MAX_RING
                                          : unit);
    if (options->max_bytes < unit) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "queue.max_bytes: %zu is below one ring of %zu",
                            options->max_bytes, unit);
    }
    units = options->max_bytes / unit;
    if (units > LLMLAB__POOL_MAX_UNITS) {
        units = LLMLAB__POOL_MAX_UNITS;
    }
    llmlab__pool_layout(&layout, units, unit);
    /* Mapped like the set: of what a mapping holds a pointer to, leak checkers
     * do not know that it is in use. */
    set->unit_state =
        llmlab__os_map_anonymous(units * sizeof(_Atomic uint32_t));
    if (set->unit_state == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for %zu rings", units);
    }
    memory = map_pool(set, options->directory, &layout);
    if (memory == NULL) {
        llmlab__os_unmap(set->unit_state, units * sizeof(_Atomic uint32_t));
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for rings: %zu bytes",
                            layout.bytes);
    }
    llmlab__pool_attach(set, memory, units, unit);
    atomic_init(&set->free_units, (uint32_t)units);
    write_header(set, options);
    return LLMLAB_OK;
}

int
llmlab__ring_set_lend_fd(llmlab__ring_set_t *set)
{
    set->is_lent = set->fd >= 0;
    return set->fd;
}

void
llmlab__ring_set_publish(llmlab__ring_set_t *set, const char *name)
{
    const char *slash = strrchr(set->path, '/');
    char path[sizeof(set->path)];
    int length;

    if (set->fd < 0 || slash == NULL) {
        return;
    }
    length = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - set->path),
                      set->path, name);
    if (length > 0 && (size_t)length < sizeof(path) &&
        rename(set->path, path) == 0) {
        memcpy(set->path, path, sizeof(path));
        set->is_published = true;
    }
}

void
llmlab__ring_set_label(llmlab__ring_set_t *set, const void *label, size_t size)
{
    memcpy(set->pool->label, label, size);
}

uint32_t
llmlab__ring_set_unsafe_units(const llmlab__ring_set_t *set)
{
    return atomic_load_explicit(&set->pool->unsafe_units, memory_order_relaxed);
}

/* In a forked child the pool is the parent's: its mapping is not here (or reads
 * as zeroes), and its file stays. */
void
llmlab__pool_close(llmlab__ring_set_t *set)
{
    bool is_empty;

    if (set->pid != getpid()) {
        return;
    }
    is_empty = llmlab__ring_set_pending_bytes(set) == 0;
    llmlab__os_unmap(set->pool, set->pool_bytes);
    llmlab__os_unmap(set->unit_state, set->units * sizeof(_Atomic uint32_t));
    if (set->fd >= 0 && !set->is_kept && (is_empty || !set->is_published)) {
        unlink(set->path);
        /* A child that inherited the descriptor must not keep the pages. */
        (void)!ftruncate(set->fd, 0);
    }
    if (set->fd >= 0 && !set->is_lent) {
        close(set->fd);
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

/* A system call, once for each unit: later takers find it done. Where the file
 * gets no room the units are plain memory, which does not outlive the process.
 */
static bool
reserve_run(llmlab__ring_set_t *set, uint32_t first, uint32_t units)
{
    size_t size = (size_t)units * set->unit_bytes;
    unsigned char *memory = set->data + (size_t)first * set->unit_bytes;
    uint32_t all = LLMLAB__UNIT_RESERVED;

    if (set->fd < 0) {
        return true;
    }
    for (uint32_t i = first; i < first + units; i++) {
        all &= atomic_load_explicit(&set->unit_state[i], memory_order_relaxed);
    }
    if (all != 0) {
        return true;
    }
    if (!llmlab__os_reserve(
            set->fd, (size_t)(memory - (unsigned char *)set->pool), size)) {
        if (!llmlab__os_map_over(memory, size)) {
            return false;
        }
        atomic_fetch_add_explicit(&set->pool->unsafe_units, units,
                                  memory_order_relaxed);
    }
    for (uint32_t i = first; i < first + units; i++) {
        atomic_fetch_or_explicit(&set->unit_state[i], LLMLAB__UNIT_RESERVED,
                                 memory_order_relaxed);
    }
    return true;
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
    if (!reserve_run(set, first, units)) {
        give_run(set, first, units);
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
