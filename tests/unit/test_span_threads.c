/* Many threads record, hand spans to each other, end, and are followed by
 * others: every span is counted once and arrives, or is counted as dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <llmlab/llmlab.h>

#include "support/recording.h"
#include "support/threads.h"
#include "trace/recorder.h"

#define THREADS 6
#define LIVES   15
#define SPANS   400

static recording_t *recording;
static llmlab_client_t *client;
static _Atomic int running;
static _Atomic uint64_t ended;
static _Atomic uint64_t full;

/* Spans on their way from the thread that starts to one that ends them. */
static _Atomic(llmlab_span_t *) handed[64];

static int
set_up(void **state)
{
    (void)state;
    recording = recording_open();
    recording->max_bytes = 4 << 20;
    client = recording_client(recording);
    atomic_store(&ended, 0);
    atomic_store(&full, 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    recording_close(recording);
    return 0;
}

static void
end(llmlab_span_t *span)
{
    if (span == NULL) {
        return;
    }
    llmlab_span_set_string(span, "end", "elsewhere");
    if (llmlab_span_end(span) == LLMLAB_EFULL) {
        atomic_fetch_add(&full, 1);
        usleep(100);
    }
    atomic_fetch_add(&ended, 1);
}

static void *
record_some(void *payload)
{
    uint64_t seed = (uint64_t)(uintptr_t)payload;

    for (int i = 0; i < SPANS; i++) {
        llmlab_span_t *root =
            llmlab_span_start(client, NULL, "run", LLMLAB_SPAN_AGENT);
        llmlab_span_t *step;

        llmlab_span_set_user(root, "u1", 2);
        llmlab_span_set_int(root, "i", i);
        step = llmlab_span_start(client, root, "step", LLMLAB_SPAN_TOOL);
        seed = seed * UINT64_C(6364136223846793005) + 1;
        end(atomic_exchange(&handed[seed >> 58], step));
        end(root);
    }
    return NULL;
}

static void *
live(void *payload)
{
    for (int life = 0; life < LIVES; life++) {
        pthread_t thread;

        pthread_create(&thread, NULL, record_some, payload);
        pthread_join(thread, NULL);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void
test_every_span_is_counted_once(void **state)
{
    llmlab__tracer_counts_t counts;
    pthread_t threads[THREADS];
    uint64_t dropped;

    (void)state;
    if (!threads_end_visibly("every_span_is_counted_once")) {
        skip();
    }
    atomic_store(&running, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, live, (void *)(i + 1));
    }
    while (atomic_load(&running) > 0) {
        recording_drain(recording);
        recording->at = recording->taken.size;
        llmlab__tracer_counts(&recording->tracer, &counts);
        usleep(500);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 64; i++) {
        end(atomic_exchange(&handed[i], NULL));
    }
    recording_drain(recording);
    llmlab__tracer_counts(&recording->tracer, &counts);
    dropped = counts.dropped[LLMLAB_DROP_RING_FULL];
    assert_int_equal(counts.accepted, 2 * THREADS * LIVES * SPANS);
    assert_int_equal(counts.accepted, atomic_load(&ended));
    assert_int_equal(counts.open_spans, 0);
    assert_int_equal(dropped, atomic_load(&full));
    assert_int_equal(recording->count + dropped, counts.accepted);
    assert_int_equal(counts.stale_ends, 0);
    assert_int_equal(recording->prepared, 1);
}

static void *
end_also(void *payload)
{
    return (void *)(intptr_t)llmlab_span_end(payload);
}

/* Two that end one span: one of them does. */
static void
test_ends_that_race(void **state)
{
    llmlab__tracer_counts_t counts;

    (void)state;
    for (int i = 0; i < 500; i++) {
        llmlab_span_t *span =
            llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
        pthread_t thread;
        void *other;
        llmlab_status_t mine;

        pthread_create(&thread, NULL, end_also, span);
        mine = llmlab_span_end(span);
        pthread_join(thread, &other);
        assert_int_equal(mine + (intptr_t)other, LLMLAB_ESTALE);
        recording_drain(recording);
        recording->at = recording->taken.size;
    }
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 500);
    assert_int_equal(counts.stale_ends, 500);
    assert_int_equal(recording->count, 500);
}

/* One thread starts, the other ends: the stock of spans goes round. */
static void *
end_what_comes(void *payload)
{
    (void)payload;
    while (atomic_load(&running) > 0) {
        llmlab_span_t *span = atomic_exchange(&handed[0], NULL);

        if (span != NULL) {
            llmlab_span_end(span);
        } else {
            usleep(1);
        }
    }
    return NULL;
}

static void
test_spans_go_round_between_threads(void **state)
{
    pthread_t thread;
    uint64_t memory;

    (void)state;
    atomic_store(&running, 1);
    pthread_create(&thread, NULL, end_what_comes, NULL);
    for (int i = 0; i < 20000; i++) {
        llmlab_span_t *none = NULL;
        llmlab_span_t *span =
            llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);

        assert_non_null(span);
        while (!atomic_compare_exchange_weak(&handed[0], &none, span)) {
            none = NULL;
            usleep(1);
        }
        if (i % 100 == 0) {
            recording_drain(recording);
            recording->at = recording->taken.size;
        }
    }
    atomic_store(&running, 0);
    pthread_join(thread, NULL);
    llmlab_span_end(atomic_exchange(&handed[0], NULL));
    memory = atomic_load(&recording->tracer.recorders)->bytes;
    assert_in_range(memory, 1, 1 << 20);
}

static void *
one_span(void *payload)
{
    (void)payload;
    return (void *)(intptr_t)llmlab_span_end(
        llmlab_span_start(client, NULL, "short", LLMLAB_SPAN_TOOL));
}

/* tests/contract/test_thread_churn.c does it a million times. */
static void
test_short_threads_share_few_rings(void **state)
{
    llmlab__tracer_counts_t counts;

    (void)state;
    if (!threads_end_visibly("short_threads_share_few_rings")) {
        skip();
    }
    for (int i = 0; i < 3000; i++) {
        pthread_t thread;
        void *status;

        pthread_create(&thread, NULL, one_span, NULL);
        pthread_join(thread, &status);
        assert_null(status);
        if (i % 200 == 0) {
            recording_drain(recording);
            recording->at = recording->taken.size;
        }
    }
    recording_drain(recording);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 3000);
    assert_int_equal(recording->count, 3000);
    assert_true(llmlab__ring_set_memory(atomic_load(&recording->tracer.rings)) <
                1 << 20);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_every_span_is_counted_once),
        UNIT(test_ends_that_race),
        UNIT(test_spans_go_round_between_threads),
        UNIT(test_short_threads_share_few_rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
