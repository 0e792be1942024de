#include "trace/recorder.h"

#include <string.h>

#include "base/alloc.h"
#include "trace/span.h"

#define RELAXED memory_order_relaxed

/* All spans and blocks of a client. Who opens more spans than this holds has
 * forgotten to end them. */
#define MEMORY_MAX ((uint64_t)64 << 20)

/* So many free spans rest before the oldest of them is used again. */
#define STOCK_MIN 8
/* Above this a thread gives spans to all: it ends what others start. */
#define STOCK_MAX 64

/* A thread that found no ring asks again only each so many records. */
#define MISSES_BETWEEN 64

/* For the two texts that a price adds when a span ends. */
#define PRICE_ROOM 320

#define LINE ((size_t)128)

__thread llmlab__thread_t llmlab__thread
    __attribute__((tls_model("initial-exec")));

void
llmlab__tracer_note_generation(llmlab__tracer_t *tracer, uint64_t generation)
{
    uint64_t counted = atomic_load(&tracer->counted_generation);

    if (counted == generation ||
        !atomic_compare_exchange_strong(&tracer->counted_generation, &counted,
                                        generation)) {
        return;
    }
    atomic_store(&tracer->accepted_outside, 0);
    atomic_store(&tracer->stale_ends, 0);
    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        atomic_store(&tracer->dropped[i], 0);
    }
}

void
llmlab__tracer_dropped(llmlab__tracer_t *tracer, llmlab_drop_t why)
{
    atomic_fetch_add_explicit(&tracer->accepted_outside, 1, RELAXED);
    atomic_fetch_add_explicit(&tracer->dropped[why], 1, RELAXED);
}

/* Aligned so that no two threads' recorders share a line. All of it is freed
 * with the recorders, none before: a span that is ended twice must still be
 * memory. */
static void *
allocate(llmlab__recorders_t *recorders, size_t size)
{
    size_t whole = size + 2 * LINE;
    unsigned char *memory;
    void *next;

    if (atomic_fetch_add_explicit(&recorders->bytes, whole, RELAXED) + whole >
        MEMORY_MAX) {
        atomic_fetch_sub_explicit(&recorders->bytes, whole, RELAXED);
        return NULL;
    }
    memory = llmlab__calloc(1, whole);
    if (memory == NULL) {
        return NULL;
    }
    next = atomic_load_explicit(&recorders->memory, RELAXED);
    do {
        memcpy(memory, &next, sizeof(next));
    } while (!atomic_compare_exchange_weak_explicit(
        &recorders->memory, &next, memory, memory_order_release, RELAXED));
    memory += LINE;
    return memory + (LINE - (uintptr_t)memory % LINE) % LINE;
}

static void
free_recorders(llmlab__recorders_t *recorders)
{
    unsigned char *memory =
        recorders != NULL ? atomic_load(&recorders->memory) : NULL;

    while (memory != NULL) {
        void *next;

        memcpy(&next, memory, sizeof(next));
        llmlab__free(memory);
        memory = next;
    }
    llmlab__free(recorders);
}

void
llmlab__tracer_init(llmlab__tracer_t *tracer)
{
    memset(tracer, 0, sizeof(*tracer));
    tracer->sample_below = UINT64_MAX;
    llmlab__books_init(&tracer->books, NULL, false);
    atomic_store(&tracer->counted_generation, llmlab__fork_generation());
}

/* A child leaves alone what its parent's threads were using. */
void
llmlab__tracer_cleanup(llmlab__tracer_t *tracer)
{
    llmlab__recorders_t *recorders = atomic_exchange(&tracer->recorders, NULL);

    atomic_store(&tracer->key, 0);
    if (recorders != NULL &&
        recorders->generation == llmlab__fork_generation()) {
        free_recorders(recorders);
    }
    llmlab__books_cleanup(&tracer->books);
}

