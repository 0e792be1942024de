#include "bind/handle.h"

#include <sched.h>
#include <stdbool.h>
#include <time.h>

#include "base/alloc.h"
#include "base/status.h"
#include "trace/tracer.h"

/* Slots live in chunks that are never freed or moved, so that an invented
 * handle may be looked at at any time. Free slots wait in one of a few stacks;
 * a thread takes from one chosen by its stack's address, so that threads
 * rarely meet. */
#define INDEX_BITS  20
#define CHUNK_SLOTS 64
#define CHUNKS      ((1 << INDEX_BITS) / CHUNK_SLOTS)
#define SHARD_BITS  4

enum { FREE = 0, IDLE = 1, BUSY = 2, STATE_BITS = 2 };

#define GENERATIONS UINT64_C(0xffffffff)

typedef struct shard_s {
    /* A change count above, the top's index + 1 below: a slot that was taken
     * and returned in between does not look unchanged. */
    _Alignas(64) _Atomic uint64_t top;
} shard_t;

static _Atomic(llmlab__slot_t *) chunks[CHUNKS];
static _Atomic uint32_t chunk_count;
static shard_t shards[1 << SHARD_BITS];

static uint64_t
word_of(uint64_t generation, unsigned state)
{
    return (generation << STATE_BITS) | state;
}

static uint64_t
generation_of(uint64_t word)
{
    return word >> STATE_BITS;
}

static unsigned
state_of(uint64_t word)
{
    return (unsigned)(word & ((1 << STATE_BITS) - 1));
}

/* NULL for a slot that does not exist yet. */
static llmlab__slot_t *
slot_at(uint32_t index)
{
    llmlab__slot_t *chunk = atomic_load(&chunks[index / CHUNK_SLOTS]);

    return chunk == NULL ? NULL : &chunk[index % CHUNK_SLOTS];
}

/* A slot whose index came out of a stack exists. */
static llmlab__slot_t *
stacked_slot(uint32_t index)
{
    return &atomic_load(&chunks[index / CHUNK_SLOTS])[index % CHUNK_SLOTS];
}

static uint32_t
shard_here(void)
{
    uintptr_t stack = (uintptr_t)__builtin_frame_address(0) >> 16;

    return (uint32_t)((stack * UINT64_C(0x9e3779b97f4a7c15)) >>
                      (64 - SHARD_BITS));
}

static void
push(llmlab__slot_t *slot)
{
    shard_t *shard = &shards[slot->shard];
    uint64_t top = atomic_load_explicit(&shard->top, memory_order_relaxed);
    uint64_t wanted;

    do {
        atomic_store_explicit(&slot->next, (uint32_t)top, memory_order_relaxed);
        wanted = ((top >> 32) + 1) << 32 | (slot->index + 1);
    } while (!atomic_compare_exchange_weak_explicit(
        &shard->top, &top, wanted, memory_order_release, memory_order_relaxed));
}

static llmlab__slot_t *
pop(shard_t *shard)
{
    uint64_t top = atomic_load_explicit(&shard->top, memory_order_acquire);
    llmlab__slot_t *slot;
    uint64_t wanted;

    do {
        if ((uint32_t)top == 0) {
            return NULL;
        }
        slot = stacked_slot((uint32_t)top - 1);
        wanted = ((top >> 32) + 1) << 32 |
                 atomic_load_explicit(&slot->next, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(
        &shard->top, &top, wanted, memory_order_acquire, memory_order_acquire));
    return slot;
}

/* One more chunk for a shard; one of its slots is the caller's. */
static llmlab__slot_t *
grow(uint32_t shard)
{
    llmlab__slot_t *chunk = llmlab__calloc(CHUNK_SLOTS, sizeof *chunk);
    uint32_t number;
    uint32_t i;

    if (chunk == NULL) {
        return NULL;
    }
    number = atomic_fetch_add(&chunk_count, 1);
    if (number >= CHUNKS) {
        atomic_fetch_sub(&chunk_count, 1);
        llmlab__free(chunk);
        return NULL;
    }
    for (i = 0; i < CHUNK_SLOTS; i++) {
        chunk[i].index = number * CHUNK_SLOTS + i;
        chunk[i].shard = shard;
        atomic_init(&chunk[i].state, word_of(1, FREE));
    }
    atomic_store(&chunks[number], chunk);
    for (i = 1; i < CHUNK_SLOTS; i++) {
        push(&chunk[i]);
    }
    return &chunk[0];
}

llmlab__slot_t *
llmlab__handle_new(llmlab__handle_kind_t kind, int client)
{
    uint32_t shard = shard_here();
    llmlab__slot_t *slot = pop(&shards[shard]);
    uint64_t word;

    if (slot == NULL) {
        slot = grow(shard);
        if (slot == NULL) {
            llmlab__fail(LLMLAB_ENOMEM, "no room for another handle");
            return NULL;
        }
    }
    word = atomic_load_explicit(&slot->state, memory_order_relaxed);
    atomic_store_explicit(&slot->client, client, memory_order_relaxed);
    atomic_store_explicit(&slot->fork, llmlab__fork_generation(),
                          memory_order_relaxed);
    /* Sequentially consistent: the caller looks at its client after this, the
     * client's close looks at the slots after it changed the client, and one
     * of the two must see the other. */
    atomic_store(&slot->state, word_of(generation_of(word), BUSY));
    slot->kind = kind;
    slot->object = NULL;
    slot->size = 0;
    return slot;
}

int64_t
llmlab__handle_publish(llmlab__slot_t *slot)
{
    uint64_t word = atomic_load_explicit(&slot->state, memory_order_relaxed);
    /* Read before the slot is let go: it may end at once. */
    int64_t handle = (int64_t)(generation_of(word) << INDEX_BITS | slot->index);

    llmlab__handle_let_go(slot);
    return handle;
}

static bool
is_forked(const llmlab__slot_t *slot)
{
    return atomic_load_explicit(&slot->fork, memory_order_relaxed) !=
           llmlab__fork_generation();
}

/* Wait a little longer each time. */
static void
back_off(unsigned turn)
{
    const struct timespec pause = {0, 50000};

    if (turn < 128) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    } else if (turn < 256) {
        sched_yield();
    } else {
        nanosleep(&pause, NULL);
    }
}

