/* Delivery through libcurl to a peer that misbehaves. llmlab-test: threads
 * timeout=180 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/peer.h"

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
    return test_open("url", peer.url, "api_key", peer_key(), "retry.base_ms",
                     "20", "retry.max_ms", "50", "retry.probe_ms", "100",
                     "log.level", "error", NULL);
}

static void
expect_delivered(llmlab_client_t *client, uint64_t count)
{
    llmlab_stats_t stats = test_stats(client);

    assert_int_equal(stats.accepted, count);
    assert_int_equal(stats.delivered, count);
    assert_int_equal(test_accounted(&stats), count);
    assert_int_equal(peer_number(&peer, "stored"), count);
}

static void
test_batches_are_stored_over_one_connection(void **state)
{
    llmlab_client_t *client = open_client();

    (void)state;
    for (int i = 0; i < 10; i++) {
        test_record(client, 150);
        assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    }
    expect_delivered(client, 1500);
    assert_int_equal(peer_number(&peer, "twice"), 0);
    /* One is the client's, the others ask for this report. */
    assert_true(peer_number(&peer, "connections") <= 4);
    assert_int_equal(llmlab_client_close(client, 1000), LLMLAB_OK);
}

static void
test_what_passes_is_tried_again(void **state)
{
    static const char *const scripts[] = {
        "[\"500\",\"502\",\"503\",\"504\",\"408\",\"425\"]",
        "[\"429\",\"429\"]",
        "[\"html\",\"html\",\"alien\"]",
        "[\"rst\",\"close\",\"rst\"]",
        "[\"401\",\"403\",\"404\"]",
        "[\"302\"]",
    };
    llmlab_client_t *client = open_client();
    uint64_t recorded = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        int tries = 0;

        peer_script(&peer, scripts[i]);
        test_record(client, 30);
        recorded += 30;
        /* A refused key answers a flush at once: ask again. */
        while (llmlab_client_flush(client, 5000, NULL) != LLMLAB_OK) {
            assert_true(++tries < 10);
        }
        expect_delivered(client, recorded);
    }
    assert_int_equal(peer_number(&peer, "stolen"), 0);
    assert_int_equal(peer_number(&peer, "twice"), 0);
    assert_int_equal(llmlab_client_close(client, 1000), LLMLAB_OK);
}

static void
test_a_reply_that_is_lost_does_not_store_twice(void **state)
{
    llmlab_client_t *client = open_client();

    (void)state;
    peer_script(&peer, "[\"commit_drop\",\"commit_drop\"]");
    test_record(client, 40);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    expect_delivered(client, 40);
    assert_int_equal(peer_number(&peer, "twice"), 80);
    assert_int_equal(test_stats(client).duplicates, 40);
    llmlab_client_close(client, 1000);
}

static void
test_dead_letters_let_the_next_batch_go(void **state)
{
    llmlab_client_t *client = open_client();
    llmlab_stats_t stats;

    (void)state;
    peer_script(&peer, "[\"400\",\"ok\",\"422\",\"ok\",\"409\",\"ok\"]");
    for (int i = 0; i < 6; i++) {
        test_record(client, 10);
        assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    }
    stats = test_stats(client);
    assert_int_equal(stats.dead, 30);
    assert_int_equal(stats.delivered, 30);
    assert_int_equal(peer_number(&peer, "stored"), 30);
    llmlab_client_close(client, 1000);
}

static void
test_rejected_records_are_counted(void **state)
{
    llmlab_client_t *client = open_client();
    llmlab_stats_t stats;

    (void)state;
    peer_script(&peer, "[\"reject\"]");
    test_record(client, 10);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(stats.rejected, 1);
    assert_int_equal(stats.delivered, 9);
    assert_int_equal(test_accounted(&stats), 10);
    llmlab_client_close(client, 1000);
}

static void
test_a_batch_too_large_is_halved(void **state)
{
    llmlab_client_t *client = open_client();
    llmlab_stats_t stats;

    (void)state;
    peer_script(&peer, "[\"max:7\"]");
    test_record(client, 100);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    expect_delivered(client, 100);
    assert_int_equal(peer_number(&peer, "twice"), 0);
    peer_script(&peer, "[\"max:0\"]");
    test_record(client, 4);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(stats.dead, 4); /* a single record that is too large */
    llmlab_client_close(client, 1000);
}

