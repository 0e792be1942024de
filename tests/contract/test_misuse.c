/* What nobody should do and somebody will: it is told, counted and safe.
 *
 * llmlab-test: threads timeout=180 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <llmlab/llmlab.h>
#include <llmlab/sys/mock.h>

#include "support/client.h"
#include "support/sanitizer.h"

static unsigned
count_entries(const char *path)
{
    DIR *directory = opendir(path);
    unsigned count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

/* A thread that was late for its close goes by itself. */
static void
await_entries(const char *path, unsigned count)
{
    int64_t start = test_now_ms();

    while (count_entries(path) != count && test_now_ms() - start < 10000) {
        usleep(1000);
    }
    assert_int_equal(count_entries(path), count);
}

/* In KiB. */
static long
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * 4;
}

static void
test_null_everywhere(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_scope_t scope = llmlab_scope_open(NULL, NULL, NULL, 0);
    char trace_id[33];
    llmlab_span_t *span;
    llmlab_client_t *client = test_open("exporter", "memory", NULL);

    (void)state;
    assert_null(scope.span);
    llmlab_scope_close(&scope);
    llmlab_scope_close(NULL);
    llmlab_free(NULL);
    llmlab_span_discard(NULL);
    assert_null(llmlab_span_start_n(NULL, NULL, NULL, 5, 0));
    assert_null(llmlab_span_start_remote(NULL, NULL, NULL, 0));
    assert_int_equal(llmlab_span_set_string_n(NULL, NULL, 1, NULL, 1),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_int_n(NULL, NULL, 1, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_double_n(NULL, NULL, 1, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_bool_n(NULL, NULL, 1, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_user(NULL, NULL, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_session(NULL, NULL, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_request_model(NULL, NULL), LLMLAB_EINVAL);
    assert_null(llmlab_drop_name((llmlab_drop_t)LLMLAB_DROP_REASONS));
    assert_null(llmlab_drop_name((llmlab_drop_t)-1));

    /* A span, and NULL for each text. */
    span = llmlab_span_start_n(client, NULL, NULL, 5, (llmlab_span_kind_t)-1);
    assert_non_null(span);
    assert_int_equal(llmlab_span_set_string(span, "k", NULL), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_string_n(span, "k", 1, NULL, 7),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_set_string_n(span, NULL, 1, "v", 1),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_agent(span, NULL, 5), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_user(span, NULL, 5), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_session(span, NULL, 5), LLMLAB_OK);
    assert_int_equal(llmlab_span_add_tag(span, NULL, 5), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_error(span, NULL, NULL, 0), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_model(span, NULL, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_request_model(span, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_tier(span, NULL, NULL, NULL, 0),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_set_finish(span, NULL, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_prompt(span, NULL, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_input(span, NULL, 5), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_output(span, NULL, 5), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_response(span, NULL, NULL, NULL, 5),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_traceparent(span, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_ids(span, NULL, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_ids(span, trace_id, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_end(span), LLMLAB_OK);
    assert_int_equal(llmlab_client_flush(client, 2000, NULL), LLMLAB_OK);
    assert_int_equal(test_stats(client).delivered, 1);
    assert_int_equal(llmlab_client_stats(client, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_client_stats_json(client, NULL, NULL),
                     LLMLAB_EINVAL);
    llmlab_client_close(client, 1000);
    llmlab_config_destroy(config);
}

/* Off costs nothing: no thread, no descriptor, no memory to speak of. */
static void
test_a_disabled_client_starts_nothing(void **state)
{
    unsigned threads = count_entries("/proc/self/task");
    unsigned files = count_entries("/proc/self/fd");
    llmlab_client_t *client = NULL;
    llmlab_call_t call;
    char *json = NULL;

    (void)state;
    setenv("LLMLAB_ENABLED", "0", 1);
    assert_int_equal(llmlab_client_open(&client, NULL), LLMLAB_EDISABLED);
    unsetenv("LLMLAB_ENABLED");
    for (int i = 0; i < 1000; i++) {
        LLMLAB_TRACE(client, "run");
        {
            LLMLAB_SPAN("step", LLMLAB_SPAN_LLM);
            assert_null(llmlab_span_current());
        }
        {
            LLMLAB_SPAN_IN(NULL, "step", LLMLAB_SPAN_LLM);
        }
    }
    llmlab_call_init(&call);
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_client_flush(client, 0, NULL), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_client_stats_json(client, &json, NULL), LLMLAB_OK);
    assert_non_null(strstr(json, "\"accepted\":0"));
    llmlab_free(json);
    assert_int_equal(test_stats(client).memory_bytes, 0);
    assert_int_equal(count_entries("/proc/self/task"), threads);
    assert_int_equal(count_entries("/proc/self/fd"), files);
    assert_int_equal(llmlab_client_close(client, 0), LLMLAB_EDISABLED);
}

static void
test_garbage_in_any_variable_disables(void **state)
{
    static const char *const garbage[] = {"\x01", "\xff\xfe garbage \n"};
    const llmlab_setting_t *row;

    (void)state;
    for (size_t i = 0; (row = llmlab_setting_at(i)) != NULL; i++) {
        for (int v = 0; v < 2; v++) {
            llmlab_config_t *config = llmlab_config_new();
            llmlab_client_t *client = NULL;
            llmlab_status_t status;
            test_log_t log = {0, ""};

            llmlab_config_set_log(config, test_log, &log);
            setenv(row->variable, garbage[v], 1);
            status = llmlab_client_open(&client, config);
            unsetenv(row->variable);
            if (strcmp(row->name, "tls.ca_pem") == 0) {
                /* May hold lines; this client lacks the key. */
                assert_int_equal(status, LLMLAB_EDISABLED);
            } else {
                assert_int_equal(status, LLMLAB_ECONFIG);
                assert_non_null(strstr(log.last, row->variable));
            }
            assert_int_equal(log.lines, 1);
            assert_int_equal(llmlab_client_enabled(client), 0);
            assert_null(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM));
            assert_int_equal(llmlab_client_close(client, 0), LLMLAB_EDISABLED);
            llmlab_config_destroy(config);
        }
    }
}

typedef struct job_s {
    llmlab_client_t *client;
    llmlab_span_t *span;
    llmlab_status_t status;
} job_t;

static void *
end_it(void *payload)
{
    job_t *job = payload;

    llmlab_span_set_string(job->span, "by", "another thread");
    job->status = llmlab_span_end(job->span);
    return NULL;
}

static void *
record_and_leave(void *payload)
{
    llmlab_call_t call;
    llmlab_context_token_t token;
    job_t *job = payload;

    llmlab_call_init(&call);
    call.name = LLMLAB_TEXT("short");
    job->status = llmlab_record_call(job->client, &call);
    /* And leaves a span open and current. */
    job->span = llmlab_span_start(job->client, NULL, "x", LLMLAB_SPAN_TOOL);
    llmlab_context_attach(job->span, &token);
    return NULL;
}

static void
test_ends_elsewhere_and_threads_that_leave(void **state)
{
    llmlab_client_t *client = test_open("exporter", "memory", NULL);
    llmlab_stats_t stats;

    (void)state;
    for (int i = 0; i < 500; i++) {
        job_t job = {client, NULL, LLMLAB_EINTERNAL};
        pthread_t thread;

        job.span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
        pthread_create(&thread, NULL, end_it, &job);
        pthread_join(thread, NULL);
        assert_int_equal(job.status, LLMLAB_OK);
        assert_int_equal(llmlab_span_end(job.span), LLMLAB_ESTALE);

        pthread_create(&thread, NULL, record_and_leave, &job);
        pthread_join(thread, NULL);
        assert_int_equal(job.status, LLMLAB_OK);
        assert_null(llmlab_span_current());
        if (i % 2 == 0) {
            assert_int_equal(llmlab_span_end(job.span), LLMLAB_OK);
        }
    }
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(stats.accepted, 1250);
    assert_int_equal(stats.delivered, 1250);
    assert_int_equal(stats.stale_ends, 500);
    assert_int_equal(stats.open_spans, 250);
    llmlab_client_close(client, 1000);
}

static llmlab_client_t *interrupted;
static atomic_uint from_handler;
static atomic_uint refused;

static void
on_alarm(int number)
{
    llmlab_span_t *span =
        llmlab_span_start(interrupted, NULL, "signal", LLMLAB_SPAN_TOOL);

    int before = errno;

    (void)number;
    if (span == NULL || llmlab_span_end(span) != LLMLAB_OK) {
        atomic_fetch_add(&refused, 1);
    }
    atomic_fetch_add(&from_handler, 1);
    errno = before;
}

static void
test_records_from_a_signal_handler(void **state)
{
    struct itimerval often = {{0, 200}, {0, 200}};
    struct itimerval never = {{0, 0}, {0, 0}};
    struct sigaction action;
    llmlab_span_t *spans[32];
    llmlab_stats_t stats;
    uint64_t recorded = 0;
    int64_t start = test_now_ms();

    (void)state;
    interrupted = test_open("exporter", "memory", "queue.full", "wait", NULL);
    /* Warm: the thread has its ring, and more spans than it needs. */
    for (int i = 0; i < 32; i++) {
        spans[i] =
            llmlab_span_start(interrupted, NULL, "warm", LLMLAB_SPAN_TOOL);
    }
    for (int i = 0; i < 32; i++) {
        assert_int_equal(llmlab_span_end(spans[i]), LLMLAB_OK);
    }
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_alarm;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (test_now_ms() - start < 500 || (atomic_load(&from_handler) < 100 &&
                                           test_now_ms() - start < 20000)) {
        test_record(interrupted, 100);
        recorded += 100;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_DFL);
    while (llmlab_client_flush(interrupted, 2000, NULL) != LLMLAB_OK) {
    }
    stats = test_stats(interrupted);
    assert_true(atomic_load(&from_handler) >= 100);
    assert_int_equal(stats.accepted,
                     32 + recorded + atomic_load(&from_handler));
    assert_int_equal(test_accounted(&stats), stats.accepted);
    assert_int_equal(stats.dropped[LLMLAB_DROP_REENTERED],
                     atomic_load(&refused));
    assert_int_equal(stats.delivered + atomic_load(&refused), stats.accepted);
    llmlab_client_close(interrupted, 2000);
}

static void
test_open_and_close_ten_thousand_times(void **state)
{
    unsigned threads = count_entries("/proc/self/task");
    unsigned files = count_entries("/proc/self/fd");
    long before = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        llmlab_client_t *client = test_open("exporter", "memory", NULL);

        if (i % 10 == 0) {
            test_record(client, 1);
            assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
        } else {
            llmlab_client_close(client, 0);
        }
        if (i == 1000) {
            before = resident();
        }
    }
    await_entries("/proc/self/task", threads);
    await_entries("/proc/self/fd", files);
    if (!WITH_SANITIZER) {
        assert_true(resident() - before < 4096);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_everywhere),
        cmocka_unit_test(test_a_disabled_client_starts_nothing),
        cmocka_unit_test(test_garbage_in_any_variable_disables),
        cmocka_unit_test(test_ends_elsewhere_and_threads_that_leave),
        cmocka_unit_test(test_records_from_a_signal_handler),
        cmocka_unit_test(test_open_and_close_ten_thousand_times),
    };

    unsetenv("LLMLAB_API_KEY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
