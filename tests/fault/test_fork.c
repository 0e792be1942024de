/* Fork, with calls being recorded all the while.
 *
 * llmlab-test: threads timeout=120
 * llmlab-sabotage: long fork_unseen */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>
#include <llmlab/sys/mock.h>

#include "support/client.h"
#include "support/peer.h"
#include "support/sanitizer.h"

/* Threads that end with their process are what this test is about, and a
 * child of many threads is used as a process. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *
__tsan_default_options(void)
{
    return "report_thread_leaks=0:die_after_fork=0";
}

static peer_t peer;

static int
begin(void **state)
{
    (void)state;
    return peer_start(&peer) ? 0 : -1;
}

static int
end(void **state)
{
    (void)state;
    peer_stop(&peer);
    return 0;
}

static llmlab_client_t *
open_client(void)
{
    return test_open("url", peer.url, "api_key", peer_key(), "log.level",
                     "error", NULL);
}

/* What a child found wrong; its status tells the parent. */
#define EXPECT(condition)              \
    do {                               \
        if (!(condition)) {            \
            _exit(__LINE__ % 255 + 1); \
        }                              \
    } while (0)

static void
expect_child(pid_t pid)
{
    int status = 0;
    int64_t start = test_now_ms();
    pid_t done;

    while ((done = waitpid(pid, &status, WNOHANG)) == 0) {
        if (test_now_ms() - start > 20000) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            fail_msg("the child hangs");
        }
        usleep(500);
    }
    assert_int_equal(done, pid);
    if (status != 0) {
        fail_msg("the child ended with %#x", (unsigned)status);
    }
}

static void
test_a_child_starts_empty(void **state)
{
    llmlab_client_t *client = open_client();
    pid_t pid;

    (void)state;
    test_record(client, 7);
    pid = fork();
    if (pid == 0) {
        llmlab_stats_t stats;
        llmlab_flush_result_t result;

        llmlab_stats_init(&stats);
        EXPECT(llmlab_client_flush(client, 100, &result) == LLMLAB_EFORKED);
        EXPECT(llmlab_client_stats(client, &stats) == LLMLAB_OK);
        EXPECT(stats.accepted == 0 && stats.queued == 0);
        test_record(client, 3);
        EXPECT(llmlab_client_stats(client, &stats) == LLMLAB_OK);
        EXPECT(stats.accepted == 3);
        EXPECT(llmlab_client_flush(client, 5000, &result) == LLMLAB_OK);
        EXPECT(result.delivered == 3);
        EXPECT(llmlab_client_close(client, 1000) == LLMLAB_OK);
        _exit(0);
    }
    expect_child(pid);
    assert_int_equal(peer_number(&peer, "stored"), 3);
    test_record(client, 2);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_int_equal(test_stats(client).delivered, 9);
    assert_int_equal(peer_number(&peer, "stored"), 12);
    assert_int_equal(peer_number(&peer, "instances"), 2);
    assert_int_equal(peer_number(&peer, "twice"), 0);
    llmlab_client_close(client, 1000);
}

static void
test_close_in_a_child_that_never_recorded(void **state)
{
    llmlab_client_t *client = open_client();
    pid_t pid;

    (void)state;
    test_record(client, 5);
    pid = fork();
    if (pid == 0) {
        EXPECT(llmlab_client_close(client, 1000) == LLMLAB_OK);
        exit(0); /* by the exit handlers */
    }
    expect_child(pid);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_int_equal(peer_number(&peer, "stored"), 5);
    llmlab_client_close(client, 1000);
}

static void
test_a_span_of_the_parents_is_not_ended_by_the_child(void **state)
{
    llmlab_client_t *client = test_open("exporter", "memory", NULL);
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        char *json;

        EXPECT(llmlab_span_end(span) == LLMLAB_EFORKED);
        /* The mock works in the child, too. */
        test_record(client, 1);
        EXPECT(llmlab_client_flush(client, 5000, NULL) == LLMLAB_OK);
        EXPECT(llmlab_mock_take_batch(client, &json, NULL) == LLMLAB_OK);
        EXPECT(strstr(json, "\"first\":1,\"count\":1") != NULL);
        exit(0);
    }
    expect_child(pid);
    assert_int_equal(llmlab_span_end(span), LLMLAB_OK);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_int_equal(test_stats(client).delivered, 1);
    llmlab_client_close(client, 1000);
}