static double
last_gap(void)
{
    cJSON *report = peer_report(&peer);
    const cJSON *times = cJSON_GetObjectItem(report, "times");
    int count = cJSON_GetArraySize(times);
    double gap = cJSON_GetNumberValue(cJSON_GetArrayItem(times, count - 1)) -
                 cJSON_GetNumberValue(cJSON_GetArrayItem(times, count - 2));

    cJSON_Delete(report);
    return gap;
}

static void
test_retry_after_is_honoured(void **state)
{
    llmlab_client_t *client = open_client();

    (void)state;
    peer_script(&peer, "[\"429:1\"]");
    test_record(client, 1);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_true(last_gap() >= 1.0 && last_gap() < 1.5);
    /* As a date, which has whole seconds. */
    peer_script(&peer, "[\"503:date+3\"]");
    test_record(client, 1);
    assert_int_equal(llmlab_client_flush(client, 8000, NULL), LLMLAB_OK);
    assert_true(last_gap() >= 1.0 && last_gap() < 4.0);
    /* Impatient flushes change nothing. */
    peer_script(&peer, "[\"429:1\"]");
    test_record(client, 1);
    for (int i = 0; i < 8; i++) {
        llmlab_client_flush(client, 100, NULL);
    }
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_true(last_gap() >= 1.0);
    llmlab_client_close(client, 1000);
}

static void
test_a_refused_key_is_told_at_once(void **state)
{
    llmlab_client_t *client = open_client();
    int64_t start = test_now_ms();

    (void)state;
    peer_script(&peer, "[\"401\",\"401\",\"403\",\"404\"]");
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_EAUTH);
    assert_true(test_now_ms() - start < 2000);
    assert_non_null(strstr(llmlab_status_detail(), "401"));
    assert_int_equal(test_stats(client).in_flight, 5);
    /* It probes by itself until the key is known. */
    for (int i = 0; i < 100 && test_stats(client).delivered < 5; i++) {
        usleep(50000);
    }
    expect_delivered(client, 5);
    llmlab_client_close(client, 1000);
}

static void
keeps_its_deadline(llmlab_client_t *client, int64_t ms,
                   llmlab_status_t expected)
{
    llmlab_flush_result_t result;
    int64_t start = test_now_ms();
    llmlab_status_t status = llmlab_client_flush(client, ms, &result);

    assert_in_range(test_now_ms() - start, ms, ms + TEST_SLACK_MS);
    assert_true(status == expected || status == LLMLAB_ETIMEOUT);
    assert_int_equal(result.pending, 5);
    start = test_now_ms();
    status = llmlab_client_close(client, ms);
    assert_true(status == expected || status == LLMLAB_ETIMEOUT);
    assert_in_range(test_now_ms() - start, ms, ms + TEST_SLACK_MS);
}

static void
test_deadlines_with_a_server_that_never_answers(void **state)
{
    llmlab_client_t *client = open_client();

    (void)state;
    peer_script(&peer, "[\"hole\",\"hole\",\"hole\"]");
    test_record(client, 5);
    keeps_its_deadline(client, 400, LLMLAB_ETIMEOUT);
}

static void
test_deadlines_with_a_byte_a_second(void **state)
{
    llmlab_client_t *client = open_client();

    (void)state;
    peer_script(&peer, "[\"slow\",\"slow\",\"slow\"]");
    test_record(client, 5);
    keeps_its_deadline(client, 1200, LLMLAB_ETIMEOUT);
}

static void
test_deadlines_with_nobody_there(void **state)
{
    llmlab_client_t *client = test_open("url", "http://127.0.0.1:1", "api_key",
                                        peer_key(), "log.level", "error", NULL);

    (void)state;
    test_record(client, 5);
    keeps_its_deadline(client, 400, LLMLAB_ENETWORK);
}

/* Accepts connections, by the kernel's hand, and never says a word: to TLS a
 * peer that is half open. */
