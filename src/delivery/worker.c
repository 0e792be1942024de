#include "delivery/worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/status.h"
#include "delivery/worker_state.h"

#define NS_PER_MS    INT64_C(1000000)
#define TICK_NS      (100 * NS_PER_MS)
#define IDLE_TICK_NS (250 * NS_PER_MS)
#define BUSY_FOR_NS  (1000 * NS_PER_MS) /* ticks fast after a record */
#define TICKS_FOR_NS (3000 * NS_PER_MS) /* then slower, then parks */
#define RECYCLE_NS   (1000 * NS_PER_MS)

static void
init_own(llmlab__worker_t *worker, const llmlab__segment_owner_t *owner,
         const llmlab__batch_limits_t *limits)
{
    llmlab__outbox_t *own = &worker->own;

    llmlab__outbox_init(own, owner,
                        llmlab__worker_segment_bytes(
                            worker, llmlab__ring_max_record(worker->rings)),
                        limits, &worker->ledger);
    own->rings = worker->rings;
    own->offset_ns = llmlab__clock_offset_ns();
}

/* Now others may find the rings' file, and that it is held. */
static void
publish_rings(llmlab__worker_t *worker)
{
    char name[LLMLAB__SPOOL_NAME];

    if (llmlab__ring_set_is_file(worker->rings)) {
        llmlab__claim_add(&worker->own.ring_claim,
                          llmlab__ring_set_lend_fd(worker->rings));
        snprintf(name, sizeof(name), "%s.ring", worker->own.segments.base);
        llmlab__ring_set_publish(worker->rings, name);
    }
}

static void
init_sync(llmlab__worker_t *worker)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