typedef struct load_s {
    llmlab_client_t *client;
    atomic_bool *stop;
    uint64_t recorded;
} load_t;

static void *
load_main(void *payload)
{
    load_t *load = payload;

    while (!atomic_load(load->stop)) {
        test_record(load->client, 5);
        load->recorded += 5;
        usleep(300);
    }
    return NULL;
}

/* Every fourth child goes on to fork, every fifth leaves by exit(). */
static void
child_main(llmlab_client_t *client, int i)
{
    test_record(client, 4);
    if (i % 4 == 0) {
        pid_t pid = fork();

        if (pid == 0) {
            test_record(client, 2);
            EXPECT(llmlab_client_close(client, 10000) == LLMLAB_OK);
            _exit(0);
        }
        EXPECT(waitpid(pid, &i, 0) == pid);
        if (i != 0) {
            fprintf(stderr, "the grandchild ended with %#x\n", (unsigned)i);
        }
        EXPECT(i == 0);
        i = 0;
    }
    EXPECT(llmlab_client_flush(client, 10000, NULL) == LLMLAB_OK);
    if (i % 5 == 1) {
        exit(0);
    }
    EXPECT(llmlab_client_close(client, 1000) == LLMLAB_OK);
    _exit(0);
}

static void
test_forks_under_load_lose_nothing_and_double_nothing(void **state)
{
    enum { THREADS = 2, FORKS = 60 };
    llmlab_client_t *client;
    atomic_bool stop = false;
    load_t loads[THREADS];
    pthread_t threads[THREADS];
    uint64_t recorded = 0;
    llmlab_stats_t stats;

    (void)state;
    if (WITH_TSAN) {
        print_message("SKIP test_forks_under_load: TSan does not support "
                      "threads in a child of a process with threads; one "
                      "child in some hundred stands still\n");
        skip();
    }
    client = open_client();
    for (int i = 0; i < THREADS; i++) {
        loads[i] = (load_t){client, &stop, 0};
        pthread_create(&threads[i], NULL, load_main, &loads[i]);
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            child_main(client, i);
        }
        recorded += i % 4 == 0 ? 6 : 4;
        expect_child(pid);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        recorded += loads[i].recorded;
    }
    assert_int_equal(llmlab_client_flush(client, 10000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(test_accounted(&stats), stats.accepted);
    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        assert_int_equal(stats.dropped[i], 0);
    }
    assert_int_equal(peer_number(&peer, "stored"), recorded);
    assert_int_equal(peer_number(&peer, "twice"), 0);
    assert_int_equal(peer_number(&peer, "instances"), 1 + FORKS + FORKS / 4);
    llmlab_client_close(client, 1000);
}

static void
test_the_parent_forgets_and_the_child_opens_its_own(void **state)
{
    llmlab_client_t *client = open_client();
    pid_t pid;

    (void)state;
    test_record(client, 1);
    pid = fork();
    if (pid == 0) {
        llmlab_client_t *own = open_client();

        test_record(own, 2);
        EXPECT(llmlab_client_close(own, 5000) == LLMLAB_OK);
        EXPECT(llmlab_client_close(client, 5000) == LLMLAB_OK);
        _exit(0);
    }
    expect_child(pid);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    assert_int_equal(peer_number(&peer, "stored"), 3);
}

int
main(void)
{
#define WITH_PEER(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_PEER(test_a_child_starts_empty),
        WITH_PEER(test_close_in_a_child_that_never_recorded),
        cmocka_unit_test(test_a_span_of_the_parents_is_not_ended_by_the_child),
        WITH_PEER(test_forks_under_load_lose_nothing_and_double_nothing),
        WITH_PEER(test_the_parent_forgets_and_the_child_opens_its_own),
    };

    if (WITH_ASAN) {
        print_message("SKIP test_fork: ASan's allocator does not survive a "
                      "fork while other threads allocate\n");
        return 77;
    }
    setenv("no_proxy", "*", 1); /* whatever the machine's proxies are */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
