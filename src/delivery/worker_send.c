#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "delivery/worker_state.h"

#define NS_PER_MS        INT64_C(1000000)
#define LOG_EVERY_NS     (60 * INT64_C(1000000000))
#define EXPORTER_AGAIN_S 5

static void
drain_meanwhile(void *payload)
{
    llmlab__worker_drain(payload, llmlab__clock_mono_ns());
}

static bool
make_exporter(llmlab__worker_t *worker, llmlab__exporter_t *out)
{
    const llmlab__worker_config_t *config = &worker->config;
    llmlab__transport_t transport;

    switch (config->options.exporter) {
    case LLMLAB__EXPORT_CONSOLE:
        return llmlab__exporter_console(out);
    case LLMLAB__EXPORT_FILE:
        return llmlab__exporter_file(out, &config->options, worker->instance);
    case LLMLAB__EXPORT_MEMORY:
        llmlab__mock_transport(config->mock, &transport);
        break;
    default:
        if (config->transport.send != NULL) {
            memset(&transport, 0, sizeof(transport));
            transport.hooks = config->transport;
        } else if (!llmlab__transport_curl_new(&transport, &config->options,
                                               drain_meanwhile, worker)) {
            llmlab__fail(LLMLAB_ECONFIG, "libcurl refuses the settings");
            return false;
        }
        break;
    }
    return llmlab__exporter_http(out, &config->options, worker->instance,
                                 &transport);
}

/* The exporter is made when there is something to export. */
static bool
open_exporter(llmlab__worker_t *worker)
{
    llmlab__exporter_t exporter;
    uint64_t skipped;

    if (worker->exporter.self != NULL) {
        return true;
    }
    memset(&exporter, 0, sizeof(exporter));
    if (!make_exporter(worker, &exporter)) {
        if (llmlab__log_allowed(&worker->failure_log, LOG_EVERY_NS, &skipped)) {
            llmlab__worker_say(worker, LLMLAB_LOG_ERROR,
                               "cannot deliver: %s; calls are kept",
                               llmlab_status_detail());
        }
        return false;
    }
    pthread_mutex_lock(&worker->lock);
    worker->exporter = exporter;
    worker->exporter_wake = exporter.wake;
    worker->exporter_self = exporter.self;
    pthread_mutex_unlock(&worker->lock);
    return true;
}

void
llmlab__worker_close_exporter(llmlab__worker_t *worker)
{
    llmlab__exporter_t exporter = worker->exporter;

    pthread_mutex_lock(&worker->lock);
    worker->exporter_wake = NULL;
    memset(&worker->exporter, 0, sizeof(worker->exporter));
    pthread_mutex_unlock(&worker->lock);
    if (exporter.self != NULL) {
        exporter.destroy(exporter.self);
    }
    if (worker->config.transport.destroy != NULL &&
        (exporter.self == NULL ||
         worker->config.options.exporter != LLMLAB__EXPORT_SERVER)) {
        /* The user's, which no exporter of ours took over. */
        worker->config.transport.destroy(worker->config.transport.self);
    }
}

/* The oldest batch has left: count where its records went. */
static void
finish(llmlab__worker_t *worker, const llmlab__delivery_t *delivery,
       _Atomic uint64_t *sink)
{
    llmlab__ledger_t *ledger = &worker->ledger;
    llmlab__batch_t batch = *llmlab__batches_head(&worker->batches);
    uint64_t rest = batch.count;
    uint64_t corrupt = delivery->corrupt < rest ? delivery->corrupt : rest;
    uint64_t rejected;

    rest -= corrupt;
    rejected = delivery->rejected < rest ? delivery->rejected : rest;
    rest -= rejected;
    atomic_fetch_sub(&ledger->in_flight, batch.count);
    atomic_fetch_add(&ledger->dropped[LLMLAB_DROP_CORRUPT], corrupt);
    atomic_fetch_add(&ledger->rejected, rejected);
    atomic_fetch_add(sink, rest);
    llmlab__batches_pop(&worker->batches);
    llmlab__segments_release(&worker->segments, &batch.end);
    worker->tries = 0;
    worker->next_attempt_ns = 0;
}

