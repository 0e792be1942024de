/* The rings of a set: order, bounds, growth, owners that end, sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "queue/ring.h"
#include "support/threads.h"

#define UNIT ((size_t)4096)
#define MS   INT64_C(1000000)

static llmlab__ring_set_t *
open_set(size_t units)
{
    llmlab__ring_options_t options = {
        .max_bytes = units * UNIT, .ring_bytes = UNIT, .directory = NULL};
    llmlab__ring_set_t *set = NULL;

    assert_int_equal(llmlab__ring_set_new(&set, &options), LLMLAB_OK);
    return set;
}

/* A record is its number, then a fill that the number and size decide. */
static bool
put(llmlab__ring_t *ring, uint64_t number, uint32_t size)
{
    unsigned char *at = llmlab__ring_claim(ring, size);

    if (at == NULL) {
        return false;
    }
    memcpy(at, &number, sizeof(number));
    memset(at + sizeof(number), (int)(number + size), size - sizeof(number));
    llmlab__ring_commit(ring, size);
    return true;
}

struct reader {
    uint64_t next;  /* the number expected */
    uint64_t limit; /* refuse records from this number on */
    uint64_t lost;
};

static bool
take(void *payload, const void *record, uint32_t size)
{
    struct reader *reader = payload;
    const unsigned char *at = record;
    uint64_t number;

    if (record == NULL) {
        reader->lost += size;
        return true;
    }
    memcpy(&number, at, sizeof(number));
    if (number >= reader->limit) {
        return false;
    }
    assert_true(number == reader->next);
    for (uint32_t i = sizeof(number); i < size; i++) {
        assert_int_equal(at[i], (unsigned char)(number + size));
    }
    reader->next++;
    return true;
}

static size_t
drain(llmlab__ring_set_t *set, struct reader *reader)
{
    size_t count = llmlab__ring_set_peek(set, take, reader, SIZE_MAX);

    llmlab__ring_set_release(set);
    return count;
}

static void
test_records_come_in_order_through_many_wraps(void **state)
{
    llmlab__ring_set_t *set = open_set(1);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, UINT64_MAX, 0};
    uint64_t number = 0;

    (void)state;
    assert_non_null(ring);
    for (int round = 0; round < 3000; round++) {
        uint32_t count = 1 + (uint32_t)(round % 9);

        for (uint32_t i = 0; i < count; i++) {
            uint32_t size = 8 + (uint32_t)(number * 37 % 400);

            assert_true(put(ring, number, size));
            number++;
        }
        assert_int_equal(llmlab__ring_set_pending(set), count);
        assert_int_equal(drain(set, &reader), count);
        assert_int_equal(llmlab__ring_set_pending(set), 0);
        assert_int_equal(llmlab__ring_set_pending_bytes(set), 0);
    }
    assert_true(reader.next == number);
    llmlab__ring_set_destroy(set);
}

static void
test_a_full_ring_refuses_until_release(void **state)
{
    llmlab__ring_set_t *set = open_set(1);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, UINT64_MAX, 0};
    uint64_t number = 0;

    (void)state;
    while (put(ring, number, 100)) {
        number++;
    }
    assert_in_range(number, UNIT / 112 - 1, UNIT / 112);
    llmlab__ring_set_peek(set, take, &reader, SIZE_MAX);
    assert_false(put(ring, number, 100)); /* seen is not released */
    llmlab__ring_set_release(set);
    assert_true(put(ring, number, 100));
    assert_int_equal(drain(set, &reader), 1);
    llmlab__ring_set_destroy(set);
}

static void
test_the_largest_record_fits_wherever_the_ring_ends(void **state)
{
    llmlab__ring_set_t *set = open_set(1);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, UINT64_MAX, 0};
    uint32_t largest = llmlab__ring_max_record(set);
    uint64_t number = 0;

    (void)state;
    assert_null(llmlab__ring_claim(ring, largest + 1));
    assert_null(llmlab__ring_claim(ring, UINT32_MAX));
    for (uint32_t shift = 0; shift < 600; shift++) {
        assert_true(put(ring, number++, 8));
        assert_int_equal(drain(set, &reader), 1);
        assert_true(put(ring, number++, largest));
        assert_int_equal(drain(set, &reader), 1);
    }
    llmlab__ring_set_destroy(set);
}

