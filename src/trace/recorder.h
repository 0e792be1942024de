/* What one thread records by: its ring, its random numbers, its stock of spans
 * and blocks, its counters. A recorder belongs to a ring and passes with it to
 * the next thread when its owner has ended, so that nothing needs to run when a
 * thread ends. */
#ifndef LLMLAB_TRACE_RECORDER_H
#define LLMLAB_TRACE_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <llmlab/span.h>

#include "base/id.h"
#include "trace/generation.h"
#include "trace/tracer.h"

/* Memory for what outgrows a span: attributes, captured text. */
typedef struct llmlab__block_s {
    struct llmlab__block_s *next;
    uint32_t used;
    unsigned char data[];
} llmlab__block_t;

typedef struct llmlab__recorder_s {
    /* Set while the owner is inside: a signal handler that finds it set leaves
     * the recorder alone. Cleared with release, read with acquire by the next
     * owner. */
    _Atomic uint32_t busy;
    uint32_t stock; /* spans in the list below */
    llmlab__ring_t *ring;
    llmlab_span_t *first; /* free spans, oldest first */
    llmlab_span_t *last;
    llmlab__rng_t rng;
    llmlab__block_t *blocks;

    /* Written by the owner alone. */
    _Atomic uint64_t started;
    _Atomic uint64_t ended;
    _Atomic uint64_t accepted;
    _Atomic uint64_t unsampled;
    _Atomic uint64_t calls;
    _Atomic uint64_t unpriced_calls;
    _Atomic uint64_t estimated_calls;
    _Atomic uint64_t input_tokens;
    _Atomic uint64_t output_tokens;
    _Atomic uint32_t cost_version; /* odd while the cost is written */
    _Atomic uint64_t cost_low;
    _Atomic uint64_t cost_high;
} llmlab__recorder_t;

/* All recorders of a client in this process. */
struct llmlab__recorders_s {
    llmlab__ring_set_t *rings;
    uint64_t generation;
    uint64_t key;
    uint32_t block_bytes; /* a record's largest size */
    uint32_t items_room;  /* of it, what a span's own items may take */
    uint32_t capacity;
    llmlab__recorder_t late; /* the worker's: what it has priced */
    _Atomic uint64_t ended_outside;
    _Atomic uint64_t bytes;            /* allocated below */
    _Atomic(void *) memory;            /* all allocations, linked */
    _Atomic(llmlab_span_t *) spans;    /* spans that a thread had too many of */
    _Atomic(llmlab__block_t *) blocks; /* likewise */
    _Atomic(llmlab__recorder_t *) at[];
};

/* A thread's own few words. Little, because a library that is loaded late has
 * only a small share of the static thread-local storage. */
typedef struct llmlab__thread_s {
    uint64_t key; /* of the recorders that recorder belongs to */
    uint64_t generation;
    llmlab__recorder_t *recorder; /* NULL: there was no ring for it */
    llmlab_span_t *current;
    uint32_t finding; /* inside the slow path */
    uint32_t misses;
} llmlab__thread_t;

extern __thread llmlab__thread_t llmlab__thread
    __attribute__((tls_model("initial-exec")));

/* The slow path of the function below. */
llmlab__recorder_t *llmlab__recorder_find(llmlab__tracer_t *tracer,
                                          llmlab_drop_t *why);

/* The calling thread's recorder, to be left again; NULL and why. */
static inline llmlab__recorder_t *
llmlab__recorder_enter(llmlab__tracer_t *tracer, llmlab_drop_t *why)
{
    const llmlab__thread_t *thread = &llmlab__thread;
    llmlab__recorder_t *recorder = thread->recorder;

    if (__builtin_expect(
            recorder == NULL ||
                thread->key !=
                    atomic_load_explicit(&tracer->key, memory_order_relaxed) ||
                thread->generation != llmlab__generation_now(),
            0)) {
        recorder = llmlab__recorder_find(tracer, why);
        if (recorder == NULL) {
            return NULL;
        }
    }
    if (__builtin_expect(
            atomic_load_explicit(&recorder->busy, memory_order_relaxed) != 0,
            0)) {
        *why = LLMLAB_DROP_REENTERED;
        return NULL;
    }
    atomic_store_explicit(&recorder->busy, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return recorder;
}

static inline void
llmlab__recorder_leave(llmlab__recorder_t *recorder)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&recorder->busy, 0, memory_order_release);
}

/* A record that no recorder could take. */
void llmlab__tracer_dropped(llmlab__tracer_t *tracer, llmlab_drop_t why);

/* The counters begin anew in a child. */
void llmlab__tracer_note_generation(llmlab__tracer_t *tracer,
                                    uint64_t generation);

/* Add to a counter that only the calling thread writes. */
static inline void
llmlab__count(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
        memory_order_relaxed);
}

void llmlab__count_cost(llmlab__recorder_t *recorder, llmlab_money_t cost);

/* A span that was not in use for a while, so that ending a span twice hits a
 * free one; NULL when out of memory. */
llmlab_span_t *llmlab__recorder_take_span(llmlab__recorder_t *recorder,
                                          llmlab__recorders_t *recorders);
/* recorder may be NULL: then to all threads. */
void llmlab__recorder_give_span(llmlab__recorder_t *recorder,
                                llmlab__recorders_t *recorders,
                                llmlab_span_t *span);

llmlab__block_t *llmlab__recorder_take_block(llmlab__recorder_t *recorder,
                                             llmlab__recorders_t *recorders);
void llmlab__recorder_give_blocks(llmlab__recorders_t *recorders,
                                  llmlab__block_t *blocks);

#endif
