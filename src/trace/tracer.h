/* The caller's side of a client: what the hot path reads. The client room
 * makes it and completes it by its hooks; struct llmlab_client_s begins with
 * one, so that a client is a tracer here. */
#ifndef LLMLAB_TRACE_TRACER_H
#define LLMLAB_TRACE_TRACER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <llmlab/client.h>

#include "queue/ring_set.h"
#include "trace/books.h"
#include "trace/record.h"
#include "usage/fingerprint.h"

typedef enum llmlab__capture_e {
    LLMLAB__CAPTURE_OFF = 0,
    LLMLAB__CAPTURE_METADATA = 1,
    LLMLAB__CAPTURE_FULL = 2
} llmlab__capture_t;

typedef enum llmlab__fingerprints_e {
    LLMLAB__FINGERPRINT_OFF = 0,
    LLMLAB__FINGERPRINT_REQUEST = 1,
    LLMLAB__FINGERPRINT_PREFIX = 2
} llmlab__fingerprints_t;

typedef struct llmlab__tracer_s llmlab__tracer_t;
typedef struct llmlab__recorders_s llmlab__recorders_t;

/* Slow-path hooks into the client room. Never NULL on an enabled tracer. */
typedef struct llmlab__tracer_hooks_s {
    /* A thread is about to record for the first time in this process (after
     * open or after a fork): make rings and worker ready. False: do not
     * record. */
    bool (*prepare)(llmlab__tracer_t *tracer);
    /* A root span of this trace has ended while live is on. */
    void (*root_ended)(llmlab__tracer_t *tracer);
    /* The model has no price: remember its name (bounded). */
    void (*unpriced)(llmlab__tracer_t *tracer, const char *provider,
                     const char *model);
} llmlab__tracer_hooks_t;

struct llmlab__tracer_s {
    /* Constant after open. */
    bool enabled;
    bool live;
    llmlab__capture_t capture;
    uint32_t capture_max_bytes;
    llmlab__fingerprints_t fingerprint;
    unsigned char fingerprint_key[LLMLAB__FINGERPRINT_KEY];
    uint64_t sample_below; /* sampled when the trace id's low half is below;
                              UINT64_MAX: all */
    int64_t full_wait_ns;  /* queue.full=wait: at most so long; 0: drop */
    llmlab__tracer_hooks_t hooks;

    llmlab__books_t books;

    /* Replaced by prepare() when the generation changes. */
    _Atomic(llmlab__ring_set_t *) rings;
    /* The fork generation in which `rings` were made. */
    _Atomic uint64_t generation;
    /* Unix time minus monotonic time; the worker refreshes it. */
    _Atomic int64_t clock_offset_ns;

    /* Of this room. recorders: what the threads record by, one for each ring,
     * made anew after a fork; key: its number, never used twice. */
    _Atomic(llmlab__recorders_t *) recorders;
    _Atomic uint64_t key;

    /* Counters of the ledger's caller side; relaxed, this process's only (they
     * restart at a fork). accepted is summed from per-thread counters;
     * accepted_outside counts what no thread's recorder could. */
    _Atomic uint64_t counted_generation;
    _Atomic uint64_t accepted_outside;
    _Atomic uint64_t stale_ends;
    _Atomic uint64_t dropped[LLMLAB_DROP_CAPACITY];
};

static inline llmlab__tracer_t *
llmlab__tracer_of(llmlab_client_t *client)
{
    return (llmlab__tracer_t *)(void *)client;
}

/* The caller-side counts, summed over the threads that recorded. */
typedef struct llmlab__tracer_counts_s {
    uint64_t accepted;
    uint64_t dropped[LLMLAB_DROP_CAPACITY];
    uint64_t stale_ends;
    uint64_t open_spans;
    uint64_t unsampled;
    uint64_t calls;
    uint64_t unpriced_calls;
    uint64_t estimated_calls;
    uint64_t input_tokens;
    uint64_t output_tokens;
    llmlab_money_t cost;
} llmlab__tracer_counts_t;

void llmlab__tracer_init(llmlab__tracer_t *tracer);
void llmlab__tracer_cleanup(llmlab__tracer_t *tracer);
void llmlab__tracer_counts(const llmlab__tracer_t *tracer,
                           llmlab__tracer_counts_t *out);

/* Price a record whose thread left that to the worker. Returns the record
 * itself when there is nothing to do, else the priced one in room, which holds
 * the record's size and LLMLAB__SETTLE_ROOM, 8-aligned. @thread worker */
#define LLMLAB__SETTLE_ROOM 640
const llmlab__record_t *llmlab__record_settle(llmlab__tracer_t *tracer,
                                              const llmlab__record_t *record,
                                              void *room);
/* Count the cost of what settle() priced: once, when it is safely taken.
 * @thread worker */
void llmlab__record_count(llmlab__tracer_t *tracer,
                          const llmlab__record_t *settled);

/* The fork generation of this process: never 0, another after each fork. One
 * load when nothing changed (see generation.h for the inline form). */
uint64_t llmlab__fork_generation(void);

#endif
