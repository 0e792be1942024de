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
} llmlab__ring_options_t;

/* @thread open */
llmlab_status_t llmlab__ring_set_new(llmlab__ring_set_t **out,
                                     const llmlab__ring_options_t *options);
void llmlab__ring_set_destroy(llmlab__ring_set_t *set);
/* Is the pool a file on tmpfs (true), or anonymous memory? */
bool llmlab__ring_set_is_file(const llmlab__ring_set_t *set);

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