static void
test_a_commit_may_be_smaller_than_its_claim(void **state)
{
    llmlab__ring_set_t *set = open_set(1);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, UINT64_MAX, 0};

    (void)state;
    for (uint64_t number = 0; number < 1000; number++) {
        unsigned char *at = llmlab__ring_claim(ring, 1000);

        assert_non_null(at);
        memcpy(at, &number, sizeof(number));
        llmlab__ring_commit(ring, 8);
        if (number % 3 == 0) {
            drain(set, &reader);
        }
    }
    llmlab__ring_set_destroy(set);
}

static void
test_peek_stops_where_told(void **state)
{
    llmlab__ring_set_t *set = open_set(1);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, 2, 0};

    (void)state;
    for (uint64_t number = 0; number < 5; number++) {
        assert_true(put(ring, number, 16));
    }
    assert_int_equal(drain(set, &reader), 2);
    reader.limit = UINT64_MAX;
    assert_int_equal(llmlab__ring_set_peek(set, take, &reader, 17), 2);
    assert_int_equal(llmlab__ring_set_peek(set, take, &reader, SIZE_MAX), 1);
    assert_int_equal(llmlab__ring_set_pending(set), 3);
    llmlab__ring_set_release(set);
    assert_int_equal(llmlab__ring_set_pending(set), 0);
    llmlab__ring_set_destroy(set);
}

/* A burst of twice a ring goes into a second segment; when the burst is over
 * the ring goes back and the units are free again. */
static void
test_a_burst_grows_and_shrinks(void **state)
{
    llmlab__ring_set_t *set = open_set(64);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, UINT64_MAX, 0};
    uint64_t resting = llmlab__ring_set_memory(set);
    uint64_t number = 0;

    (void)state;
    for (int burst = 0; burst < 20; burst++) {
        for (size_t bytes = 0; bytes < 8 * UNIT; bytes += 208) {
            assert_true(put(ring, number++, 200));
        }
        assert_true(llmlab__ring_set_memory(set) > resting);
        drain(set, &reader);
        assert_true(reader.next == number);
        for (size_t bytes = 0; bytes < 10 * UNIT; bytes += 108) {
            assert_true(put(ring, number++, 100));
            drain(set, &reader);
        }
        assert_int_equal(llmlab__ring_set_memory(set), resting);
    }
    while (put(ring, number, 1000)) {
        number++;
    }
    /* Never beyond the budget: the first and an eighth of the pool. */
    assert_true(llmlab__ring_set_pending_bytes(set) <= 9 * UNIT);
    drain(set, &reader);
    assert_true(reader.next == number);
    llmlab__ring_set_destroy(set);
}

struct burst {
    llmlab__ring_set_t *set;
    uint64_t from;
    uint64_t count;
    llmlab__ring_t *ring;
    uint32_t size;
    uint32_t thread;
};

static void *
put_some(void *payload)
{
    struct burst *burst = payload;

    burst->thread = llmlab__os_thread_id();
    burst->ring = llmlab__ring_set_acquire(burst->set);
    for (uint64_t i = 0; i < burst->count; i++) {
        if (burst->ring == NULL ||
            !put(burst->ring, burst->from + i, burst->size)) {
            burst->count = i;
        }
    }
    return NULL;
}

static void
run(struct burst *burst)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, put_some, burst), 0);
    pthread_join(thread, NULL);
    /* The join ends a little before the kernel forgets the thread. */
    while (llmlab__os_thread_alive(burst->thread)) {
        usleep(100);
    }
}

