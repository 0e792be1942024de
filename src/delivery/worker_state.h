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
#include "delivery/outbox.h"
#include "delivery/price_update.h"
#include "delivery/retry.h"
#include "delivery/spool.h"
#include "delivery/worker.h"

struct llmlab__worker_s {
    llmlab__worker_config_t config;
    llmlab__ring_set_t *rings; /* own.rings */
    llmlab__ledger_t ledger;
    llmlab__ledger_t recovered; /* of what earlier processes left */

    /* The thread's own. */
    llmlab__outbox_t own;
    llmlab__outbox_t *adopted; /* what earlier processes left, oldest first */
    llmlab__spool_t spool;
    bool spool_is_open; /* it was tried */
    bool spool_fails;
    bool told_unsafe;
    bool is_delivering;
    bool is_catching_up; /* something failed, and waits still */
    bool adopted_is_next;
    int64_t next_scan_ns;    /* when to look for what others left */
    int64_t next_adopted_ns; /* when to send of it */
    unsigned scans;
    void *settle_room; /* for a record that is priced here */
    uint32_t settle_max;
    llmlab__exporter_t exporter; /* self == NULL: not made yet */
    llmlab__backoff_t backoff;
    llmlab__rng_t rng;
    int64_t next_attempt_ns; /* monotonic */
    int64_t last_active_ns;  /* when records came last */
    int64_t last_recycle_ns;
    bool is_held;            /* key, project or address were refused */
    int64_t not_before_ns;   /* the server asked for that much patience */
    uint64_t flush_until;    /* records below it belong to the flush */
    uint64_t flush_finished; /* the last ticket that was done */
    bool flush_is_partial;   /* the rings could not be emptied for it */
    llmlab__price_update_t *prices; /* NULL: none are fetched */
    int64_t prices_due_ns;
    llmlab__log_limit_t failure_log;
    llmlab__log_limit_t hold_log;
    llmlab__log_limit_t loss_log;
    llmlab__log_limit_t spool_log;

    /* Shared. */
    atomic_int stop; /* the transport reads it, too */
    atomic_bool hurry;
    atomic_bool wants_all; /* a flush waits for what was adopted, too */
    atomic_bool is_muted;  /* the client is gone: log no more */
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

/* worker_drain.c: empty the rings into segments, and those onto disk. The time
 * is CLOCK_MONOTONIC. */
void llmlab__worker_drain(llmlab__worker_t *worker, int64_t now_ns);
void llmlab__worker_drain_outbox(llmlab__worker_t *worker,
                                 llmlab__outbox_t *outbox, int64_t now_ns);
/* How large a segment must be for records of these rings. */
size_t llmlab__worker_segment_bytes(const llmlab__worker_t *worker,
                                    uint32_t max_record);
/* Open the spool's directory, once. */
void llmlab__worker_open_spool(llmlab__worker_t *worker);
/* The last drain, and nothing after it: put everything on disk that can be. */
void llmlab__worker_save(llmlab__worker_t *worker);

/* Is there a batch to send, and when? INT64_MAX: there is none. */
int64_t llmlab__worker_send_time(const llmlab__worker_t *worker);
/* Fetch prices, when it is time. Waits for nothing. */
void llmlab__worker_update_prices(llmlab__worker_t *worker, int64_t now_ns);
/* Try to deliver the oldest sealed batch. */
void llmlab__worker_send(llmlab__worker_t *worker);
/* The oldest batch of an outbox has left, to a sink: count its records. */
void llmlab__worker_finish(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
                           const llmlab__delivery_t *delivery,
                           _Atomic uint64_t *sink);
/* Drop, and count, what was not delivered until now and is not on disk. */
void llmlab__worker_give_up(llmlab__worker_t *worker);

/* recovery.c: look for what processes that are gone have left; go on with what
 * was adopted; let it go, for others to send. */
void llmlab__worker_scan(llmlab__worker_t *worker, int64_t now_ns);
/* When that must be, even if nothing else is to do; INT64_MAX: it need not. */
int64_t llmlab__worker_scan_time(const llmlab__worker_t *worker,
                                 int64_t now_ns);
void llmlab__worker_tend(llmlab__worker_t *worker, int64_t now_ns);
void llmlab__worker_leave(llmlab__worker_t *worker);
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
