/* Many threads on one client of the flat layer, sharing handles and closing
 * the client under each other.
 * llmlab-test: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <llmlab/span.h>

#include "bind/llmlab_bind.h"

#define S(literal) (literal), sizeof(literal) - 1

#define THREADS 8
#define ROUNDS  2000

static _Atomic int client;
static _Atomic int64_t shared;
static _Atomic uint64_t ended;
static _Atomic bool stop;
static _Atomic int surprises; /* CMocka's asserts belong to one thread */

static void
expect(bool expected)
{
    if (!expected) {
        atomic_fetch_add(&surprises, 1);
    }
}

static int
open_memory(void)
{
    return llmlab_bind_open(
        S("{\"exporter\":\"memory\",\"queue.full\":\"wait\"}"));
}

static void *
own_spans(void *payload)
{
    int i;

    (void)payload;
    for (i = 0; i < ROUNDS; i++) {
        int64_t root = llmlab_bind_begin(client, 0, S("root"), 1);
        int64_t span = llmlab_bind_begin(client, root, S("step"), 2);

        llmlab_bind_set_int(span, S("i"), i);
        llmlab_bind_set_string(span, S("text"), S("value"));
        if (llmlab_bind_end(span) == LLMLAB_OK &&
            llmlab_bind_end(root) == LLMLAB_OK) {
            atomic_fetch_add(&ended, 2);
        }
    }
    return NULL;
}

static void
test_own_spans_are_all_accepted(void **state)
{
    pthread_t threads[THREADS];
    char expected[64];
    llmlab_bind_text_t stats;
    int i;

    (void)state;
    client = open_memory();
    assert_true(client > 0);
    ended = 0;
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, own_spans, NULL), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(ended == UINT64_C(2) * THREADS * ROUNDS);
    stats = llmlab_bind_stats(client);
    snprintf(expected, sizeof expected, "\"accepted\":%d",
             2 * THREADS * ROUNDS);
    assert_non_null(strstr(llmlab_bind_text_data(stats, NULL), expected));
    llmlab_bind_text_free(stats);
    llmlab_bind_close(client, 5000);
}

/* All threads set the same span, and now and then end it and put another in
 * its place. */
static void *
shared_span(void *payload)
{
    unsigned seed = *(const unsigned *)payload;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        int64_t span = shared;
        int64_t next;

        seed = seed * 1103515245u + 12345u;
        llmlab_bind_set_int(span, S("i"), i);
        llmlab_bind_set_string(span, S("text"), S("value"));
        if ((seed >> 16) % 8 == 0) {
            next = llmlab_bind_begin(client, 0, S("shared"), 2);
            if (atomic_compare_exchange_strong(&shared, &span, next)) {
                llmlab_bind_end(span);
            } else {
                llmlab_bind_release(next);
            }
        }
    }
    return NULL;
}

static void
test_one_span_in_eight_threads(void **state)
{
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    unsigned i;

    (void)state;
    client = open_memory();
    assert_true(client > 0);
    shared = llmlab_bind_begin(client, 0, S("shared"), 2);
    for (i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        assert_int_equal(
            pthread_create(&threads[i], NULL, shared_span, &seeds[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(llmlab_bind_end(shared), LLMLAB_OK);
    llmlab_bind_close(client, 5000);
}

/* Every call meets an open client, a closed one, or the next. */
static void *
use_whatever_is_open(void *payload)
{
    (void)payload;
    while (!stop) {
        int now = client;
        int64_t span = llmlab_bind_begin(now, 0, S("x"), 2);
        llmlab_bind_text_t text;

        if (span > 0) {
            int status = llmlab_bind_set_int(span, S("i"), 1);

            expect(status == LLMLAB_OK || status == LLMLAB_ESTALE);
            status = llmlab_bind_end(span);
            expect(status == LLMLAB_OK || status == LLMLAB_ESTALE);
        } else {
            expect(span == LLMLAB_ECLOSED);
        }
        llmlab_bind_record(now, S("{\"model\":\"gpt-4o\"}"));
        text = llmlab_bind_stats(now);
        if (text > 0) {
            llmlab_bind_text_free(text);
        }
        text = llmlab_bind_poll_log();
        if (text > 0) {
            llmlab_bind_text_free(text);
        }
    }
    return NULL;
}

static void
test_close_under_use(void **state)
{
    const struct timespec pause = {0, 5000000};
    pthread_t threads[THREADS];
    int i;

    (void)state;
    client = open_memory();
    stop = false;
    for (i = 0; i < THREADS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_whatever_is_open, NULL), 0);
    }
    for (i = 0; i < 20; i++) {
        int old = client;
        int next = open_memory();

        assert_true(next > 0);
        nanosleep(&pause, NULL);
        llmlab_bind_close(old, 2000);
        client = next;
    }
    stop = true;
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    llmlab_bind_close(client, 2000);
    assert_int_equal(surprises, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_spans_are_all_accepted),
        cmocka_unit_test(test_one_span_in_eight_threads),
        cmocka_unit_test(test_close_under_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
