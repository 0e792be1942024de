/* Handles: integers that stand for objects on the flat layer. A handle is a
 * slot's index and the generation in which it was given out, so that a stale,
 * foreign or invented one is told from a live one by one compare.
 *
 * Who holds a slot has it alone: its state word is a lock, taken by one
 * compare-and-swap from (generation, idle) to (generation, busy), which checks
 * the generation in the same step. A per-slot word was chosen over a lock of
 * the table because spans are independent, and over counting users because a
 * span allows one thread at a time anyway: the second thread of a shared span
 * has to wait in any design. Uncontended it costs 2 to 5 ns; the wait spins,
 * then yields, then sleeps, and ends at once in a forked child, where the
 * holder does not exist.
 *
 * Making and ending a handle takes two locked instructions each. A slot that
 * each thread keeps for itself would save half of them, at the price of finding
 * the slots of ended threads again; crossing into C from Python, Node or Go
 * costs four times what that would save.
 *
 * A signal handler must not use a handle that the thread it interrupts may be
 * using. */
#ifndef LLMLAB_BIND_HANDLE_H
#define LLMLAB_BIND_HANDLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

typedef enum llmlab__handle_kind_e {
    LLMLAB__HANDLE_SPAN = 1,
    LLMLAB__HANDLE_KEPT = 2, /* a llmlab__kept_t: an ended span */
    LLMLAB__HANDLE_STREAM = 4,
    LLMLAB__HANDLE_TEXT = 8,
    LLMLAB__HANDLE_PIN = 16 /* a call on a client is under way */
} llmlab__handle_kind_t;

typedef struct llmlab__slot_s {
    _Atomic uint64_t state; /* generation, then free, idle or busy */
    _Atomic uint64_t fork;  /* llmlab__fork_generation() when given out */
    _Atomic uint32_t next;  /* in the free list: index + 1 */
    _Atomic int client;     /* whose close ends this; 0: nobody's */
    uint32_t index;
    uint32_t shard;
    /* Below: the holder's. */
    llmlab__handle_kind_t kind;
    void *object;
    size_t size; /* of a text */
} llmlab__slot_t;

/* A held slot, or NULL when out of memory or slots (2^20). */
llmlab__slot_t *llmlab__handle_new(llmlab__handle_kind_t kind, int client);

/* Let go of a new slot so that others may hold it; its handle, always > 0. */
int64_t llmlab__handle_publish(llmlab__slot_t *slot);

/* Hold the slot of a handle of one of the kinds (or-ed). LLMLAB_EINVAL (none,
 * or of another kind), LLMLAB_ESTALE, LLMLAB_EFORKED, or LLMLAB_EDISABLED for
 * 0. A failure leaves *out NULL. */
llmlab_status_t llmlab__handle_hold(llmlab__slot_t **out, int64_t handle,
                                    unsigned kinds);

/* As above, but a handle of the parent process is held too and told by
 * LLMLAB_EFORKED with *out set: for those that end things. */
llmlab_status_t llmlab__handle_hold_last(llmlab__slot_t **out, int64_t handle,
                                         unsigned kinds);

void llmlab__handle_let_go(llmlab__slot_t *slot);

/* End a held slot: its handle is stale from now on. */
void llmlab__handle_free(llmlab__slot_t *slot);

/* Hold, hand to discard and free every slot of a client, waiting for holders.
 * The client must refuse new ones before. */
void llmlab__handle_sweep(int client, void (*discard)(llmlab__slot_t *slot));

#endif