/* Records are in flight from the first attempt until they are gone. */
static void
move_in_flight(llmlab__worker_t *worker, const llmlab__batch_t *batch)
{
    if (batch->first >= worker->in_flight_until) {
        worker->in_flight_until = batch->first + batch->count;
        llmlab__ledger_move(&worker->ledger.queued, &worker->ledger.in_flight,
                            batch->count);
    }
}

static bool
discard(void *payload, const void *bytes, uint32_t size)
{
    llmlab__worker_t *worker = payload;
    const llmlab__record_t *record = bytes;

    if (record == NULL) {
        worker->corrupt += size;
    } else if (!llmlab__record_check(bytes, size)) {
        worker->corrupt++;
    } else if (record->type != LLMLAB__RECORD_CHUNK) {
        worker->taken++;
    }
    return true;
}

void
llmlab__worker_give_up(llmlab__worker_t *worker)
{
    static const llmlab__delivery_t nowhere;
    llmlab__ledger_t *ledger = &worker->ledger;
    const llmlab__batch_t *batch;

    llmlab__batches_seal(&worker->batches);
    while ((batch = llmlab__batches_head(&worker->batches)) != NULL) {
        move_in_flight(worker, batch);
        finish(worker, &nowhere, &ledger->dropped[LLMLAB_DROP_CLOSED]);
    }
    worker->taken = 0;
    worker->corrupt = 0;
    llmlab__ring_set_peek(worker->rings, discard, worker, SIZE_MAX);
    llmlab__ring_set_release(worker->rings);
    atomic_fetch_add(&ledger->dropped[LLMLAB_DROP_CLOSED], worker->taken);
    atomic_fetch_add(&ledger->dropped[LLMLAB_DROP_CORRUPT], worker->corrupt);
}

static void
on_done(llmlab__worker_t *worker, const llmlab__delivery_t *delivery)
{
    llmlab__ledger_t *ledger = &worker->ledger;
    uint64_t skipped;

    if (worker->backoff.failures > 0 || worker->is_held) {
        llmlab__worker_say(worker, LLMLAB_LOG_INFO, "delivery works again");
    }
    if (delivery->rejected > 0 &&
        llmlab__log_allowed(&worker->loss_log, LOG_EVERY_NS, &skipped)) {
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "the server refused %llu calls (%.120s)",
                           (unsigned long long)delivery->rejected,
                           delivery->reason);
    }
    worker->backoff.failures = 0;
    worker->is_held = false;
    worker->not_before_ns = 0;
    atomic_fetch_add(&ledger->batches, 1);
    atomic_fetch_add(&ledger->duplicates, delivery->duplicates);
    finish(worker, delivery, &ledger->delivered);
}

static void
on_retry(llmlab__worker_t *worker, const llmlab__delivery_t *delivery)
{
    int64_t now = llmlab__clock_mono_ns();
    int64_t wait_ms = llmlab__backoff_next(&worker->backoff, &worker->rng,
                                           delivery->retry_after_ms);
    uint64_t skipped;

    worker->is_held = false;
    worker->next_attempt_ns = now + wait_ms * NS_PER_MS;
    worker->not_before_ns =
        delivery->retry_after_ms > 0 ? worker->next_attempt_ns : 0;
    if (atomic_load(&worker->stop) == 0 &&
        llmlab__log_allowed(&worker->failure_log, LOG_EVERY_NS, &skipped)) {
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "cannot deliver to %.100s: %.160s; calls are kept "
                           "and tried again",
                           worker->config.options.exporter ==
                                   LLMLAB__EXPORT_FILE
                               ? worker->config.options.file
                               : worker->config.options.url,
                           delivery->reason);
    }
}

static void
on_hold(llmlab__worker_t *worker, const llmlab__delivery_t *delivery)
{
    int64_t probe_ms = worker->config.options.probe_ms;
    uint64_t skipped;

    if (!worker->is_held &&
        llmlab__log_allowed(&worker->hold_log, LOG_EVERY_NS, &skipped)) {
        llmlab__worker_say(
            worker, LLMLAB_LOG_ERROR,
            "%.100s refuses this key, project or address: HTTP %d; calls are "
            "kept, asking again every %lld s",
            worker->config.options.url, delivery->http_status,
            (long long)((probe_ms + 999) / 1000));
    }
    worker->is_held = true;
    worker->next_attempt_ns = llmlab__clock_mono_ns() + probe_ms * NS_PER_MS;
}