static void
test_an_ended_threads_ring_is_taken_over_undrained(void **state)
{
    llmlab__ring_set_t *set = open_set(4);
    struct burst burst = {set, 0, 3, NULL, 200, 0};
    struct reader reader = {0, UINT64_MAX, 0};
    llmlab__ring_t *first = NULL;

    (void)state;
    if (!threads_end_visibly("an_ended_threads_ring_is_taken_over_undrained")) {
        skip();
    }
    for (int i = 0; i < 200; i++) {
        run(&burst);
        assert_int_equal(burst.count, 3);
        if (first == NULL) {
            first = burst.ring;
        }
        assert_ptr_equal(burst.ring, first);
        burst.from += 3;
        if (i % 5 == 4) {
            assert_int_equal(drain(set, &reader), 15);
        }
    }
    assert_true(reader.next == burst.from);
    llmlab__ring_set_destroy(set);
}

/* A ring that has grown keeps its place when its owner ends. */
static void
test_a_grown_ring_is_taken_over(void **state)
{
    llmlab__ring_set_t *set = open_set(64);
    struct burst burst = {set, 0, 40, NULL, 200, 0};
    struct reader reader = {0, UINT64_MAX, 0};

    (void)state;
    if (!threads_end_visibly("a_grown_ring_is_taken_over")) {
        skip();
    }
    for (int i = 0; i < 300; i++) {
        run(&burst);
        assert_int_equal(burst.count, 40);
        burst.from += 40;
        if (i % 3 == 2) {
            assert_int_equal(drain(set, &reader), 120);
        }
    }
    assert_true(reader.next == burst.from);
    llmlab__ring_set_destroy(set);
}

static void
test_idle_rings_of_ended_threads_are_recycled(void **state)
{
    llmlab__ring_set_t *set = open_set(64);
    llmlab__ring_t *own = llmlab__ring_set_acquire(set);
    struct burst burst = {set, 0, 100, NULL, 200, 0};
    struct reader reader = {0, UINT64_MAX, 0};
    uint64_t mine = llmlab__ring_set_memory(set);
    int64_t now = 1000 * MS;

    (void)state;
    if (!threads_end_visibly("idle_rings_of_ended_threads_are_recycled")) {
        skip();
    }
    run(&burst);
    assert_ptr_not_equal(burst.ring, own);
    assert_true(llmlab__ring_set_memory(set) > mine);
    llmlab__ring_set_recycle(set, now);
    llmlab__ring_set_recycle(set, now + 5000 * MS);
    assert_true(llmlab__ring_set_memory(set) > mine); /* not yet drained */
    drain(set, &reader);
    llmlab__ring_set_recycle(set, now + 5500 * MS);
    llmlab__ring_set_recycle(set, now + 5900 * MS);
    assert_true(llmlab__ring_set_memory(set) > mine); /* not yet idle */
    llmlab__ring_set_recycle(set, now + 7000 * MS);
    assert_int_equal(llmlab__ring_set_memory(set), mine);
    assert_ptr_equal(llmlab__ring_set_acquire(set), own);
    burst.from = reader.next;
    run(&burst);
    assert_int_equal(drain(set, &reader), 100);
    llmlab__ring_set_destroy(set);
}

struct gate {
    llmlab__ring_set_t *set;
    _Atomic int acquired;
    _Atomic int open;
};

static void *
hold_a_ring(void *payload)
{
    struct gate *gate = payload;
    llmlab__ring_t *ring = llmlab__ring_set_acquire(gate->set);

    atomic_fetch_add(&gate->acquired, 1);
    while (atomic_load(&gate->open) == 0) {
        usleep(1000);
    }
    return ring;
}

static void
test_the_budget_holds_over_all_threads(void **state)
{
    llmlab__ring_set_t *set = open_set(3);
    struct gate gate = {set, 0, 0};
    pthread_t threads[5];
    int with = 0;

    (void)state;
    if (!threads_end_visibly("the_budget_holds_over_all_threads")) {
        skip();
    }
    for (int i = 0; i < 5; i++) {
        pthread_create(&threads[i], NULL, hold_a_ring, &gate);
    }
    while (atomic_load(&gate.acquired) < 5) {
        usleep(1000);
    }
    assert_null(llmlab__ring_set_acquire(set));
    atomic_store(&gate.open, 1);
    for (int i = 0; i < 5; i++) {
        void *ring;

        pthread_join(threads[i], &ring);
        with += ring != NULL;
    }
    assert_int_equal(with, 3);
    assert_non_null(llmlab__ring_set_acquire(set));
    llmlab__ring_set_destroy(set);
}