/* The compare-and-swap found something else than the idle word. */
static llmlab_status_t
hold_slowly(llmlab__slot_t *slot, uint64_t generation)
{
    unsigned turn = 0;

    for (;;) {
        uint64_t word = atomic_load(&slot->state);

        if (generation_of(word) < generation ||
            (generation_of(word) == generation && state_of(word) == FREE)) {
            return llmlab__fail(LLMLAB_EINVAL, "no such handle");
        }
        if (generation_of(word) > generation) {
            return llmlab__fail(LLMLAB_ESTALE, "the handle has ended");
        }
        if (state_of(word) == IDLE &&
            atomic_compare_exchange_strong(&slot->state, &word,
                                           word_of(generation, BUSY))) {
            return LLMLAB_OK;
        }
        if (is_forked(slot)) {
            return llmlab__fail(LLMLAB_EFORKED,
                                "the handle belongs to the parent process");
        }
        back_off(turn++);
    }
}

static llmlab_status_t
no_handle(int64_t handle)
{
    if (handle == 0) {
        return LLMLAB_EDISABLED;
    }
    return llmlab__fail(LLMLAB_EINVAL, "no such handle");
}

static inline llmlab_status_t
hold(llmlab__slot_t **out, int64_t handle, unsigned kinds, bool forked_too)
{
    uint64_t generation = (uint64_t)handle >> INDEX_BITS;
    uint64_t idle = word_of(generation, IDLE);
    llmlab__slot_t *slot;

    *out = NULL;
    if (generation - 1 >= GENERATIONS) {
        return no_handle(handle);
    }
    slot = slot_at((uint32_t)handle & ((1U << INDEX_BITS) - 1));
    if (slot == NULL) {
        return no_handle(handle);
    }
    if (!atomic_compare_exchange_strong_explicit(
            &slot->state, &idle, word_of(generation, BUSY),
            memory_order_acquire, memory_order_relaxed)) {
        llmlab_status_t status = hold_slowly(slot, generation);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    if (((unsigned)slot->kind & kinds) == 0) {
        llmlab__handle_let_go(slot);
        return llmlab__fail(LLMLAB_EINVAL, "the handle is of another kind");
    }
    if (is_forked(slot)) {
        if (forked_too) {
            *out = slot;
        } else {
            llmlab__handle_let_go(slot);
        }
        return llmlab__fail(LLMLAB_EFORKED,
                            "the handle belongs to the parent process");
    }
    *out = slot;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__handle_hold(llmlab__slot_t **out, int64_t handle, unsigned kinds)
{
    return hold(out, handle, kinds, false);
}

llmlab_status_t
llmlab__handle_hold_last(llmlab__slot_t **out, int64_t handle, unsigned kinds)
{
    return hold(out, handle, kinds, true);
}

void
llmlab__handle_let_go(llmlab__slot_t *slot)
{
    uint64_t word = atomic_load_explicit(&slot->state, memory_order_relaxed);

    atomic_store_explicit(&slot->state, word_of(generation_of(word), IDLE),
                          memory_order_release);
}

void
llmlab__handle_free(llmlab__slot_t *slot)
{
    uint64_t word = atomic_load_explicit(&slot->state, memory_order_relaxed);
    uint64_t next =
        generation_of(word) < GENERATIONS ? generation_of(word) + 1 : 1;

    slot->object = NULL;
    atomic_store_explicit(&slot->state, word_of(next, FREE),
                          memory_order_release);
    push(slot);
}

static void
sweep_slot(llmlab__slot_t *slot, int client,
           void (*discard)(llmlab__slot_t *slot))
{
    unsigned turn = 0;

    for (;;) {
        uint64_t word = atomic_load(&slot->state);

        if (state_of(word) == FREE ||
            atomic_load_explicit(&slot->client, memory_order_relaxed) !=
                client) {
            return;
        }
        if (state_of(word) == IDLE &&
            atomic_compare_exchange_strong(
                &slot->state, &word, word_of(generation_of(word), BUSY))) {
            break;
        }
        if (is_forked(slot)) {
            return; /* held by a thread that this child does not have */
        }
        back_off(turn++);
    }
    if (!is_forked(slot)) {
        discard(slot);
    }
    llmlab__handle_free(slot);
}

void
llmlab__handle_sweep(int client, void (*discard)(llmlab__slot_t *slot))
{
    uint32_t count = atomic_load(&chunk_count);
    uint32_t number;
    uint32_t i;

    for (number = 0; number < count && number < CHUNKS; number++) {
        llmlab__slot_t *chunk = atomic_load(&chunks[number]);

        for (i = 0; chunk != NULL && i < CHUNK_SLOTS; i++) {
            sweep_slot(&chunk[i], client, discard);
        }
    }
}
