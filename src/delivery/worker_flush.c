#include "delivery/worker_state.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/sabotage.h"
#include "base/status.h"

#define NS_PER_S    INT64_C(1000000000)
#define NS_PER_MS   INT64_C(1000000)
#define WAIT_MAX_MS (INT64_C(86400) * 365 * 1000)

static struct timespec
time_of(int64_t ns)
{
    struct timespec t = {ns / NS_PER_S, ns % NS_PER_S};

    return t;
}

void
llmlab__worker_wake(llmlab__worker_t *worker)
{
    pthread_mutex_lock(&worker->lock);
    pthread_cond_broadcast(&worker->changed);
    /* The exporter exists for as long as the thread does not end, which it
     * cannot while the lock is held. */
    if (worker->exporter_wake != NULL) {
        worker->exporter_wake(worker->exporter_self);
    }
    pthread_mutex_unlock(&worker->lock);
    llmlab__ring_set_wake(worker->rings);
}

void
llmlab__worker_sleep(llmlab__worker_t *worker, int64_t until_ns)
{
    struct timespec until = time_of(until_ns);

    pthread_mutex_lock(&worker->lock);
    while (atomic_load(&worker->stop) == 0 &&
           worker->flush_wanted == worker->flush_seen &&
           pthread_cond_timedwait(&worker->changed, &worker->lock, &until) !=
               ETIMEDOUT) {
    }
    pthread_mutex_unlock(&worker->lock);
}

bool
llmlab__worker_await_end(llmlab__worker_t *worker, int64_t deadline_ns)
{
    struct timespec deadline = time_of(deadline_ns);
    bool has_ended;

    pthread_mutex_lock(&worker->lock);
    while (!worker->has_ended &&
           pthread_cond_timedwait(&worker->changed, &worker->lock, &deadline) !=
               ETIMEDOUT) {
    }
    has_ended = worker->has_ended;
    pthread_mutex_unlock(&worker->lock);
    return has_ended;
}

void
llmlab__worker_begin_flush(llmlab__worker_t *worker)
{
    bool is_new;

    pthread_mutex_lock(&worker->lock);
    is_new = worker->flush_wanted != worker->flush_seen;
    worker->flush_seen = worker->flush_wanted;
    pthread_mutex_unlock(&worker->lock);
    if (!is_new) {
        return;
    }
    /* Until nothing comes any more, or nothing can. Records that keep coming
     * are not this flush's: so many rounds empty the largest rings. */
    for (int i = 0; i < 64; i++) {
        llmlab__worker_drain(worker, llmlab__clock_mono_ns());
        if (worker->own.taken == 0) {
            break;
        }
    }
    llmlab__batches_seal(&worker->own.batches);
    worker->flush_until = worker->own.next_number;
    worker->flush_is_partial = worker->own.is_full;
    worker->next_attempt_ns = worker->not_before_ns;
}

/* Has everything below the flush's bound left? */
static bool
is_flushed(llmlab__worker_t *worker)
{
    const llmlab__batch_t *head = llmlab__batches_head(&worker->own.batches);

    if (worker->flush_is_partial ||
        (worker->adopted != NULL && atomic_load(&worker->wants_all))) {
        return false;
    }
    if (head != NULL) {
        return head->first >= worker->flush_until;
    }
    return worker->own.batches.open.count == 0 ||
           worker->own.batches.open.first >= worker->flush_until;
}

void
llmlab__worker_end_flush(llmlab__worker_t *worker)
{
    if (worker->flush_seen == worker->flush_finished) {
        return;
    }
    if (worker->flush_is_partial && !worker->own.is_full) {
        /* There was no room for all: what could not be taken then is taken
         * now, and belongs to the flush. */
        worker->flush_is_partial = false;
        llmlab__batches_seal(&worker->own.batches);
        worker->flush_until = worker->own.next_number;
    }
    pthread_mutex_lock(&worker->lock);
    if (is_flushed(worker)) {
        worker->flush_finished = worker->flush_seen;
        worker->flush_done = worker->flush_seen;
        pthread_cond_broadcast(&worker->changed);
    } else if (worker->is_held) {
        worker->flush_held = worker->flush_seen;
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
}

static uint64_t
sum_dropped(const llmlab_stats_t *stats)
{
    uint64_t sum = 0;

    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        sum += stats->dropped[i];
    }
    return sum;
}

static void
fill_result(const llmlab_stats_t *before, const llmlab_stats_t *after,
            llmlab_flush_result_t *out)
{
    memset(out, 0, sizeof(*out));
    out->delivered = after->delivered - before->delivered;
    out->rejected =
        after->rejected + after->dead - before->rejected - before->dead;
    out->dropped = sum_dropped(after) - sum_dropped(before);
    out->spooled = after->spooled;
    out->pending = after->queued + after->in_flight;
}

static llmlab_status_t
why_pending(llmlab__worker_t *worker, bool is_held)
{
    llmlab_status_t last =
        (llmlab_status_t)atomic_load(&worker->ledger.last_status);

    if (is_held) {
        return llmlab__fail(last, "the server refused the batch: HTTP %d",
                            atomic_load(&worker->ledger.last_http_status));
    }
    if (last == LLMLAB_ENETWORK) {
        return llmlab__fail(last, "the server could not be reached in time");
    }
    return llmlab__fail(LLMLAB_ETIMEOUT, "the deadline passed");
}

llmlab_status_t
llmlab__worker_flush(llmlab__worker_t *worker, int64_t timeout_ms,
                     llmlab_flush_result_t *result)
{
    struct timespec deadline = time_of(
        llmlab__clock_mono_ns() +
        (timeout_ms < WAIT_MAX_MS ? timeout_ms : WAIT_MAX_MS) * NS_PER_MS);
    llmlab_flush_result_t unused;
    llmlab_stats_t before;
    llmlab_stats_t after;
    uint64_t ticket;
    bool is_done;
    bool is_held;

    deadline.tv_sec += llmlab__sabotaged("deadlines_slip");
    llmlab_stats_init(&before);
    llmlab__worker_stats(worker, worker->config.tracer, &before);
    pthread_mutex_lock(&worker->lock);
    ticket = ++worker->flush_wanted;
    pthread_mutex_unlock(&worker->lock);
    llmlab__worker_wake(worker);

    pthread_mutex_lock(&worker->lock);
    while (worker->flush_done < ticket && worker->flush_held < ticket &&
           !worker->has_ended && worker->has_started &&
           pthread_cond_timedwait(&worker->changed, &worker->lock, &deadline) !=
               ETIMEDOUT) {
    }
    is_done = worker->flush_done >= ticket;
    is_held = worker->flush_held >= ticket;
    pthread_mutex_unlock(&worker->lock);

    llmlab_stats_init(&after);
    llmlab__worker_stats(worker, worker->config.tracer, &after);
    fill_result(&before, &after, result != NULL ? result : &unused);
    /* What is on disk is safe; that the server refuses is told in any case. */
    if (is_done || (!is_held && after.queued + after.in_flight == 0)) {
        return LLMLAB_OK;
    }
    return why_pending(worker, is_held);
}
