/* The rings of a process that is gone, read from its file. The file may hold
 * anything: every number is checked before it is used, and the bytes are copied
 * by read(), so that a file without blocks, or cut, raises no SIGBUS. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "queue/ring.h"

#define RELAXED memory_order_relaxed

_Static_assert(sizeof(llmlab__pool_header_t) <= LLMLAB__POOL_PAGE,
               "the header is one page");

static bool
read_whole(int fd, void *out, size_t size, uint64_t offset)
{
    return pread(fd, out, size, (off_t)offset) == (ssize_t)size;
}

static bool
read_header(int fd, llmlab__pool_header_t *out)
{
    llmlab__pool_layout_t layout;
    struct stat st;

    if (!read_whole(fd, out, sizeof(*out), 0) ||
        out->magic != LLMLAB__POOL_MAGIC ||
        out->version != LLMLAB__POOL_VERSION ||
        out->ring_size != sizeof(llmlab__ring_t) ||
        out->rings_at != LLMLAB__POOL_PAGE || out->rings == 0 ||
        out->rings > LLMLAB__POOL_MAX_UNITS || out->unit_bytes < 4096 ||
        out->unit_bytes > UINT32_C(1) << 26 ||
        (out->unit_bytes & (out->unit_bytes - 1)) != 0 ||
        out->used > out->rings) {
        return false;
    }
    llmlab__pool_layout(&layout, out->rings, out->unit_bytes);
    return out->data_at == layout.data_at && fstat(fd, &st) == 0 &&
           st.st_size >= (off_t)layout.bytes;
}

bool
llmlab__ring_file_label(int fd, void *out, size_t size)
{
    llmlab__pool_header_t header;

    if (size > sizeof(header.label) || !read_header(fd, &header)) {
        return false;
    }
    memcpy(out, header.label, size);
    return true;
}

static bool
segment_is_sound(const llmlab__ring_set_t *set,
                 const llmlab__segment_t *segment)
{
    uint32_t first = atomic_load_explicit(&segment->first_unit, RELAXED);
    uint32_t units = atomic_load_explicit(&segment->units, RELAXED);

    return units > 0 && (units & (units - 1)) == 0 && first < set->units &&
           units <= set->units - first;
}

/* Every position below the tail must lie in a sound segment. */
static bool
ring_is_sound(const llmlab__ring_t *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, RELAXED);
    uint64_t tail = atomic_load_explicit(&ring->tail, RELAXED);
    uint64_t room = 0;

    if (head > tail || (head & 7) != 0 || (tail & 7) != 0 ||
        atomic_load_explicit(&ring->taken, RELAXED) >
            atomic_load_explicit(&ring->records, RELAXED)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const llmlab__segment_t *segment = &ring->segments[i];

        if (atomic_load_explicit(&segment->start, RELAXED) == LLMLAB__NOWHERE) {
            continue;
        }
        if (!segment_is_sound(ring->set, segment)) {
            return false;
        }
        room += llmlab__ring_capacity(ring, (uint32_t)i);
    }
    return room > 0 && tail - head <= room &&
           segment_is_sound(
               ring->set, &ring->segments[llmlab__ring_segment_at(ring, head)]);
}

/* False when the file cannot be read; what is not in it reads as zeroes. */
static bool
copy_segments(llmlab__ring_set_t *set, const llmlab__ring_t *ring, int fd)
{
    for (uint32_t i = 0; i < 2; i++) {
        const llmlab__segment_t *segment = &ring->segments[i];
        unsigned char *data;

        if (atomic_load_explicit(&segment->start, RELAXED) == LLMLAB__NOWHERE) {
            continue;
        }
        data = llmlab__ring_data(ring, i);
        if (!read_whole(fd, data, llmlab__ring_capacity(ring, i),
                        (uint64_t)(data - (unsigned char *)set->pool))) {
            return false;
        }
    }
    return true;
}

/* Prepare a ring's block for the worker. */
static bool
adopt_ring(llmlab__ring_set_t *set, llmlab__ring_t *ring, int fd)
{
    uint64_t head = atomic_load_explicit(&ring->head, RELAXED);

    ring->set = set;
    if (head == atomic_load_explicit(&ring->tail, RELAXED)) {
        ring->peeked = head;
        return true;
    }
    if (!ring_is_sound(ring)) {
        /* Nothing of it can be found. */
        atomic_store_explicit(&ring->tail, head, RELAXED);
        ring->peeked = head;
        return true;
    }
    ring->peeked = head;
    ring->peeked_records = atomic_load_explicit(&ring->taken, RELAXED);
    return copy_segments(set, ring, fd);
}