llmlab_status_t
llmlab__worker_new(llmlab__worker_t **out,
                   const llmlab__worker_config_t *config)
{
    const llmlab__delivery_options_t *options = &config->options;
    llmlab__batch_limits_t limits = {options->max_calls, options->max_bytes,
                                     options->max_age_ns};
    llmlab__worker_t *worker = llmlab__calloc(1, sizeof(*worker));
    llmlab__ring_options_t rings = config->rings;
    llmlab__ring_label_t label;
    char instance[37];
    llmlab_status_t status;

    if (worker == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    llmlab__uuid7(instance);
    memset(&label, 0, sizeof(label));
    llmlab__segment_owner(&label.owner, instance, options);
    rings.label = &label;
    rings.label_size = sizeof(label);
    status = llmlab__ring_set_new(&worker->rings, &rings);
    if (status != LLMLAB_OK) {
        llmlab__free(worker);
        return status;
    }
    worker->settle_max = llmlab__ring_max_record(worker->rings);
    worker->settle_room =
        llmlab__alloc(worker->settle_max + LLMLAB__SETTLE_ROOM);
    if (worker->settle_room == NULL) {
        llmlab__ring_set_destroy(worker->rings);
        llmlab__free(worker);
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    worker->config = *config;
    worker->spool.fd = -1;
    worker->prices_due_ns = INT64_MAX;
    if (options->prices_url[0] != '\0') {
        worker->prices = llmlab__price_update_new(
            &worker->config.options, config->tracer, &worker->is_muted);
        worker->prices_due_ns = 0;
        if (worker->prices == NULL) {
            llmlab__ring_set_destroy(worker->rings);
            llmlab__free(worker->settle_room);
            llmlab__free(worker);
            return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
        }
    }
    llmlab__rng_seed(&worker->rng);
    init_own(worker, &label.owner, &limits);
    publish_rings(worker);
    init_sync(worker);
    worker->backoff.base_ms = options->retry_base_ms;
    worker->backoff.max_ms = options->retry_max_ms;
    *out = worker;
    return LLMLAB_OK;
}

void
llmlab__worker_destroy(llmlab__worker_t *worker)
{
    if (worker == NULL) {
        return;
    }
    llmlab__exit_remove(&worker->exit_node);
    llmlab__price_update_destroy(worker->prices);
    llmlab__outbox_cleanup(&worker->own);
    llmlab__free(worker->settle_room);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    llmlab__free(worker);
}

llmlab__ring_set_t *
llmlab__worker_rings(const llmlab__worker_t *worker)
{
    return worker->rings;
}

void
llmlab__worker_want_all(llmlab__worker_t *worker)
{
    atomic_store(&worker->wants_all, true);
}

void
llmlab__worker_hurry(llmlab__worker_t *worker)
{
    atomic_store_explicit(&worker->hurry, true, memory_order_relaxed);
}

/* The wall clock may have been set; ended threads leave rings. */
static void
look_around(llmlab__worker_t *worker, int64_t now_ns)
{
    if (now_ns - worker->last_recycle_ns < RECYCLE_NS) {
        return;
    }
    worker->last_recycle_ns = now_ns;
    worker->own.offset_ns = llmlab__clock_offset_ns();
    atomic_store_explicit(&worker->config.tracer->clock_offset_ns,
                          worker->own.offset_ns, memory_order_relaxed);
    llmlab__ring_set_note_clock(worker->rings, worker->own.offset_ns);
    llmlab__ring_set_recycle(worker->rings, now_ns);
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void
wait_for_work(llmlab__worker_t *worker)
{
    int64_t now = llmlab__clock_mono_ns();
    int64_t quiet = now - worker->last_active_ns;
    int64_t until = earlier(llmlab__batches_deadline(&worker->own.batches),
                            worker->prices_due_ns);

    until = earlier(until, llmlab__worker_send_time(worker));
    until = earlier(until, llmlab__worker_scan_time(worker, now));
    if (worker->own.is_full) {
        /* Producers at full rings would wake a tick at every record. */
        llmlab__worker_sleep(worker, earlier(until, now + TICK_NS));
        return;
    }
    if (quiet < TICKS_FOR_NS) {
        until = earlier(until,
                        now + (quiet < BUSY_FOR_NS ? TICK_NS : IDLE_TICK_NS));
        if (until > now) {
            llmlab__ring_set_tick(worker->rings, until - now);
        }
        return;
    }
    if (until > now) {
        llmlab__ring_set_park(worker->rings,
                              until == INT64_MAX ? -1 : until - now);
    }
}

void
llmlab__worker_update_prices(llmlab__worker_t *worker, int64_t now_ns)
{
    if (now_ns >= worker->prices_due_ns) {
        worker->prices_due_ns =
            llmlab__price_update_step(worker->prices, now_ns);
    }
}

static void
run(llmlab__worker_t *worker)
{
    while (atomic_load(&worker->stop) == 0) {
        int64_t now = llmlab__clock_mono_ns();

        look_around(worker, now);
        llmlab__worker_update_prices(worker, now);
        llmlab__worker_begin_flush(worker);
        llmlab__worker_drain(worker, now);
        if (atomic_exchange_explicit(&worker->hurry, false,
                                     memory_order_relaxed)) {
            llmlab__batches_seal(&worker->own.batches);
        }
        llmlab__batches_age(&worker->own.batches, now);
        llmlab__worker_scan(worker, now);
        llmlab__worker_tend(worker, now);
        if (now >= llmlab__worker_send_time(worker)) {
            llmlab__worker_send(worker);
            llmlab__worker_end_flush(worker);
            continue;
        }
        llmlab__worker_end_flush(worker);
        wait_for_work(worker);
    }
}

/* The process ends and nobody closed the client. The host's own log function
 * may have been torn down by now. */
static void
tell_losses(const llmlab__worker_t *worker)
{
    const llmlab__log_t *log = worker->config.options.log;
    uint64_t lost = atomic_load(&worker->ledger.dropped[LLMLAB_DROP_CLOSED]);

    if (lost > 0 && log->fn == NULL) {
        llmlab__worker_say(worker, LLMLAB_LOG_WARNING,
                           "%llu calls were not delivered when the process "
                           "ended: close the client before",
                           (unsigned long long)lost);
    }
}

static void *
worker_main(void *payload)
{
    llmlab__worker_t *worker = payload;
    void (*release)(void *) = worker->config.release;
    void *owner = worker->config.owner;
    bool is_abandoned;

    llmlab__os_thread_setup("llmlab");
    llmlab__worker_open_spool(worker);
    run(worker);
    llmlab__worker_save(worker);
    if (worker->prices != NULL) {
        llmlab__price_update_stop(worker->prices);
    }
    llmlab__worker_close_exporter(worker);
    llmlab__worker_give_up(worker);
    llmlab__worker_leave(worker);
    if (llmlab__exit_begun()) {
        tell_losses(worker);
    }

    pthread_mutex_lock(&worker->lock);
    worker->has_ended = true;
    is_abandoned = worker->is_abandoned;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    if (is_abandoned) {
        llmlab__worker_destroy(worker);
        release(owner);
    }
    /* A thread that returns runs OpenSSL's destructors, which must not meet
     * its teardown. */
    while (llmlab__exit_begun()) {
        pause();
    }
    return NULL;
}

bool
llmlab__worker_start(llmlab__worker_t *worker)
{
    sigset_t all;
    sigset_t before;

    if (worker->has_started) {
        return true;
    }
    if (llmlab__exit_begun()) {
        return false;
    }
    /* The thread is born with everything blocked, then opens what it must. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->has_started =
        pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (worker->has_started) {
        llmlab__exit_add(&worker->exit_node, worker);
    }
    return worker->has_started;
}

/* The thread has ended, all but. After exit() has begun it never returns. */
static void
join(llmlab__worker_t *worker)
{
    if (!llmlab__exit_begun()) {
        pthread_join(worker->thread, NULL);
    }
}

bool
llmlab__worker_stop(llmlab__worker_t *worker, int64_t deadline_ns)
{
    if (!worker->has_started) {
        return true;
    }
    atomic_store(&worker->stop, 1);
    llmlab__worker_wake(worker);
    if (llmlab__worker_await_end(worker, deadline_ns)) {
        join(worker);
        return true;
    }
    pthread_mutex_lock(&worker->lock);
    if (worker->has_ended) {
        pthread_mutex_unlock(&worker->lock);
        join(worker);
        return true;
    }
    worker->is_abandoned = true;
    atomic_store(&worker->is_muted, true);
    pthread_detach(worker->thread);
    pthread_mutex_unlock(&worker->lock);
    return false;
}
