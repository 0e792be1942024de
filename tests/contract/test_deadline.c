/* flush(ms) and close(ms) return within ms + 50 ms, whatever the network does;
 * a live trace is up two seconds after its root's end.
 * Judged by the best of a few tries: a machine that does other things as well
 * makes some late, a missed deadline makes all late.
 *
 * llmlab-test: serial threads
 * llmlab-sabotage: deadlines_slip */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <llmlab/llmlab.h>
#include <llmlab/sys/transport.h>

#include "support/client.h"
#include "support/peer.h"

enum { TRIES = 5, LATE_MS = 50 };

typedef llmlab_client_t *(*open_fn)(void);

static char url[64];

/* Takes connections and never says a word. */
static int
begin(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    snprintf(url, sizeof(url), "//127.0.0.1:%d", ntohs(address.sin_port));
    return 0;
}

static llmlab_client_t *
open_at(const char *scheme)
{
    char whole[80];

    snprintf(whole, sizeof(whole), "%s:%s", scheme, url);
    return test_open("url", whole, "api_key", peer_key(), "no_proxy", "*",
                     "log.level", "error", NULL);
}

static llmlab_client_t *
open_black_hole(void)
{
    return open_at("http");
}

static llmlab_client_t *
open_half_open_tls(void)
{
    return open_at("https");
}

static llmlab_client_t *
open_nobody(void)
{
    return test_open("url", "http://127.0.0.1:1", "api_key", peer_key(),
                     "no_proxy", "*", "log.level", "error", NULL);
}

static int
stuck_send(void *self, const llmlab_request_t *request,
           llmlab_response_t *response)
{
    (void)self;
    (void)request;
    (void)response;
    usleep(700000); /* heeds neither deadline nor stop */
    return -1;
}

static llmlab_client_t *
open_stuck(void)
{
    llmlab_transport_t transport = {sizeof(transport), stuck_send, NULL, NULL};
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;

    assert_int_equal(llmlab_config_set(config, "log.level", "error"),
                     LLMLAB_OK);
    llmlab_config_set_transport(config, &transport);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    return client;
}

/* How late the better of its tries is. */
static void
expect_in_time(open_fn open_client, int64_t timeout_ms)
{
    int64_t flush_late = INT64_MAX;
    int64_t close_late = INT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        llmlab_client_t *client = open_client();
        int64_t start;
        int64_t late;

        test_record(client, 300);
        start = test_now_ms();
        assert_int_not_equal(llmlab_client_flush(client, timeout_ms, NULL),
                             LLMLAB_OK);
        late = test_now_ms() - start - timeout_ms;
        flush_late = late < flush_late ? late : flush_late;

        start = test_now_ms();
        assert_int_not_equal(llmlab_client_close(client, timeout_ms),
                             LLMLAB_OK);
        late = test_now_ms() - start - timeout_ms;
        close_late = late < close_late ? late : close_late;
        if (flush_late <= LATE_MS && close_late <= LATE_MS) {
            break;
        }
    }
    if (flush_late > LATE_MS || close_late > LATE_MS) {
        fail_msg("after %lld ms: flush %lld ms late, close %lld ms",
                 (long long)timeout_ms, (long long)flush_late,
                 (long long)close_late);
    }
}

#define IN_TIME(peer)                     \
    static void test_##peer(void **state) \
    {                                     \
        (void)state;                      \
        expect_in_time(open_##peer, 0);   \
        expect_in_time(open_##peer, 30);  \
        expect_in_time(open_##peer, 250); \
    }

IN_TIME(nobody)
IN_TIME(black_hole)
IN_TIME(half_open_tls)
IN_TIME(stuck)

static void
test_live(void **state)
{
    int64_t best = INT64_MAX;

    (void)state;
    for (int i = 0; i < TRIES && best > 2000; i++) {
        llmlab_client_t *client =
            test_open("exporter", "memory", "live", "1", NULL);
        int64_t start;
        int64_t took;

        /* The worker has parked, or nearly: its laziest moment. */
        test_record(client, 1);
        usleep(1000000u * (unsigned)(i % 4));
        start = test_now_ms();
        test_record(client, 3);
        test_await_attempts(client, i % 4 == 0 ? 1 : 2);
        took = test_now_ms() - start;
        best = took < best ? took : best;
        llmlab_client_close(client, 100);
    }
    assert_in_range(best, 0, 2000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody),        cmocka_unit_test(test_black_hole),
        cmocka_unit_test(test_half_open_tls), cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_live),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