static bool
adopt_rings(llmlab__ring_set_t *set, const llmlab__pool_header_t *header,
            int fd)
{
    uint32_t used = atomic_load_explicit(&header->used, RELAXED);

    memcpy(set->pool, header, sizeof(*header));
    if (!read_whole(fd, set->rings, used * sizeof(llmlab__ring_t),
                    header->rings_at)) {
        return false;
    }
    for (uint32_t i = 0; i < used; i++) {
        if (!adopt_ring(set, &set->rings[i], fd)) {
            return false;
        }
    }
    return true;
}

llmlab__ring_set_t *
llmlab__ring_set_adopt(int fd, const char *path)
{
    llmlab__pool_header_t header;
    llmlab__pool_layout_t layout;
    llmlab__ring_set_t *set;
    void *memory;

    if (!read_header(fd, &header) || strlen(path) >= sizeof(set->path)) {
        return NULL;
    }
    set = llmlab__os_map_anonymous(sizeof(*set));
    if (set == NULL) {
        return NULL;
    }
    llmlab__pool_layout(&layout, header.rings, header.unit_bytes);
    memory = llmlab__os_map_anonymous(layout.bytes);
    if (memory == NULL) {
        llmlab__os_unmap(set, sizeof(*set));
        return NULL;
    }
    llmlab__pool_attach(set, memory, header.rings, header.unit_bytes);
    set->fd = fd;
    set->is_adopted = true;
    set->is_lent = true;
    set->is_published = true;
    memcpy(set->path, path, strlen(path) + 1);
    if (!adopt_rings(set, &header, fd)) {
        llmlab__os_unmap(memory, layout.bytes);
        llmlab__os_unmap(set, sizeof(*set));
        return NULL;
    }
    return set;
}

void
llmlab__ring_set_skip(llmlab__ring_set_t *set, uint32_t i, uint64_t position)
{
    llmlab__ring_t *ring;

    if (i >= atomic_load_explicit(&set->pool->used, RELAXED)) {
        return;
    }
    ring = &set->rings[i];
    if (position > ring->peeked && (position & 7) == 0 &&
        position <= atomic_load_explicit(&ring->tail, RELAXED)) {
        ring->peeked = position;
        atomic_store_explicit(&ring->head, position, RELAXED);
    }
}

uint64_t
llmlab__ring_set_missing(const llmlab__ring_set_t *set)
{
    uint32_t used = atomic_load_explicit(&set->pool->used, RELAXED);
    uint64_t missing = 0;

    /* Only then: a thread that was killed while it published a record has
     * counted it already. */
    for (uint32_t i = 0; i < used && llmlab__ring_set_unsafe_units(set) > 0;
         i++) {
        missing += atomic_load_explicit(&set->rings[i].records, RELAXED) -
                   set->rings[i].peeked_records;
    }
    return missing;
}

int64_t
llmlab__ring_set_clock(const llmlab__ring_set_t *set)
{
    return atomic_load_explicit(&set->pool->clock_offset_ns, RELAXED);
}

void
llmlab__ring_set_set_mark(llmlab__ring_set_t *set, uint64_t mark)
{
    atomic_store_explicit(&set->pool->mark, mark, memory_order_release);
}

uint64_t
llmlab__ring_set_mark(const llmlab__ring_set_t *set)
{
    return atomic_load_explicit(&set->pool->mark, memory_order_acquire);
}

bool
llmlab__ring_set_write_back(const llmlab__ring_set_t *set)
{
    size_t size = atomic_load_explicit(&set->pool->used, RELAXED) *
                  sizeof(llmlab__ring_t);

    return pwrite(set->fd, set->pool, sizeof(*set->pool), 0) ==
               (ssize_t)sizeof(*set->pool) &&
           pwrite(set->fd, set->rings, size, LLMLAB__POOL_PAGE) ==
               (ssize_t)size;
}

void
llmlab__ring_set_keep_file(llmlab__ring_set_t *set)
{
    set->is_kept = true;
}
