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
    int64_t now = llmlab__clock_mono_ns();

    llmlab__worker_drain(payload, now);
    llmlab__worker_update_prices(payload, now);
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
        return llmlab__exporter_file(out, &config->options,
                                     worker->own.instance);
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
    return llmlab__exporter_http(out, &config->options, worker->own.instance,
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

void
llmlab__worker_finish(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
                      const llmlab__delivery_t *delivery,
                      _Atomic uint64_t *sink)
{
    llmlab__ledger_t *ledger = outbox->ledger;
    llmlab__batch_t batch = *llmlab__batches_head(&outbox->batches);
    uint64_t on_disk = llmlab__outbox_on_disk(outbox, &batch);
    uint64_t end = batch.first + batch.count;
    uint64_t rest = batch.count;
    uint64_t corrupt = delivery->corrupt < rest ? delivery->corrupt : rest;
    uint64_t rejected;

    rest -= corrupt;
    rejected = delivery->rejected < rest ? delivery->rejected : rest;
    rest -= rejected;
    if (batch.first >= outbox->in_flight_until) {
        atomic_fetch_sub(&ledger->queued, batch.count - on_disk);
    } else {
        atomic_fetch_sub(&ledger->in_flight, batch.count - on_disk);
    }
    atomic_fetch_sub(&ledger->spooled, on_disk);
    atomic_fetch_add(&ledger->dropped[LLMLAB_DROP_CORRUPT], corrupt);
    atomic_fetch_add(&ledger->rejected, rejected);
    atomic_fetch_add(sink, rest);
    llmlab__batches_pop(&outbox->batches);
    llmlab__segments_release(&outbox->segments, &batch.end);
    outbox->spooled_until =
        outbox->spooled_until < end ? end : outbox->spooled_until;
    outbox->written_until =
        outbox->written_until < end ? end : outbox->written_until;
    outbox->tries = 0;
    worker->next_attempt_ns = 0;
}

/* Records are in flight from the first attempt until they are gone; those on
 * disk stay where they are. */
static void
move_in_flight(llmlab__outbox_t *outbox, const llmlab__batch_t *batch)
{
    if (batch->first >= outbox->in_flight_until) {
        outbox->in_flight_until = batch->first + batch->count;
        llmlab__ledger_move(&outbox->ledger->queued, &outbox->ledger->in_flight,
                            batch->count -
                                llmlab__outbox_on_disk(outbox, batch));
    }
}

static bool
discard(void *payload, const void *bytes, uint32_t size)
{
    llmlab__outbox_t *outbox = payload;
    const llmlab__record_t *record = bytes;

    if (record == NULL) {
        outbox->corrupt += size;
    } else if (!llmlab__record_check(bytes, size)) {
        outbox->corrupt++;
    } else if (record->type != LLMLAB__RECORD_CHUNK) {
        outbox->taken++;
    }
    return true;
}

/* What is neither on disk nor in a file of the rings ends with the process. */
void
llmlab__worker_give_up(llmlab__worker_t *worker)
{
    llmlab__outbox_t *own = &worker->own;
    llmlab__ledger_t *ledger = &worker->ledger;

    llmlab__outbox_count_lost(own, &ledger->dropped[LLMLAB_DROP_CLOSED]);
    if (worker->spool.fd >= 0 && llmlab__ring_set_is_file(worker->rings)) {
        return;
    }
    own->taken = 0;
    own->corrupt = 0;
    llmlab__ring_set_peek(worker->rings, discard, own, SIZE_MAX);
    llmlab__ring_set_release(worker->rings);
    atomic_fetch_add(&ledger->dropped[LLMLAB_DROP_CLOSED], own->taken);
    atomic_fetch_add(&ledger->dropped[LLMLAB_DROP_CORRUPT], own->corrupt);
}

/* After an outage the backlog goes out batch by batch, with a random pause in
 * between, lest all clients of a server that is back up knock it over. */
static void
pace(llmlab__worker_t *worker, const llmlab__outbox_t *outbox)
{
    int64_t now = llmlab__clock_mono_ns();
    uint64_t most = 2 * (uint64_t)worker->config.options.pace_ms + 1;
    int64_t wait = (int64_t)(llmlab__rng_next(&worker->rng) % most) * NS_PER_MS;

    if (outbox != &worker->own) {
        worker->next_adopted_ns = now + wait;
        return;
    }
    if (outbox->batches.count == 0) {
        worker->is_catching_up = false;
    } else if (worker->is_catching_up &&
               worker->flush_seen == worker->flush_finished) {
        worker->next_attempt_ns = now + wait;
    }
}

static void
on_done(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
        const llmlab__delivery_t *delivery)
{
    llmlab__ledger_t *ledger = outbox->ledger;
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
    llmlab__worker_finish(worker, outbox, delivery, &ledger->delivered);
    pace(worker, outbox);
}

static void
on_retry(llmlab__worker_t *worker, const llmlab__delivery_t *delivery)
{
    int64_t now = llmlab__clock_mono_ns();
    int64_t wait_ms = llmlab__backoff_next(&worker->backoff, &worker->rng,
                                           delivery->retry_after_ms);
    uint64_t skipped;

    worker->is_held = false;
    worker->is_catching_up = true;
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
    worker->is_catching_up = true;
    worker->next_attempt_ns = llmlab__clock_mono_ns() + probe_ms * NS_PER_MS;
}

static void
on_dead(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
        const llmlab__delivery_t *delivery)
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
    llmlab__worker_finish(worker, outbox, delivery, &outbox->ledger->dead);
}

