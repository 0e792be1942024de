/* What is lost is counted and told: at a close, and at an exit without one.
 *
 * llmlab-test: threads */
#include <setjmp.h>
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

#define NOBODY "http://127.0.0.1:1"

/* A client that is never closed is what this test is about. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}

const char *
__tsan_default_options(void)
{
    return "report_thread_leaks=0";
}

static char self[512];
static llmlab_client_t *left_open;

static void
test_a_close_tells_what_it_drops(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;
    test_log_t log = {0, ""};

    (void)state;
    assert_int_equal(llmlab_config_set(config, "url", NOBODY), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "api_key", peer_key()),
                     LLMLAB_OK);
    llmlab_config_set_log(config, test_log, &log);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    /* Some in a batch that was tried, the others in rings or an open batch. */
    test_record(client, 100);
    test_await_attempts(client, 1);
    test_record(client, 23);
    assert_int_equal(llmlab_client_close(client, 30), LLMLAB_ENETWORK);
    assert_non_null(strstr(log.last, "closed with 123 calls undelivered: the "
                                     "server could not be reached in time"));
}

/* Runs after the library's own. */
static void
at_exit(void)
{
    llmlab_stats_t stats = test_stats(left_open);

    printf("accepted %d closed %d moving %d accounted %d\n",
           (int)stats.accepted, (int)stats.dropped[LLMLAB_DROP_CLOSED],
           (int)(stats.queued + stats.in_flight), (int)test_accounted(&stats));
}

static int
victim(const char *url)
{
    atexit(at_exit);
    left_open = test_open("url", url, "api_key", peer_key(), NULL);
    test_record(left_open, 100);
    test_await_attempts(left_open, 1);
    test_record(left_open, 23);
    return 0;
}

static void
test_an_exit_without_close_tells_it_too(void **state)
{
    char command[700];
    char text[2048];
    size_t size;
    FILE *out;

    (void)state;
    snprintf(command, sizeof(command), "%s victim " NOBODY " 2>&1", self);
    out = popen(command, "r");
    assert_non_null(out);
    size = fread(text, 1, sizeof(text) - 1, out);
    text[size] = '\0';
    assert_int_equal(pclose(out), 0);
    assert_non_null(strstr(text, "123 calls were not delivered when the "
                                 "process ended"));
    assert_non_null(
        strstr(text, "accepted 123 closed 123 moving 0 accounted 123\n"));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_close_tells_what_it_drops),
        cmocka_unit_test(test_an_exit_without_close_tells_it_too),
    };

    setenv("no_proxy", "*", 1);
    if (argc == 3 && strcmp(argv[1], "victim") == 0) {
        return victim(argv[2]);
    }
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