static void
test_a_stray_write_costs_records_not_the_walk(void **state)
{
    llmlab__ring_set_t *set = open_set(2);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, UINT64_MAX, 0};

    (void)state;
    for (uint64_t number = 0; number < 10; number++) {
        assert_true(put(ring, number, 16));
    }
    memset(set->data + 24 * 4, 0xff, 24);
    assert_int_equal(drain(set, &reader), 4);
    assert_int_equal(reader.lost, 6);
    assert_int_equal(llmlab__ring_set_pending(set), 0);
    assert_true(put(ring, 4, 16));
    assert_int_equal(drain(set, &reader), 1);
    llmlab__ring_set_destroy(set);
}

static void *
put_later(void *payload)
{
    struct burst *burst = payload;

    usleep(30000);
    return put_some(burst);
}

static void
test_sleep_ends_as_told(void **state)
{
    llmlab__ring_set_t *set = open_set(4);
    struct burst burst = {set, 0, 1, NULL, 200, 0};
    struct reader reader = {0, UINT64_MAX, 0};
    int64_t start = llmlab__clock_mono_ns();
    pthread_t thread;

    (void)state;
    llmlab__ring_set_park(set, 5 * MS);
    llmlab__ring_set_tick(set, 5 * MS);
    assert_true(llmlab__clock_mono_ns() - start >= 10 * MS);

    /* A ring of the bell before the sleep is not lost. */
    llmlab__ring_set_wake(set);
    llmlab__ring_set_park(set, -1);
    llmlab__ring_set_wake(set);
    llmlab__ring_set_tick(set, -1);

    /* A record wakes a parked worker, also one published before. */
    pthread_create(&thread, NULL, put_later, &burst);
    llmlab__ring_set_park(set, -1);
    llmlab__ring_set_park(set, -1);
    assert_int_equal(llmlab__ring_set_pending(set), 1);
    pthread_join(thread, NULL);
    drain(set, &reader);

    /* It does not wake a ticking one, half a ring does. */
    burst.from = 1;
    start = llmlab__clock_mono_ns();
    pthread_create(&thread, NULL, put_later, &burst);
    llmlab__ring_set_tick(set, 100 * MS);
    assert_true(llmlab__clock_mono_ns() - start >= 100 * MS);
    pthread_join(thread, NULL);
    burst.from = 2;
    burst.count = 12;
    pthread_create(&thread, NULL, put_later, &burst);
    llmlab__ring_set_tick(set, -1);
    pthread_join(thread, NULL);
    assert_int_equal(drain(set, &reader), 13);
    llmlab__ring_set_destroy(set);
}

static void *
drain_later(void *payload)
{
    struct reader reader = {0, UINT64_MAX, 0};

    usleep(30000);
    drain(payload, &reader);
    return NULL;
}

static void
test_a_claim_may_wait_for_room(void **state)
{
    llmlab__ring_set_t *set = open_set(1);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    int64_t start = llmlab__clock_mono_ns();
    uint64_t number = 0;
    pthread_t thread;

    (void)state;
    while (put(ring, number, 100)) {
        number++;
    }
    assert_null(llmlab__ring_claim_wait(ring, 100, 20 * MS));
    assert_true(llmlab__clock_mono_ns() - start >= 20 * MS);
    assert_null(llmlab__ring_claim_wait(ring, UINT32_MAX, 60000 * MS));
    pthread_create(&thread, NULL, drain_later, set);
    assert_non_null(llmlab__ring_claim_wait(ring, 100, 60000 * MS));
    pthread_join(thread, NULL);
    llmlab__ring_set_destroy(set);
}