static void
on_dead(llmlab__worker_t *worker, const llmlab__delivery_t *delivery)
{
    uint64_t skipped;

    if (llmlab__log_allowed(&worker->loss_log, LOG_EVERY_NS, &skipped)) {
        llmlab__worker_say(worker, LLMLAB_LOG_ERROR,
                           "the server refused a batch of %u calls: %.120s; "
                           "they are lost",
                           delivery->batch->count, delivery->reason);
    }
    worker->backoff.failures = 0;
    worker->is_held = false;
    finish(worker, delivery, &worker->ledger.dead);
}

static void
on_split(llmlab__worker_t *worker, const llmlab__delivery_t *delivery)
{
    if (delivery->batch->count < 2) {
        on_dead(worker, delivery);
        return;
    }
    worker->tries = 0;
    if (!llmlab__batches_split(&worker->batches)) {
        on_retry(worker, delivery); /* out of memory: perhaps later */
    }
}

static llmlab_status_t
status_of(const llmlab__delivery_t *delivery)
{
    switch (delivery->verdict) {
    case LLMLAB__VERDICT_DONE:
        return LLMLAB_OK;
    case LLMLAB__VERDICT_HOLD:
        if (delivery->http_status / 100 == 3) {
            return LLMLAB_ENETWORK; /* whoever answered is not the server */
        }
        return delivery->http_status == 404 ? LLMLAB_ENOTFOUND : LLMLAB_EAUTH;
    case LLMLAB__VERDICT_SPLIT:
        return LLMLAB_ETOOBIG;
    case LLMLAB__VERDICT_DEAD:
        return LLMLAB_EREJECTED;
    default:
        return LLMLAB_ENETWORK;
    }
}

static void
count_attempt(llmlab__worker_t *worker, const llmlab__delivery_t *delivery)
{
    llmlab__ledger_t *ledger = &worker->ledger;

    atomic_fetch_add(&ledger->attempts, 1);
    if (worker->tries++ > 0) {
        atomic_fetch_add(&ledger->retries, 1);
    }
    atomic_fetch_add(&ledger->bytes_sent, delivery->bytes_sent);
    atomic_store(&ledger->last_http_status, delivery->http_status);
    atomic_store(&ledger->last_status, status_of(delivery));
}

static bool
is_expired(const llmlab__worker_t *worker, const llmlab__batch_t *batch)
{
    int64_t limit = worker->config.options.delivery_timeout_ns;

    return limit > 0 && worker->tries > 0 &&
           llmlab__clock_mono_ns() - batch->oldest_ns > limit;
}

void
llmlab__worker_send(llmlab__worker_t *worker)
{
    /* A copy: the rings are emptied meanwhile, and the list may move. */
    llmlab__batch_t batch = *llmlab__batches_head(&worker->batches);
    llmlab__delivery_t delivery = {.batch = &batch, .stop = &worker->stop};
    llmlab_stats_t totals;

    move_in_flight(worker, &batch);
    if (is_expired(worker, &batch)) {
        finish(worker, &delivery, &worker->ledger.dropped[LLMLAB_DROP_EXPIRED]);
        return;
    }
    if (!open_exporter(worker)) {
        worker->tries++;
        atomic_store(&worker->ledger.last_status, LLMLAB_EIO);
        worker->next_attempt_ns =
            llmlab__clock_mono_ns() + EXPORTER_AGAIN_S * INT64_C(1000000000);
        return;
    }
    llmlab_stats_init(&totals);
    llmlab__worker_stats(worker, worker->config.tracer, &totals);
    delivery.totals = &totals;
    worker->exporter.deliver(worker->exporter.self, &delivery);
    count_attempt(worker, &delivery);
    switch (delivery.verdict) {
    case LLMLAB__VERDICT_DONE:
        on_done(worker, &delivery);
        break;
    case LLMLAB__VERDICT_HOLD:
        on_hold(worker, &delivery);
        break;
    case LLMLAB__VERDICT_SPLIT:
        on_split(worker, &delivery);
        break;
    case LLMLAB__VERDICT_DEAD:
        on_dead(worker, &delivery);
        break;
    default:
        on_retry(worker, &delivery);
        break;
    }
}
