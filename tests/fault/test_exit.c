/* Programs that end without closing, at every moment, over TLS: no crash, no
 * hang. llmlab-test: threads timeout=180 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/peer.h"

/* Threads that end with their process are what this test is about, and a
 * child of many threads is used as a process. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *
__tsan_default_options(void)
{
    return "report_thread_leaks=0:die_after_fork=0";
}

/* So are clients that nobody closes, and what a child leaves of its parent's.
 */
const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}

static peer_t peer;
static char self[512];

static void *
record_for_ever(void *payload)
{
    for (;;) {
        test_record(payload, 20);
        usleep(100);
    }
    return NULL;
}

/* The program that ends: how, after how many microseconds, against whom. */
static int
victim(char **arguments)
{
    const char *how = arguments[2];
    llmlab_client_t *client = test_open(
        "url", arguments[4], "api_key", arguments[5], "tls.ca_file",
        arguments[6], "batch.max_calls", "10", "log.level", "error", NULL);
    pthread_t thread;

    test_record(client, 100);
    if (strcmp(how, "threads") == 0 || strcmp(how, "quick") == 0) {
        pthread_create(&thread, NULL, record_for_ever, client);
    }
    usleep((useconds_t)atoi(arguments[3]));
    if (strcmp(how, "quick") == 0) {
        quick_exit(0);
    }
    if (strcmp(how, "at_once") == 0) {
        _exit(0);
    }
    if (strcmp(how, "close") == 0) {
        llmlab_client_close(client, 20);
    }
    return 0;
}

static void
run_victims(const char *how, int count)
{
    for (int i = 0; i < count; i++) {
        char delay[16];
        int64_t start = test_now_ms();
        int status;
        pid_t pid;

        /* From before libcurl is up to the middle of an upload. */
        snprintf(delay, sizeof(delay), "%d", i * i * 37 % 60000);
        pid = fork();
        if (pid == 0) {
            execl(self, self, "victim", how, delay, peer.url, peer_key(),
                  peer.certificate, (char *)NULL);
            _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            fail_msg("%s after %s us: status %#x", how, delay,
                     (unsigned)status);
        }
        assert_true(test_now_ms() - start < 5000);
    }
}

static int
begin(void **state)
{
    (void)state;
    if (!peer_start_tls(&peer)) {
        print_message("SKIP test_exit: python3 or openssl is not here\n");
        peer.pid = 0;
    }
    return 0;
}

static int
end(void **state)
{
    (void)state;
    peer_stop(&peer);
    return 0;
}

#define EXIT_TEST(how, count)                 \
    static void test_exit_##how(void **state) \
    {                                         \
        (void)state;                          \
        if (peer.pid == 0) {                  \
            skip();                           \
        }                                     \
        run_victims(#how, count);             \
    }

EXIT_TEST(by_return, 60)
EXIT_TEST(threads, 60)
EXIT_TEST(quick, 20)
EXIT_TEST(at_once, 10)
EXIT_TEST(close, 40)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_by_return),
        cmocka_unit_test(test_exit_threads),
        cmocka_unit_test(test_exit_quick),
        cmocka_unit_test(test_exit_at_once),
        cmocka_unit_test(test_exit_close),
    };

    setenv("no_proxy", "*", 1); /* whatever the machine's proxies are */
    if (argc == 7 && strcmp(argv[1], "victim") == 0) {
        return victim(argv);
    }
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
