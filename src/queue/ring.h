/* Inside the queue: the layout of the pool that holds all rings of a set, and
 * of one ring. A later process can read the pool of one that was killed: it
 * holds no pointer that matters, and its header tells sizes and version. */
#ifndef LLMLAB_QUEUE_RING_H
#define LLMLAB_QUEUE_RING_H

#include <stdatomic.h>

#include "queue/ring_set.h"

#define LLMLAB__POOL_MAGIC   UINT64_C(0x31474e5242414c4c) /* "LLABRNG1" */
#define LLMLAB__POOL_VERSION 1

/* Producer and consumer never write one line; 128, because processors fetch
 * lines in pairs. */
#define LLMLAB__LINE 128

/* The pool's first page. */
typedef struct llmlab__pool_header_s {
    uint64_t magic;
    uint32_t version;
    uint32_t ring_size; /* sizeof(llmlab__ring_t) */
    uint64_t rings_at;  /* offset of the rings' control blocks */
    uint64_t data_at;   /* offset of the data units */
    uint32_t rings;     /* how many blocks, and how many units */
    uint32_t unit_bytes;
    int64_t pid;
    int64_t opened_ns;               /* CLOCK_MONOTONIC of that boot */
    _Atomic int64_t clock_offset_ns; /* Unix time minus monotonic */
    _Atomic uint32_t used;           /* blocks beyond were never used */
    _Atomic uint32_t unsafe_units; /* for them there was no room in the file */
    _Atomic uint64_t mark;         /* see llmlab__ring_set_mark() */
    char boot_id[40];
    _Alignas(8) unsigned char label[LLMLAB__RING_LABEL];
} llmlab__pool_header_t;

/* A run of units that holds records. */
typedef struct llmlab__segment_s {
    _Atomic uint64_t start; /* the position at which records went over to
                               this segment; LLMLAB__NOWHERE: unused */
    _Atomic uint32_t first_unit;
    _Atomic uint32_t units; /* a power of two */
} llmlab__segment_t;

#define LLMLAB__NOWHERE UINT64_MAX

/* Before each record; the next frame begins at a multiple of 8. */
typedef struct llmlab__frame_s {
    uint32_t size; /* of what follows */
    uint32_t type;
} llmlab__frame_t;

static inline uint64_t
llmlab__frame_room(uint32_t size)
{
    return (sizeof(llmlab__frame_t) + (uint64_t)size + 7) & ~UINT64_C(7);
}

enum {
    LLMLAB__FRAME_PAD = 0, /* skip: the record did not fit before the end */
    LLMLAB__FRAME_RECORD = 1,
    LLMLAB__FRAME_PART = 2 /* of a record to come */
};

/* One ring. Positions count bytes from the ring's birth and never wrap; a
 * position's place is its low bits within the segment that it belongs to: the
 * one with the largest start not above it. */
struct llmlab__ring_s {
    /* The producer's line. All but tail and records is its own: relaxed
     * atomics, because a ring can pass to another thread. */
    _Alignas(LLMLAB__LINE) _Atomic uint64_t tail; /* published */
    _Atomic uint64_t records;                     /* published, ever */
    _Atomic uint64_t next;  /* private tail; a claim fills beyond it */
    _Atomic uint64_t floor; /* known to be free below it, this segment */
    unsigned char *_Atomic data;
    _Atomic uint64_t mask; /* of the segment in use */
    _Atomic uint32_t segment;
    llmlab__ring_set_t *set;

    /* The worker's line. */
    _Alignas(LLMLAB__LINE) _Atomic uint64_t head; /* released */
    _Atomic uint64_t taken;                       /* records released, ever */
    uint64_t peeked;
    uint64_t peeked_records;
    uint64_t populated_for; /* owner and segment whose pages are in place */
    uint64_t seen_tail;     /* for idleness */
    int64_t seen_ns;

    /* Rarely written. owner: thread id in the low half, 0 none; the high half
     * counts the owners, so that an old owner's word never comes again. */
    _Alignas(LLMLAB__LINE) _Atomic uint64_t owner;
    llmlab__segment_t segments[2];
};

