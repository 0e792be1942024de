/* The lock-free crossing between the threads that record and the worker: one
 * single-producer byte ring per thread, all of one client in one set, bounded
 * in bytes over all threads. The argument for its memory orders is in ring.c.
 *
 * This room knows bytes, not spans. */
#ifndef LLMLAB_QUEUE_RING_SET_H
#define LLMLAB_QUEUE_RING_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

typedef struct llmlab__ring_set_s llmlab__ring_set_t;
typedef struct llmlab__ring_s llmlab__ring_t;

typedef struct llmlab__ring_options_s {
    size_t max_bytes;      /* of all rings together: queue.max_bytes */
    size_t ring_bytes;     /* of a thread's first ring: 64 KiB by default */
    const char *directory; /* tmpfs for the pool; NULL: anonymous memory */
    const void *label;     /* of label_size bytes, for who finds the file */
    size_t label_size;
} llmlab__ring_options_t;

/* What a pool's file says of its owner; means nothing to this room. */
#define LLMLAB__RING_LABEL 1024

/* @thread open */
llmlab_status_t llmlab__ring_set_new(llmlab__ring_set_t **out,
                                     const llmlab__ring_options_t *options);
void llmlab__ring_set_destroy(llmlab__ring_set_t *set);
/* Is the pool a file on tmpfs (true), or anonymous memory? */
bool llmlab__ring_set_is_file(const llmlab__ring_set_t *set);
/* How much of it is not in the file, for want of room on the tmpfs. @thread
 * any */
uint32_t llmlab__ring_set_unsafe_units(const llmlab__ring_set_t *set);

/* The descriptor of the pool's file, or -1. The caller owns it from then on,
 * and closes it after destroy(). @thread open */
int llmlab__ring_set_lend_fd(llmlab__ring_set_t *set);
/* Give the file its name, by which others find it, in its directory. destroy()
 * deletes it then only if nothing is left in it. @thread open */
void llmlab__ring_set_publish(llmlab__ring_set_t *set, const char *name);
/* Change the label of the file. @thread worker */
void llmlab__ring_set_label(llmlab__ring_set_t *set, const void *label,
                            size_t size);

/* The label in the file of a descriptor; false: no file of a pool that this
 * library reads. */
bool llmlab__ring_file_label(int fd, void *out, size_t size);
/* The rings that a process left in a file, whose lock the caller holds. It owns
 * the descriptor as above, and path is the file's. NULL when the file is not
 * sound, or out of memory. @thread worker */
llmlab__ring_set_t *llmlab__ring_set_adopt(int fd, const char *path);
/* Of adopted rings: what one of them had consumed according to its segments. */
void llmlab__ring_set_skip(llmlab__ring_set_t *set, uint32_t ring,
                           uint64_t position);
/* Records that were not in the file; right when all others were taken. */
uint64_t llmlab__ring_set_missing(const llmlab__ring_set_t *set);
/* Unix time minus monotonic time, as the owner noted it last. */
int64_t llmlab__ring_set_clock(const llmlab__ring_set_t *set);

/* A number that lives with the file: how many records the owner has numbered
 * so far. @thread worker */
void llmlab__ring_set_set_mark(llmlab__ring_set_t *set, uint64_t mark);
uint64_t llmlab__ring_set_mark(const llmlab__ring_set_t *set);
/* Of adopted rings: write to the file how far they were read, and the mark.
 * What lies before is then somewhere else. */
bool llmlab__ring_set_write_back(const llmlab__ring_set_t *set);
/* Have destroy() leave the file, although all of it was read. */
void llmlab__ring_set_keep_file(llmlab__ring_set_t *set);

/* The calling thread's ring in this set: the one it has, else one whose owner
 * has ended, else a new one; NULL when the byte budget is used up. A slow path
 * (system calls), taken once per thread. @thread producer */
llmlab__ring_t *llmlab__ring_set_acquire(llmlab__ring_set_t *set);

