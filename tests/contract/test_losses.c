/* What is lost is counted and told: at a close, and at an exit without one.
 *
 * llmlab-test: threads
 * llmlab-sabotage: exit_unhooked */
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
#include <llmlab/sys/transport.h>

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

static int destroyed;

static int
send_nothing(void *payload, const llmlab_request_t *request,
             llmlab_response_t *response)
{
    (void)payload;
    (void)request;
    (void)response;
    return -1;
}

static void
count_destroyed(void *payload)
{
    (void)payload;
    destroyed++;
}

/* No worker can be made any more, however often it is tried. */
static void
record_at_exit(void)
{
    llmlab_stats_t stats;

    test_record(left_open, 3);
    stats = test_stats(left_open);
    printf("dropped %d destroyed %d\n",
           (int)stats.dropped[LLMLAB_DROP_NO_MEMORY], destroyed);
    llmlab_client_close(left_open, 10);
    printf("closed destroyed %d\n", destroyed);
}

static int
latecomer(void)
{
    llmlab_transport_t transport = {sizeof(transport), send_nothing,
                                    count_destroyed, NULL};
    llmlab_config_t *config = llmlab_config_new();

    atexit(record_at_exit);
    llmlab_config_set_transport(config, &transport);
    assert_int_equal(llmlab_client_open(&left_open, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    return 0;
}

static void
run_self(const char *arguments, char *text, size_t capacity)
{
    char command[700];
    size_t size;
    FILE *out;

    snprintf(command, sizeof(command), "%s %s 2>&1", self, arguments);
    out = popen(command, "r");
    assert_non_null(out);
    size = fread(text, 1, capacity - 1, out);
    text[size] = '\0';
    if (pclose(out) != 0) {
        fail_msg("%s", text);
    }
}

static void
test_a_record_after_exit_began_is_counted(void **state)
{
    char text[2048];

    (void)state;
    run_self("latecomer " NOBODY, text, sizeof(text));
    assert_non_null(strstr(text, "dropped 3 destroyed 0\n"));
    assert_non_null(strstr(text, "closed destroyed 1\n"));
}

static void
test_an_exit_without_close_tells_it_too(void **state)
{
    char text[2048];

    (void)state;
    run_self("victim " NOBODY, text, sizeof(text));
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
        cmocka_unit_test(test_a_record_after_exit_began_is_counted),
    };

    setenv("no_proxy", "*", 1);
    if (argc == 3 && strcmp(argv[1], "victim") == 0) {
        return victim(argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "latecomer") == 0) {
        return latecomer();
    }
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
