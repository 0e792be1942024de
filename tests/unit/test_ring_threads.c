/* Many producers, one worker: each record arrives once, whole and in its
 * thread's order, or its claim failed. Runs under TSan too. */
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

#include "base/clock.h"
#include "queue/ring_set.h"

#define PRODUCERS 6
#define LIVES     20
#define RECORDS   2000

struct record {
    uint32_t producer;
    uint32_t life;
    uint64_t number;
    uint64_t fill[60];
};

struct shared {
    llmlab__ring_set_t *set;
    _Atomic int running;
    _Atomic uint64_t refused;
};

struct producer {
    struct shared *shared;
    uint32_t index;
    uint32_t life;
    uint64_t published;
};

static void *
produce(void *payload)
{
    struct producer *producer = payload;
    struct shared *shared = producer->shared;
    llmlab__ring_t *ring = llmlab__ring_set_acquire(shared->set);
    uint64_t next = 0;

    for (int i = 0; i < RECORDS; i++) {
        uint32_t words = (uint32_t)(next * 7 % 60);
        uint32_t size = (uint32_t)offsetof(struct record, fill) + words * 8;
        struct record *record =
            ring == NULL ? NULL : llmlab__ring_claim(ring, size);

        if (record == NULL) {
            atomic_fetch_add(&shared->refused, 1);
            usleep(200);
            continue;
        }
        record->producer = producer->index;
        record->life = producer->life;
        record->number = next++;
        for (uint32_t n = 0; n < words; n++) {
            record->fill[n] = record->number ^ n;
        }
        llmlab__ring_commit(ring, size);
    }
    producer->published += next;
    return NULL;
}

/* One thread after another, each a short life. */
static void *
live(void *payload)
{
    struct producer *producer = payload;

    for (producer->life = 0; producer->life < LIVES; producer->life++) {
        pthread_t thread;

        pthread_create(&thread, NULL, produce, producer);
        pthread_join(thread, NULL);
    }
    atomic_fetch_sub(&producer->shared->running, 1);
    return NULL;
}

struct reader {
    uint64_t next[PRODUCERS][LIVES];
    uint64_t seen;
};

static bool
check(void *payload, const void *bytes, uint32_t size)
{
    struct reader *reader = payload;
    const struct record *record = bytes;
    uint32_t words = (size - (uint32_t)offsetof(struct record, fill)) / 8;

    assert_non_null(bytes);
    assert_in_range(record->producer, 0, PRODUCERS - 1);
    assert_in_range(record->life, 0, LIVES - 1);
    assert_true(record->number == reader->next[record->producer][record->life]);
    assert_int_equal(words, record->number * 7 % 60);
    for (uint32_t n = 0; n < words; n++) {
        assert_true(record->fill[n] == (record->number ^ n));
    }
    reader->next[record->producer][record->life]++;
    reader->seen++;
    return true;
}

static void
test_every_record_arrives_once(void **state)
{
    llmlab__ring_options_t options = {
        .max_bytes = 1 << 20, .ring_bytes = 1 << 14, .directory = NULL};
    struct shared shared = {NULL, PRODUCERS, 0};
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    struct reader reader = {0};
    uint64_t published = 0;

    (void)state;
    assert_int_equal(llmlab__ring_set_new(&shared.set, &options), LLMLAB_OK);
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){&shared, i, 0, 0};
        pthread_create(&threads[i], NULL, live, &producers[i]);
    }
    while (atomic_load(&shared.running) > 0 ||
           llmlab__ring_set_pending(shared.set) > 0) {
        size_t got = llmlab__ring_set_peek(shared.set, check, &reader, 1 << 15);

        llmlab__ring_set_release(shared.set);
        llmlab__ring_set_recycle(shared.set, llmlab__clock_mono_ns() * 1000);
        if (got == 0 && reader.seen % 2 == 0) {
            llmlab__ring_set_park(shared.set, 1000000);
        } else if (got == 0) {
            llmlab__ring_set_tick(shared.set, 1000000);
        }
    }
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
        published += producers[i].published;
    }
    while (llmlab__ring_set_peek(shared.set, check, &reader, SIZE_MAX) > 0) {
        llmlab__ring_set_release(shared.set);
    }
    assert_true(reader.seen == published);
    assert_true(published + atomic_load(&shared.refused) ==
                (uint64_t)PRODUCERS * LIVES * RECORDS);
    assert_true(published > 0);
    llmlab__ring_set_destroy(shared.set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_arrives_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