static void
test_a_child_leaves_the_parents_rings_alone(void **state)
{
    llmlab__ring_set_t *set = open_set(2);
    llmlab__ring_t *ring = llmlab__ring_set_acquire(set);
    struct reader reader = {0, UINT64_MAX, 0};
    int status;
    pid_t child;

    (void)state;
    assert_true(put(ring, 0, 100));
    child = fork();
    if (child == 0) {
        llmlab__ring_set_destroy(set);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(drain(set, &reader), 1);
    llmlab__ring_set_destroy(set);
    llmlab__ring_set_destroy(NULL);
}

static void
test_a_pool_on_tmpfs_tells_its_layout(void **state)
{
    char directory[200];
    llmlab__ring_options_t options = {
        .max_bytes = 64 * UNIT, .ring_bytes = UNIT, .directory = directory};
    llmlab__ring_set_t *set = NULL;
    struct reader reader = {0, UINT64_MAX, 0};
    llmlab__pool_header_t header;
    char path[sizeof(set->path)];
    llmlab__ring_t *ring;
    llmlab__ring_t block;

    (void)state;
    if (!llmlab__os_ring_directory("", true, directory, sizeof(directory))) {
        print_message("SKIP pool: no tmpfs\n");
        skip();
    }
    assert_int_equal(llmlab__ring_set_new(&set, &options), LLMLAB_OK);
    assert_true(llmlab__ring_set_is_file(set));
    llmlab__ring_set_note_clock(set, 77);
    ring = llmlab__ring_set_acquire(set);
    assert_true(put(ring, 0, 100));
    assert_true(put(ring, 1, 100));

    /* What another process would read: header, control block, records. */
    assert_int_equal(pread(set->fd, &header, sizeof(header), 0),
                     sizeof(header));
    assert_true(header.magic == LLMLAB__POOL_MAGIC);
    assert_int_equal(header.version, LLMLAB__POOL_VERSION);
    assert_int_equal(header.pid, getpid());
    assert_int_equal(header.clock_offset_ns, 77);
    assert_int_equal(header.ring_size, sizeof(block));
    assert_int_equal(header.used, 1);
    assert_int_equal(
        pread(set->fd, &block, sizeof(block), (off_t)header.rings_at),
        sizeof(block));
    assert_int_equal(block.tail, 216 + 8);
    assert_int_equal(block.head, 0);
    assert_int_equal(drain(set, &reader), 2);
    strcpy(path, set->path);
    assert_int_equal(access(path, F_OK), 0);
    llmlab__ring_set_destroy(set);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void
test_options_that_cannot_be(void **state)
{
    llmlab__ring_options_t options = {
        .max_bytes = 100, .ring_bytes = UNIT, .directory = NULL};
    llmlab__ring_set_t *set = NULL;

    (void)state;
    assert_int_equal(llmlab__ring_set_new(&set, &options), LLMLAB_EINVAL);
    assert_null(set);
    options.max_bytes = 1 << 20;
    options.ring_bytes = 5000; /* a power of two is made of it */
    options.directory = "/nowhere";
    assert_int_equal(llmlab__ring_set_new(&set, &options), LLMLAB_OK);
    assert_false(llmlab__ring_set_is_file(set));
    assert_int_equal(llmlab__ring_set_capacity(set), 256);
    llmlab__ring_set_destroy(set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_in_order_through_many_wraps),
        cmocka_unit_test(test_a_full_ring_refuses_until_release),
        cmocka_unit_test(test_the_largest_record_fits_wherever_the_ring_ends),
        cmocka_unit_test(test_a_commit_may_be_smaller_than_its_claim),
        cmocka_unit_test(test_peek_stops_where_told),
        cmocka_unit_test(test_a_burst_grows_and_shrinks),
        cmocka_unit_test(test_an_ended_threads_ring_is_taken_over_undrained),
        cmocka_unit_test(test_a_grown_ring_is_taken_over),
        cmocka_unit_test(test_idle_rings_of_ended_threads_are_recycled),
        cmocka_unit_test(test_the_budget_holds_over_all_threads),
        cmocka_unit_test(test_a_stray_write_costs_records_not_the_walk),
        cmocka_unit_test(test_sleep_ends_as_told),
        cmocka_unit_test(test_a_claim_may_wait_for_room),
        cmocka_unit_test(test_a_child_leaves_the_parents_rings_alone),
        cmocka_unit_test(test_a_pool_on_tmpfs_tells_its_layout),
        cmocka_unit_test(test_options_that_cannot_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