static void
test_deadlines_with_a_half_open_tls_peer(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    llmlab_client_t *client;
    char url[64];

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d", ntohs(address.sin_port));
    client = test_open("url", url, "api_key", peer_key(), "log.level", "error",
                       NULL);
    test_record(client, 5);
    keeps_its_deadline(client, 400, LLMLAB_ETIMEOUT);
    close(fd);
}

/* A listener whose queue is full drops what comes: a black hole. */
static void
test_deadlines_with_a_black_hole(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fillers[8];
    llmlab_client_t *client;
    char url[64];

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    for (int i = 0; i < 8; i++) {
        fillers[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, size);
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    client = test_open("url", url, "api_key", peer_key(), "log.level", "error",
                       NULL);
    test_record(client, 5);
    keeps_its_deadline(client, 400, LLMLAB_ETIMEOUT);
    for (int i = 0; i < 8; i++) {
        close(fillers[i]);
    }
    close(fd);
}

/* libcurl's resolver thread finds this one before the C library's. */
static atomic_int resolver_sleeps_ms;

__attribute__((visibility("default"))) int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
    static int (*real)(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    }
    if (resolver_sleeps_ms > 0) {
        usleep((useconds_t)resolver_sleeps_ms * 1000);
        return EAI_AGAIN;
    }
    return real(node, service, hints, out);
}

static void
test_deadlines_with_a_name_that_nobody_resolves(void **state)
{
    llmlab_client_t *client =
        test_open("url", "http://llmlab.invalid:1", "api_key", peer_key(),
                  "log.level", "error", NULL);

    (void)state;
    resolver_sleeps_ms = 3000;
    test_record(client, 5);
    keeps_its_deadline(client, 400, LLMLAB_ETIMEOUT);
    usleep(3200000); /* the look-up ends behind our back, harmlessly */
    resolver_sleeps_ms = 0;
}

static void
test_calls_move_on_while_a_reply_is_awaited(void **state)
{
    llmlab_client_t *client = open_client();
    llmlab_stats_t stats;

    (void)state;
    peer_script(&peer, "[\"delay:1.5\"]");
    test_record(client, 100); /* a batch, whose reply is late */
    test_await_attempts(client, 0);
    usleep(300000);
    for (int i = 0; i < 40; i++) { /* several rings full */
        test_record(client, 100);
        usleep(20000);
    }
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(stats.dropped[LLMLAB_DROP_RING_FULL], 0);
    expect_delivered(client, 4100);
    llmlab_client_close(client, 1000);
}

static void
test_an_undeliverable_batch_expires(void **state)
{
    llmlab_client_t *client =
        test_open("url", "http://127.0.0.1:1", "api_key", peer_key(),
                  "log.level", "error", "retry.base_ms", "10", "retry.max_ms",
                  "20", "delivery.timeout_ms", "200", NULL);
    llmlab_stats_t stats;

    (void)state;
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(stats.dropped[LLMLAB_DROP_EXPIRED], 5);
    assert_int_equal(test_accounted(&stats), 5);
    llmlab_client_close(client, 1000);
}

/* A request that gets no reply ends at http.timeout_ms, and is tried again. */
static void
test_a_request_ends_in_its_time(void **state)
{
    llmlab_client_t *client =
        test_open("url", peer.url, "api_key", peer_key(), "http.timeout_ms",
                  "150", "retry.base_ms", "1", "log.level", "error", NULL);

    (void)state;
    peer_script(&peer, "[\"hole\",\"hole\"]");
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 15000, NULL), LLMLAB_OK);
    expect_delivered(client, 5);
    assert_int_equal(test_stats(client).retries, 2);
    llmlab_client_close(client, 1000);
}

/* While a reply is awaited, the rings are emptied: these would overflow. */
static void
test_rings_are_emptied_while_a_reply_is_awaited(void **state)
{
    llmlab_client_t *client =
        test_open("url", peer.url, "api_key", peer_key(), "batch.max_calls",
                  "10000", "log.level", "error", NULL);

    (void)state;
    peer_script(&peer, "[\"delay:2\"]");
    test_record(client, 5);
    llmlab_client_flush(client, 0, NULL);
    while (test_stats(client).in_flight == 0) {
        usleep(1000);
    }
    for (int i = 0; i < 60; i++) {
        test_record(client, 200);
        usleep(20000);
    }
    assert_int_equal(test_stats(client).dropped[LLMLAB_DROP_RING_FULL], 0);
    assert_int_equal(llmlab_client_flush(client, 15000, NULL), LLMLAB_OK);
    expect_delivered(client, 12005);
    llmlab_client_close(client, 1000);
}