static llmlab__recorders_t *
new_recorders(llmlab__ring_set_t *rings, uint64_t generation)
{
    static _Atomic uint64_t last_key;
    uint32_t capacity = llmlab__ring_set_capacity(rings);
    llmlab__recorders_t *recorders = llmlab__calloc(
        1, sizeof(*recorders) + capacity * sizeof(recorders->at[0]));

    if (recorders != NULL) {
        recorders->rings = rings;
        recorders->generation = generation;
        recorders->key = atomic_fetch_add(&last_key, 1) + 1;
        recorders->capacity = capacity;
        recorders->block_bytes = llmlab__ring_max_record(rings);
        recorders->items_room = recorders->block_bytes -
                                (uint32_t)sizeof(llmlab__record_t) -
                                LLMLAB__SPAN_IDENTITY - PRICE_ROOM;
    }
    return recorders;
}

/* The recorders of this process; those of the parent are left as they are. */
static llmlab__recorders_t *
recorders_of(llmlab__tracer_t *tracer, uint64_t generation)
{
    llmlab__recorders_t *known = atomic_load(&tracer->recorders);
    llmlab__ring_set_t *rings = atomic_load(&tracer->rings);
    llmlab__recorders_t *fresh;

    if (known != NULL && known->generation == generation) {
        return known;
    }
    fresh = new_recorders(rings, generation);
    if (fresh == NULL) {
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&tracer->recorders, &known, fresh)) {
        llmlab__free(fresh);
        return known;
    }
    atomic_store(&tracer->key, fresh->key);
    return fresh;
}

/* The recorder of a ring that this thread has just got. */
static llmlab__recorder_t *
recorder_at(llmlab__recorders_t *recorders, llmlab__ring_t *ring)
{
    _Atomic(llmlab__recorder_t *) *place =
        &recorders->at[llmlab__ring_index(ring)];
    llmlab__recorder_t *recorder = atomic_load(place);

    if (recorder == NULL) {
        recorder = allocate(recorders, sizeof(*recorder));
        if (recorder == NULL) {
            return NULL;
        }
        llmlab__rng_seed(&recorder->rng);
        recorder->ring = ring;
        atomic_store(place, recorder);
    }
    /* The last owner may have ended inside, in a signal handler. */
    atomic_load_explicit(&recorder->busy, memory_order_acquire);
    atomic_store_explicit(&recorder->busy, 0, RELAXED);
    return recorder;
}

static bool
prepared(llmlab__tracer_t *tracer, uint64_t generation)
{
    llmlab__tracer_note_generation(tracer, generation);
    return (atomic_load(&tracer->rings) != NULL &&
            atomic_load(&tracer->generation) == generation) ||
           tracer->hooks.prepare(tracer);
}

static llmlab__recorder_t *
find(llmlab__tracer_t *tracer, llmlab__thread_t *thread)
{
    uint64_t generation = llmlab__fork_generation();
    llmlab__recorders_t *recorders;
    llmlab__ring_t *ring;

    if (thread->generation == generation &&
        thread->key == atomic_load(&tracer->key) && thread->key != 0 &&
        ++thread->misses % MISSES_BETWEEN != 0) {
        return thread->recorder;
    }
    if (!prepared(tracer, generation)) {
        return NULL;
    }
    recorders = recorders_of(tracer, generation);
    if (recorders == NULL) {
        return NULL;
    }
    ring = llmlab__ring_set_acquire(recorders->rings);
    thread->recorder = ring == NULL ? NULL : recorder_at(recorders, ring);
    thread->key = recorders->key;
    thread->generation = generation;
    return thread->recorder;
}

__attribute__((noinline)) llmlab__recorder_t *
llmlab__recorder_find(llmlab__tracer_t *tracer, llmlab_drop_t *why)
{
    llmlab__thread_t *thread = &llmlab__thread;
    llmlab__recorder_t *recorder;

    if (thread->finding != 0) {
        *why = LLMLAB_DROP_REENTERED;
        return NULL;
    }
    thread->finding = 1;
    atomic_signal_fence(memory_order_seq_cst);
    recorder = find(tracer, thread);
    atomic_signal_fence(memory_order_seq_cst);
    thread->finding = 0;
    *why = LLMLAB_DROP_NO_MEMORY;
    return recorder;
}