struct llmlab__ring_set_s {
    /* The futex on which the worker sleeps. */
    _Alignas(LLMLAB__LINE) _Atomic uint32_t doorbell;
    /* Producers that wait for room, and what wakes them. */
    _Alignas(LLMLAB__LINE) _Atomic uint32_t releases;
    _Atomic uint32_t waiting;

    _Alignas(LLMLAB__LINE) llmlab__pool_header_t *pool;
    llmlab__ring_t *rings;
    unsigned char *data;
    uint32_t unit_bytes;
    uint32_t units;
    uint32_t max_record;
    uint32_t next_visit; /* the worker's, for fairness */
    _Atomic uint32_t free_units;
    _Atomic uint32_t *unit_state; /* LLMLAB__UNIT_* of each unit */
    size_t pool_bytes;
    int64_t pid;
    int fd;            /* -1: anonymous */
    bool is_lent;      /* the descriptor is somebody else's */
    bool is_published; /* others can find the file */
    bool is_adopted;   /* a copy of what a process left that is gone */
    bool is_kept;      /* its file stays, whatever is left in it */
    char path[256];
};

enum {
    LLMLAB__UNIT_TAKEN = 1,
    LLMLAB__UNIT_POPULATED = 2, /* its pages are in place */
    LLMLAB__UNIT_RESERVED = 4   /* its blocks exist */
};

enum {
    LLMLAB__BELL_AWAKE = 0,
    LLMLAB__BELL_TICKING = 1, /* asleep; a half-full ring wakes it */
    LLMLAB__BELL_PARKED = 2,  /* asleep; any record wakes it */
    LLMLAB__BELL_RUNG = 3
};

/* How the pool's parts lie, for so many units of so many bytes. */
typedef struct llmlab__pool_layout_s {
    size_t data_at;
    size_t bytes;
} llmlab__pool_layout_t;
enum { LLMLAB__POOL_PAGE = 4096, LLMLAB__POOL_MAX_UNITS = 65536 };

/* ring_pool.c */
void llmlab__pool_layout(llmlab__pool_layout_t *out, size_t units,
                         size_t unit_bytes);
/* Use memory of that layout as the pool. */
void llmlab__pool_attach(llmlab__ring_set_t *set, void *memory, size_t units,
                         size_t unit_bytes);
llmlab_status_t llmlab__pool_open(llmlab__ring_set_t *set,
                                  const llmlab__ring_options_t *options);
void llmlab__pool_close(llmlab__ring_set_t *set);
/* Take one unit for a segment, or a run of up to so many; false: none left. */
bool llmlab__segment_take(llmlab__ring_set_t *set, llmlab__segment_t *segment,
                          uint32_t units);
void llmlab__segment_give(llmlab__ring_set_t *set, llmlab__segment_t *segment);
/* Put a segment's pages in place, so that who writes meets no page fault. */
void llmlab__segment_populate(llmlab__ring_set_t *set,
                              const llmlab__segment_t *segment);

/* ring.c */
/* Which segment a position belongs to. */
static inline uint32_t
llmlab__ring_segment_at(const llmlab__ring_t *ring, uint64_t position)
{
    uint64_t first =
        atomic_load_explicit(&ring->segments[0].start, memory_order_relaxed);
    uint64_t second =
        atomic_load_explicit(&ring->segments[1].start, memory_order_relaxed);

    return second <= position && (first > position || second > first);
}

static inline unsigned char *
llmlab__ring_data(const llmlab__ring_t *ring, uint32_t segment)
{
    uint32_t unit = atomic_load_explicit(&ring->segments[segment].first_unit,
                                         memory_order_relaxed);

    return ring->set->data + (size_t)unit * ring->set->unit_bytes;
}

static inline uint64_t
llmlab__ring_capacity(const llmlab__ring_t *ring, uint32_t segment)
{
    uint32_t units = atomic_load_explicit(&ring->segments[segment].units,
                                          memory_order_relaxed);

    return (uint64_t)units * ring->set->unit_bytes;
}

/* Continue at a position of a segment, which is free from there on. @thread
 * producer */
void llmlab__ring_resume(llmlab__ring_t *ring, uint32_t segment,
                         uint64_t position);

#endif