static unsigned
threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    unsigned count = 0;

    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

/* A stop ends the request under way, long before its time. */
static void
test_a_close_ends_the_request(void **state)
{
    unsigned before = threads();
    llmlab_client_t *client = test_open("url", peer.url, "api_key", peer_key(),
                                        "log.level", "error", NULL);
    int64_t start;

    (void)state;
    peer_script(&peer, "[\"hole\"]");
    test_record(client, 5);
    llmlab_client_flush(client, 0, NULL);
    while (test_stats(client).in_flight == 0) {
        usleep(1000);
    }
    usleep(100000);
    llmlab_client_close(client, 0);
    start = test_now_ms();
    while (threads() > before && test_now_ms() - start < 10000) {
        usleep(1000);
    }
    assert_int_equal(threads(), before);
}

/* What the host program executes does not get our connection. */
static void
test_the_connection_is_not_inherited(void **state)
{
    llmlab_client_t *client = open_client();
    int connections = 0;

    (void)state;
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 15000, NULL), LLMLAB_OK);
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_in other;
        socklen_t size = sizeof(other);

        if (getpeername(fd, (struct sockaddr *)&other, &size) == 0 &&
            other.sin_family == AF_INET && ntohs(other.sin_port) == peer.port) {
            connections++;
            assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        }
    }
    assert_int_equal(connections, 1);
    llmlab_client_close(client, 1000);
}

/* However often the server refuses the key, it is said once. */
static void
test_a_refusal_is_logged_once(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;
    test_log_t log = {0, ""};

    (void)state;
    peer_script(&peer, "[\"401\",\"401\",\"401\",\"401\",\"401\"]");
    assert_int_equal(llmlab_config_set(config, "url", peer.url), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "api_key", peer_key()),
                     LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "retry.probe_ms", "10"),
                     LLMLAB_OK);
    llmlab_config_set_log(config, test_log, &log);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 15000, NULL), LLMLAB_EAUTH);
    test_await_attempts(client, 6);
    assert_int_equal(llmlab_client_flush(client, 15000, NULL), LLMLAB_OK);
    expect_delivered(client, 5);
    llmlab_client_close(client, 10000);
    assert_int_equal(log.lines, 1);
}

int
main(void)
{
#define WITH_PEER(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_PEER(test_batches_are_stored_over_one_connection),
        WITH_PEER(test_what_passes_is_tried_again),
        WITH_PEER(test_a_reply_that_is_lost_does_not_store_twice),
        WITH_PEER(test_dead_letters_let_the_next_batch_go),
        WITH_PEER(test_rejected_records_are_counted),
        WITH_PEER(test_a_batch_too_large_is_halved),
        WITH_PEER(test_retry_after_is_honoured),
        WITH_PEER(test_a_refused_key_is_told_at_once),
        WITH_PEER(test_deadlines_with_a_server_that_never_answers),
        WITH_PEER(test_deadlines_with_a_byte_a_second),
        WITH_PEER(test_calls_move_on_while_a_reply_is_awaited),
        WITH_PEER(test_a_request_ends_in_its_time),
        WITH_PEER(test_rings_are_emptied_while_a_reply_is_awaited),
        WITH_PEER(test_a_close_ends_the_request),
        WITH_PEER(test_the_connection_is_not_inherited),
        WITH_PEER(test_a_refusal_is_logged_once),
        cmocka_unit_test(test_deadlines_with_nobody_there),
        cmocka_unit_test(test_deadlines_with_a_half_open_tls_peer),
        cmocka_unit_test(test_deadlines_with_a_black_hole),
        cmocka_unit_test(test_deadlines_with_a_name_that_nobody_resolves),
        cmocka_unit_test(test_an_undeliverable_batch_expires),
    };

    setenv("no_proxy", "*", 1); /* whatever the machine's proxies are */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