/* Spans. */

/* A list that all threads push to and whose taker takes it whole, so that no
 * node can come back under a compare-and-swap. */
static void
share_span(llmlab__recorders_t *recorders, llmlab_span_t *span)
{
    llmlab_span_t *head = atomic_load_explicit(&recorders->spans, RELAXED);

    do {
        span->next = head;
    } while (!atomic_compare_exchange_weak_explicit(
        &recorders->spans, &head, span, memory_order_release, RELAXED));
}

static void
stock_span(llmlab__recorder_t *recorder, llmlab_span_t *span)
{
    span->next = NULL;
    if (recorder->last != NULL) {
        recorder->last->next = span;
    } else {
        recorder->first = span;
    }
    recorder->last = span;
    recorder->stock++;
}

static llmlab_span_t *
unstock_span(llmlab__recorder_t *recorder)
{
    llmlab_span_t *span = recorder->first;

    if (span != NULL) {
        recorder->first = span->next;
        if (recorder->first == NULL) {
            recorder->last = NULL;
        }
        recorder->stock--;
    }
    return span;
}

static __attribute__((noinline)) llmlab_span_t *
find_span(llmlab__recorder_t *recorder, llmlab__recorders_t *recorders)
{
    llmlab_span_t *shared =
        atomic_exchange_explicit(&recorders->spans, NULL, memory_order_acquire);
    llmlab_span_t *span;

    while (shared != NULL) {
        llmlab_span_t *next = shared->next;

        stock_span(recorder, shared);
        shared = next;
    }
    if (recorder->stock > STOCK_MIN) {
        return unstock_span(recorder);
    }
    span = allocate(recorders, sizeof(*span));
    if (span == NULL) {
        return unstock_span(recorder);
    }
    span->recorders = recorders;
    span->generation = recorders->generation;
    return span;
}

llmlab_span_t *
llmlab__recorder_take_span(llmlab__recorder_t *recorder,
                           llmlab__recorders_t *recorders)
{
    if (__builtin_expect(recorder->stock <= STOCK_MIN, 0)) {
        return find_span(recorder, recorders);
    }
    return unstock_span(recorder);
}

void
llmlab__recorder_give_span(llmlab__recorder_t *recorder,
                           llmlab__recorders_t *recorders, llmlab_span_t *span)
{
    if (recorder == NULL || recorder->stock >= STOCK_MAX) {
        share_span(recorders, span);
    } else {
        stock_span(recorder, span);
    }
}

/* Blocks are rare: they go back to all threads, and whoever finds none of its
 * own takes all. */
llmlab__block_t *
llmlab__recorder_take_block(llmlab__recorder_t *recorder,
                            llmlab__recorders_t *recorders)
{
    llmlab__block_t *block = recorder->blocks;

    if (block == NULL) {
        block = atomic_exchange_explicit(&recorders->blocks, NULL,
                                         memory_order_acquire);
    }
    if (block == NULL) {
        block = allocate(recorders, sizeof(*block) + recorders->block_bytes);
    }
    if (block != NULL) {
        recorder->blocks = block->next;
        block->next = NULL;
        block->used = 0;
    }
    return block;
}

void
llmlab__recorder_give_blocks(llmlab__recorders_t *recorders,
                             llmlab__block_t *blocks)
{
    while (blocks != NULL) {
        llmlab__block_t *next = blocks->next;
        llmlab__block_t *head =
            atomic_load_explicit(&recorders->blocks, RELAXED);

        do {
            blocks->next = head;
        } while (!atomic_compare_exchange_weak_explicit(
            &recorders->blocks, &head, blocks, memory_order_release, RELAXED));
        blocks = next;
    }
}