/* Space for one record of size bytes (8-aligned), or NULL when the ring is
 * full. Wait-free. A ring in which claims failed for want of room may grow by
 * a second segment within the budget. @thread producer, the ring's owner */
void *llmlab__ring_claim(llmlab__ring_t *ring, uint32_t size);
/* As claim, but waits for room: a system call or more when the ring is full.
 * @thread producer, the ring's owner */
void *llmlab__ring_claim_wait(llmlab__ring_t *ring, uint32_t size,
                              int64_t timeout_ns);
/* Publish what was claimed; size may be smaller than claimed. Wakes the worker
 * when it is parked, or asleep and the ring half full. @thread producer */
void llmlab__ring_commit(llmlab__ring_t *ring, uint32_t size);
/* As commit, of what belongs to a record that is still to come: visited like a
 * record, but not counted as one. */
void llmlab__ring_commit_part(llmlab__ring_t *ring, uint32_t size);
/* Largest record a ring of this set takes. */
uint32_t llmlab__ring_max_record(const llmlab__ring_set_t *set);
/* How many rings the set can have, and a ring's number below that: it stays
 * when the ring passes to another thread. */
uint32_t llmlab__ring_set_capacity(const llmlab__ring_set_t *set);
uint32_t llmlab__ring_index(const llmlab__ring_t *ring);
/* Tell the pool's header the clock's offset, for a process that finds it
 * after this one was killed. @thread any */
void llmlab__ring_set_note_clock(llmlab__ring_set_t *set, int64_t offset_ns);

/* Visit published records of all rings, oldest first within a ring, until
 * max_bytes were seen or visit answers false (that record was not taken).
 * Nothing is freed yet. Returns the number visited. A NULL record tells that
 * the host has written over a ring: so many records as size says are lost.
 * @thread worker */
typedef bool (*llmlab__ring_visit_fn)(void *payload, const void *record,
                                      uint32_t size);
size_t llmlab__ring_set_peek(llmlab__ring_set_t *set,
                             llmlab__ring_visit_fn visit, void *payload,
                             size_t max_bytes);
/* How far the last peeks went in the rings that they visited since the last
 * release: at most capacity of them, which a peek does not exceed. */
typedef struct llmlab__ring_position_s {
    uint32_t ring;
    uint32_t unused;
    uint64_t position;
} llmlab__ring_position_t;
#define LLMLAB__RINGS_AT_ONCE 256
size_t
llmlab__ring_set_positions(const llmlab__ring_set_t *set,
                           llmlab__ring_position_t out[LLMLAB__RINGS_AT_ONCE]);
/* Free what the last peek visited. @thread worker */
void llmlab__ring_set_release(llmlab__ring_set_t *set);

/* Give rings of ended threads back for reuse; call now and then. Looks at a
 * ring only when it has been idle for a second. @thread worker */
void llmlab__ring_set_recycle(llmlab__ring_set_t *set, int64_t now_ns);

/* Records published and not yet released, by walking the rings: a number for
 * readers, right when nothing moves. @thread any */
uint64_t llmlab__ring_set_pending(const llmlab__ring_set_t *set);
uint64_t llmlab__ring_set_pending_bytes(const llmlab__ring_set_t *set);
uint64_t llmlab__ring_set_memory(const llmlab__ring_set_t *set);

/* Sleep until woken or the timeout (negative: until woken). Parked producers
 * wake it; answers at once when something is pending. @thread worker */
void llmlab__ring_set_park(llmlab__ring_set_t *set, int64_t timeout_ns);
/* Sleep without the producers waking at each record: only wake() or a ring that
 * is half full ends it early. @thread worker */
void llmlab__ring_set_tick(llmlab__ring_set_t *set, int64_t timeout_ns);
/* @thread any */
void llmlab__ring_set_wake(llmlab__ring_set_t *set);

#endif