static void
on_split(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
         const llmlab__delivery_t *delivery)
{
    if (delivery->batch->count < 2) {
        on_dead(worker, outbox, delivery);
        return;
    }
    outbox->tries = 0;
    outbox->was_split = true;
    if (!llmlab__batches_split(&outbox->batches)) {
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
count_attempt(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
              const llmlab__delivery_t *delivery)
{
    llmlab__ledger_t *ledger = &worker->ledger;

    atomic_fetch_add(&ledger->attempts, 1);
    if (outbox->tries++ > 0) {
        atomic_fetch_add(&ledger->retries, 1);
    }
    atomic_fetch_add(&ledger->bytes_sent, delivery->bytes_sent);
    atomic_store(&ledger->last_http_status, delivery->http_status);
    atomic_store(&ledger->last_status, status_of(delivery));
}

static bool
is_expired(const llmlab__worker_t *worker, const llmlab__outbox_t *outbox,
           const llmlab__batch_t *batch)
{
    int64_t limit = worker->config.options.delivery_timeout_ns;

    return limit > 0 && outbox == &worker->own && outbox->tries > 0 &&
           llmlab__clock_mono_ns() - batch->oldest_ns > limit;
}

/* Our own first, unless both wait: then in turn. */
static llmlab__outbox_t *
choose(llmlab__worker_t *worker)
{
    llmlab__outbox_t *adopted = worker->adopted;
    bool own = llmlab__batches_head(&worker->own.batches) != NULL;

    while (adopted != NULL && llmlab__batches_head(&adopted->batches) == NULL) {
        adopted = adopted->next;
    }
    if (adopted == NULL || llmlab__clock_mono_ns() < worker->next_adopted_ns ||
        (own && worker->flush_seen != worker->flush_finished)) {
        return own ? &worker->own : NULL;
    }
    worker->adopted_is_next = !own || !worker->adopted_is_next;
    return worker->adopted_is_next ? adopted : &worker->own;
}

int64_t
llmlab__worker_send_time(const llmlab__worker_t *worker)
{
    const llmlab__outbox_t *adopted = worker->adopted;

    if (worker->own.batches.count > 0) {
        return worker->next_attempt_ns;
    }
    while (adopted != NULL && adopted->batches.count == 0) {
        adopted = adopted->next;
    }
    if (adopted == NULL) {
        return INT64_MAX;
    }
    return worker->next_attempt_ns > worker->next_adopted_ns
               ? worker->next_attempt_ns
               : worker->next_adopted_ns;
}

/* What the server hears of an instance that is gone: as many calls as there are
 * numbers; what became of them it sees itself. */
static void
fill_totals(const llmlab__worker_t *worker, const llmlab__outbox_t *outbox,
            llmlab_stats_t *out)
{
    llmlab_stats_init(out);
    if (outbox == &worker->own) {
        llmlab__worker_stats(worker, worker->config.tracer, out);
    } else {
        out->accepted = outbox->next_number - 1;
    }
}

static void
deliver(llmlab__worker_t *worker, llmlab__outbox_t *outbox,
        const llmlab__batch_t *batch, llmlab__delivery_t *delivery)
{
    llmlab_stats_t totals;

    fill_totals(worker, outbox, &totals);
    delivery->totals = &totals;
    delivery->owner = outbox == &worker->own ? NULL : &outbox->segments.owner;
    if (!llmlab__segments_fetch(&outbox->segments, &batch->start,
                                &batch->end)) {
        snprintf(delivery->reason, sizeof(delivery->reason), "out of memory");
        delivery->verdict = LLMLAB__VERDICT_RETRY;
        delivery->retry_after_ms = -1;
        return;
    }
    llmlab__outbox_note_seal(outbox, batch);
    worker->is_delivering = true;
    worker->exporter.deliver(worker->exporter.self, delivery);
    worker->is_delivering = false;
}

void
llmlab__worker_send(llmlab__worker_t *worker)
{
    llmlab__outbox_t *outbox = choose(worker);
    llmlab__batch_t batch;
    llmlab__delivery_t delivery = {.batch = &batch, .stop = &worker->stop};

    if (outbox == NULL) {
        return;
    }
    /* A copy: the rings are emptied meanwhile, and the list may move. */
    batch = *llmlab__batches_head(&outbox->batches);
    move_in_flight(outbox, &batch);
    if (is_expired(worker, outbox, &batch)) {
        llmlab__worker_finish(worker, outbox, &delivery,
                              &outbox->ledger->dropped[LLMLAB_DROP_EXPIRED]);
        return;
    }
    if (!open_exporter(worker)) {
        outbox->tries++;
        atomic_store(&worker->ledger.last_status, LLMLAB_EIO);
        worker->next_attempt_ns =
            llmlab__clock_mono_ns() + EXPORTER_AGAIN_S * INT64_C(1000000000);
        return;
    }
    deliver(worker, outbox, &batch, &delivery);
    count_attempt(worker, outbox, &delivery);
    switch (delivery.verdict) {
    case LLMLAB__VERDICT_DONE:
        on_done(worker, outbox, &delivery);
        break;
    case LLMLAB__VERDICT_HOLD:
        on_hold(worker, &delivery);
        break;
    case LLMLAB__VERDICT_SPLIT:
        on_split(worker, outbox, &delivery);
        break;
    case LLMLAB__VERDICT_DEAD:
        on_dead(worker, outbox, &delivery);
        break;
    default:
        on_retry(worker, &delivery);
        break;
    }
    llmlab__segments_keep_none(&outbox->segments);
}
