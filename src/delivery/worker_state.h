/* The worker's inside, shared by worker.c, worker_send.c and worker_flush.c. */
#ifndef LLMLAB_DELIVERY_WORKER_STATE_H
#define LLMLAB_DELIVERY_WORKER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "base/log.h"
#include "delivery/batch.h"
#include "delivery/exit_hook.h"
#include "delivery/exporter.h"
#include "delivery/ledger.h"
#include "delivery/retry.h"
#include "delivery/segment.h"
#include "delivery/worker.h"

struct llmlab__worker_s {
    llmlab__worker_config_t config;
    llmlab__ring_set_t *rings;
    llmlab__ledger_t ledger;
    char instance[37];

    /* The thread's own. */
    llmlab__segments_t segments;
    void *settle_room; /* for a record that is priced here */
    llmlab__batches_t batches;
    llmlab__exporter_t exporter; /* self == NULL: not made yet */
    llmlab__backoff_t backoff;
    llmlab__rng_t rng;
    uint64_t next_number;
    uint64_t in_flight_until; /* records below it are in flight, or gone */
    unsigned tries;           /* of the oldest batch */
    int64_t next_attempt_ns;  /* monotonic */
    int64_t last_active_ns;   /* when records came last */
    int64_t last_recycle_ns;
    int64_t offset_ns;       /* Unix time minus monotonic time */
    uint64_t taken;          /* by the drain under way: records, and */
    uint64_t corrupt;        /* such as failed their check */
    bool is_full;            /* the last drain found no room */
    bool is_held;            /* key, project or address were refused */
    int64_t not_before_ns;   /* the server asked for that much patience */
    uint64_t flush_until;    /* records below it belong to the flush */
    uint64_t flush_finished; /* the last ticket that was done */
    bool flush_is_partial;   /* the rings could not be emptied for it */
    llmlab__log_limit_t failure_log;
    llmlab__log_limit_t hold_log;
    llmlab__log_limit_t loss_log;

    /* Shared. */
    atomic_int stop; /* the transport reads it, too */
    atomic_bool hurry;
    atomic_bool is_muted; /* the client is gone: log no more */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    /* The lock guards these. Flushes are tickets: wanted, taken up, done, or
     * told that the server refuses. */
    uint64_t flush_wanted;
    uint64_t flush_seen; /* written by the thread alone */
    uint64_t flush_done;
    uint64_t flush_held;
    void (*exporter_wake)(void *self); /* NULL: nothing to wake */
    void *exporter_self;
    bool has_started;
    bool has_ended;
    bool is_abandoned;
    pthread_t thread;
    llmlab__exit_node_t exit_node;
};

#define llmlab__worker_say(worker, level, ...)                               \
    do {                                                                     \
        if (!atomic_load(&(worker)->is_muted)) {                             \
            llmlab__log((worker)->config.options.log, (level), __VA_ARGS__); \
        }                                                                    \
    } while (0)

/* Empty the rings into segments. The time is CLOCK_MONOTONIC. */
void llmlab__worker_drain(llmlab__worker_t *worker, int64_t now_ns);
/* Try to deliver the oldest sealed batch. */
void llmlab__worker_send(llmlab__worker_t *worker);
/* Drop, and count, what was not delivered until now. */
void llmlab__worker_give_up(llmlab__worker_t *worker);
/* Let the exporter go; its hooks run on the thread. */
void llmlab__worker_close_exporter(llmlab__worker_t *worker);

/* Take a new flush up, if there is one; tell those that are done. */
void llmlab__worker_begin_flush(llmlab__worker_t *worker);
void llmlab__worker_end_flush(llmlab__worker_t *worker);
/* Wake the thread wherever it sleeps. */
void llmlab__worker_wake(llmlab__worker_t *worker);
/* Wait until the thread has ended; false past the deadline. */
bool llmlab__worker_await_end(llmlab__worker_t *worker, int64_t deadline_ns);
/* Sleep on the condition until the time, a new flush, or a stop. */
void llmlab__worker_sleep(llmlab__worker_t *worker, int64_t until_ns);

#endif
