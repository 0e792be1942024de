/* Clients over the memory exporter. llmlab-test: threads */
#include <pthread.h>
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

#include <llmlab/llmlab.h>
#include <llmlab/sys/mock.h>
#include <llmlab/sys/transport.h>

#include "support/client.h"
#include "support/schema.h"

static const char reply[] =
    "{\"id\":\"r1\",\"object\":\"chat.completion\","
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1200,"
    "\"completion_tokens\":80,\"total_tokens\":1280}}";

static void
record_call(llmlab_client_t *client)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);

    assert_int_equal(llmlab_span_set_response(span, "openai",
                                              "chat_completions", reply,
                                              sizeof(reply) - 1),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_end(span), LLMLAB_OK);
}

static unsigned
take_all(llmlab_client_t *client, const schema_t *schema)
{
    unsigned records = 0;
    char *json;
    size_t size;

    while (llmlab_mock_take_batch(client, &json, &size) == LLMLAB_OK) {
        cJSON *document = cJSON_ParseWithLength(json, size);
        char why[256] = "no JSON";

        if (!schema_check(schema, document, why, sizeof(why))) {
            fail_msg("%s", why);
        }
        records += (unsigned)cJSON_GetNumberValue(cJSON_GetObjectItem(
            cJSON_GetObjectItem(document, "batch"), "count"));
        cJSON_Delete(document);
        llmlab_free(json);
    }
    return records;
}

static void
test_calls_reach_the_exporter(void **state)
{
    schema_t *schema = schema_load(LLMLAB_SOURCE_DIR "/docs/wire.schema.json");
    llmlab_client_t *client = test_open("exporter", "memory", NULL);
    llmlab_flush_result_t result;
    llmlab_stats_t stats;

    (void)state;
    for (int i = 0; i < 250; i++) {
        record_call(client);
    }
    assert_int_equal(llmlab_client_flush(client, 5000, &result), LLMLAB_OK);
    assert_int_equal(result.pending, 0);
    stats = test_stats(client);
    assert_int_equal(stats.accepted, 250);
    assert_int_equal(stats.delivered, 250);
    assert_int_equal(stats.calls, 250);
    assert_int_equal(stats.input_tokens, 300000);
    assert_int_equal(stats.batches, 3);
    assert_int_equal(test_accounted(&stats), 250);
    assert_int_equal(take_all(client, schema), 250);
    assert_int_equal(llmlab_client_close(client, 1000), LLMLAB_OK);
    schema_free(schema);
}

static void
test_a_batch_goes_by_number_and_by_age(void **state)
{
    llmlab_client_t *client =
        test_open("exporter", "memory", "batch.max_calls", "10", NULL);
    int64_t start;

    (void)state;
    /* The time for a batch is five minutes here, and ten seconds' patience. */
    test_record(client, 10);
    test_await_attempts(client, 1);
    assert_int_equal(test_stats(client).delivered, 10);
    llmlab_client_close(client, 0);

    client = test_open("exporter", "memory", "batch.max_age_ms", "300", NULL);
    start = test_now_ms();
    test_record(client, 1);
    test_await_attempts(client, 1);
    assert_int_equal(test_stats(client).delivered, 1);
    assert_true(test_now_ms() - start >= 300);
    llmlab_client_close(client, 0);

    client = test_open("exporter", "memory", "live", "1", NULL);
    test_record(client, 3);
    test_await_attempts(client, 1);
    llmlab_client_close(client, 0);
}

static void
test_null_and_disabled_clients(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    llmlab_flush_result_t result;
    llmlab_stats_t stats;
    test_log_t log = {0, ""};
    char *json;

    (void)state;
    assert_int_equal(llmlab_client_open(NULL, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_client_flush(NULL, 0, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_client_close(NULL, 0), LLMLAB_OK);
    assert_int_equal(llmlab_client_enabled(NULL), 0);
    llmlab_stats_init(NULL);
    assert_int_equal(llmlab_client_stats(NULL, &stats), LLMLAB_EINVAL);
    assert_int_equal(llmlab_client_stats_json(NULL, &json, NULL),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_mock_take_batch(NULL, &json, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_mock_push_status(NULL, 200, -1), LLMLAB_EINVAL);

    llmlab_config_set_log(config, test_log, &log);
    unsetenv("LLMLAB_API_KEY");
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_EDISABLED);
    assert_non_null(client);
    assert_int_equal(log.lines, 1);
    assert_non_null(strstr(log.last, "no key"));
    assert_int_equal(llmlab_client_enabled(client), 0);
    assert_null(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    assert_int_equal(llmlab_client_flush(client, 100, &result),
                     LLMLAB_EDISABLED);
    assert_int_equal(test_stats(client).accepted, 0);
    stats.struct_size = 0;
    assert_int_equal(llmlab_client_stats(client, &stats), LLMLAB_EINVAL);
    assert_int_equal(llmlab_mock_take_batch(client, &json, NULL),
                     LLMLAB_EUNSUPPORTED);
    assert_int_equal(llmlab_client_close(client, 100), LLMLAB_EDISABLED);

    setenv("LLMLAB_BATCH_MAX_CALLS", "lots", 1);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_ECONFIG);
    assert_int_equal(log.lines, 2);
    assert_non_null(strstr(log.last, "LLMLAB_BATCH_MAX_CALLS: \"lots\""));
    assert_int_equal(llmlab_client_enabled(client), 0);
    llmlab_client_close(client, 0);
    unsetenv("LLMLAB_BATCH_MAX_CALLS");

    setenv("LLMLAB_ENABLED", "0", 1);
    setenv("LLMLAB_EXPORTER", "memory", 1);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_EDISABLED);
    assert_int_equal(log.lines, 2); /* asked for: nothing to complain of */
    llmlab_client_close(client, 0);
    unsetenv("LLMLAB_ENABLED");
    assert_int_equal(llmlab_client_open(&client, NULL), LLMLAB_OK);
    llmlab_client_close(client, 0);
    unsetenv("LLMLAB_EXPORTER");
    llmlab_config_destroy(config);
}

static void
test_sampled_totals_are_exact(void **state)
{
    schema_t *schema = schema_load(LLMLAB_SOURCE_DIR "/docs/wire.schema.json");
    llmlab_client_t *client =
        test_open("exporter", "memory", "sample_rate", "0.25", NULL);
    llmlab_stats_t stats;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        record_call(client);
    }
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(stats.accepted, 2000);
    assert_int_equal(stats.delivered, 2000);
    assert_in_range(stats.unsampled, 1300, 1700);
    assert_int_equal(take_all(client, schema), 2000);
    llmlab_client_close(client, 0);
    schema_free(schema);
}

static void
test_stats_json_names_unpriced_models(void **state)
{
    llmlab_client_t *client = test_open("exporter", "memory", NULL);
    llmlab_usage_t usage;
    cJSON *json;
    const cJSON *models;
    char *text;

    (void)state;
    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 5);
    for (int i = 0; i < 100; i++) {
        llmlab_call_t call;
        char model[40];

        llmlab_call_init(&call);
        snprintf(model, sizeof(model), "our-own-%d", i % 50);
        call.provider = LLMLAB_TEXT("nobody");
        call.model = llmlab_text_of(model);
        call.usage = &usage;
        assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    }
    /* What nobody asked the cost of is priced by the worker. */
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_client_stats_json(client, &text, NULL), LLMLAB_OK);
    json = cJSON_Parse(text);
    assert_non_null(json);
    models = cJSON_GetObjectItem(json, "unpriced_models");
    assert_int_equal(cJSON_GetArraySize(models), 32); /* bounded */
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(
                            cJSON_GetArrayItem(models, 0), "model")),
                        "our-own-0");
    assert_int_equal(
        cJSON_GetNumberValue(cJSON_GetObjectItem(json, "unpriced_calls")), 100);
    cJSON_Delete(json);
    llmlab_free(text);
    llmlab_client_close(client, 0);
}

static void
test_two_clients_do_not_mix(void **state)
{
    llmlab_client_t *a = test_open("exporter", "memory", NULL);
    llmlab_client_t *b = test_open("exporter", "memory", NULL);

    (void)state;
    for (int i = 0; i < 100; i++) {
        test_record(a, 1);
        test_record(b, 2);
    }
    assert_int_equal(llmlab_client_flush(a, 2000, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_client_flush(b, 2000, NULL), LLMLAB_OK);
    assert_int_equal(test_stats(a).delivered, 100);
    assert_int_equal(test_stats(b).delivered, 200);
    llmlab_client_close(a, 1000);
    test_record(b, 1);
    assert_int_equal(llmlab_client_flush(b, 2000, NULL), LLMLAB_OK);
    assert_int_equal(test_stats(b).delivered, 201);
    llmlab_client_close(b, 1000);
}

static void
test_open_and_close_a_thousand_times(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        llmlab_client_t *client = test_open("exporter", "memory", NULL);

        if (i % 2 == 0) {
            test_record(client, 1);
        }
        if (i % 4 == 0) {
            assert_int_equal(llmlab_client_close(client, 1000), LLMLAB_OK);
        } else {
            llmlab_client_close(client, 0); /* whatever is in between */
        }
    }
}

static void
test_a_full_queue_is_counted(void **state)
{
    /* The server is away: what does not fit is dropped, and counted. */
    llmlab_client_t *client = test_open(
        "exporter", "memory", "queue.max_bytes", "262144", "queue.ring_bytes",
        "16384", "retry.base_ms", "60000", "retry.max_ms", "60000", NULL);
    llmlab_stats_t stats;

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(llmlab_mock_push_status(client, 0, 60000), LLMLAB_OK);
    }
    test_record(client, 20000);
    stats = test_stats(client);
    assert_int_equal(stats.accepted, 20000);
    assert_true(stats.dropped[LLMLAB_DROP_RING_FULL] > 10000);
    usleep(300000);
    stats = test_stats(client);
    assert_int_equal(test_accounted(&stats), 20000);
    assert_true(stats.memory_bytes < 1 << 20);
    assert_int_equal(llmlab_client_close(client, 100), LLMLAB_ENETWORK);
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
        test_record(load->client, 50);
        load->recorded += 50;
        usleep(200);
    }
    return NULL;
}

/* Whenever it is read, the ledger never shows more than was accepted. */
static void
test_the_ledger_balances_while_calls_move(void **state)
{
    enum { THREADS = 4 };
    llmlab_client_t *client =
        test_open("exporter", "memory", "retry.base_ms", "1", "retry.max_ms",
                  "2", "retry.probe_ms", "10", NULL);
    atomic_bool stop = false;
    load_t loads[THREADS];
    pthread_t threads[THREADS];
    llmlab_stats_t stats;
    uint64_t recorded = 0;
    int64_t start = test_now_ms();
    char *json;

    (void)state;
    for (int i = 0; i < 400; i++) {
        static const int statuses[] = {200, 503, 413, 400, 0, 200, 429, 401};

        assert_int_equal(
            llmlab_mock_push_status(client, statuses[i % 8], i % 3 - 1),
            LLMLAB_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        loads[i] = (load_t){client, &stop, 0};
        pthread_create(&threads[i], NULL, load_main, &loads[i]);
    }
    while (test_now_ms() - start < 1500) {
        stats = test_stats(client);
        if (test_accounted(&stats) > stats.accepted) {
            fail_msg("accepted %llu, accounted %llu",
                     (unsigned long long)stats.accepted,
                     (unsigned long long)test_accounted(&stats));
        }
        if (stats.attempts % 16 == 0) {
            llmlab_client_flush(client, 0, NULL);
        }
        if (llmlab_mock_take_batch(client, &json, NULL) == LLMLAB_OK) {
            llmlab_free(json);
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        recorded += loads[i].recorded;
    }
    start = test_now_ms();
    while (llmlab_client_flush(client, 100, NULL) != LLMLAB_OK &&
           test_now_ms() - start < 30000) {
        usleep(10000); /* a refused key answers at once */
    }
    stats = test_stats(client);
    assert_int_equal(stats.accepted, recorded);
    assert_int_equal(stats.queued + stats.in_flight, 0);
    assert_int_equal(test_accounted(&stats), stats.accepted);
    assert_true(stats.dead > 0);
    llmlab_client_close(client, 1000);
}

typedef struct custom_s {
    int sends;
    atomic_int destroyed;
} custom_t;

/* A worker that was left behind destroys its transport a moment later. */
static void
await_destroyed(custom_t *custom, int times)
{
    int64_t start = test_now_ms();

    while (atomic_load(&custom->destroyed) < times &&
           test_now_ms() - start < 10000) {
        usleep(1000);
    }
    assert_int_equal(custom->destroyed, times);
}

static int
custom_send(void *self, const llmlab_request_t *request,
            llmlab_response_t *response)
{
    custom_t *custom = self;
    char text[200];
    const char *const *header = request->headers;
    int size;

    custom->sends++;
    while (strncmp(*header, "Idempotency-Key: ", 17) != 0) {
        header++;
    }
    size = snprintf(text, sizeof(text),
                    "{\"instance\":\"%.36s\",\"first\":%d,\"count\":%d,"
                    "\"accepted\":%d,\"duplicate\":0,\"rejected\":[]}",
                    *header + 17, atoi(*header + 17 + 37), 5, 5);
    response->http_status = 202;
    return llmlab_response_append(response, text, (size_t)size);
}

static void
custom_destroy(void *self)
{
    ((custom_t *)self)->destroyed++;
}

static void
test_a_transport_of_the_users(void **state)
{
    custom_t custom = {0, 0};
    llmlab_transport_t transport = {sizeof(transport), custom_send,
                                    custom_destroy, &custom};
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;
    llmlab_client_t *second;

    (void)state;
    llmlab_config_set_transport(config, &transport);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    assert_int_equal(llmlab_client_open(&second, config), LLMLAB_ECONFIG);
    llmlab_client_close(second, 0);
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 2000, NULL), LLMLAB_OK);
    assert_int_equal(custom.sends, 1);
    assert_int_equal(llmlab_client_close(client, 1000), LLMLAB_OK);
    await_destroyed(&custom, 1);

    /* Also when nothing was ever recorded. */
    llmlab_config_set_transport(config, &transport);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    assert_int_equal(llmlab_client_close(client, 1000), LLMLAB_OK);
    await_destroyed(&custom, 2);

    /* And when the calls go elsewhere. */
    llmlab_config_set_transport(config, &transport);
    assert_int_equal(llmlab_config_set(config, "exporter", "memory"),
                     LLMLAB_OK);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    test_record(client, 5);
    assert_int_equal(llmlab_client_flush(client, 2000, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_client_close(client, 1000), LLMLAB_OK);
    assert_int_equal(custom.sends, 1);
    await_destroyed(&custom, 3);
    llmlab_config_destroy(config);
}

static int
stuck_send(void *self, const llmlab_request_t *request,
           llmlab_response_t *response)
{
    (void)self;
    (void)request;
    (void)response;
    usleep(1500000); /* heeds neither deadline nor stop */
    return -1;
}

static void
test_close_leaves_a_stuck_transport_behind(void **state)
{
    llmlab_transport_t transport = {sizeof(transport), stuck_send, NULL, NULL};
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;
    int64_t start;

    (void)state;
    llmlab_config_set_transport(config, &transport);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    test_record(client, 5);
    start = test_now_ms();
    assert_int_equal(llmlab_client_close(client, 200), LLMLAB_ETIMEOUT);
    assert_in_range(test_now_ms() - start, 200, 200 + TEST_SLACK_MS);
    usleep(1600000); /* the thread frees everything: see the sanitizers */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_reach_the_exporter),
        cmocka_unit_test(test_a_batch_goes_by_number_and_by_age),
        cmocka_unit_test(test_null_and_disabled_clients),
        cmocka_unit_test(test_sampled_totals_are_exact),
        cmocka_unit_test(test_stats_json_names_unpriced_models),
        cmocka_unit_test(test_two_clients_do_not_mix),
        cmocka_unit_test(test_open_and_close_a_thousand_times),
        cmocka_unit_test(test_a_full_queue_is_counted),
        cmocka_unit_test(test_the_ledger_balances_while_calls_move),
        cmocka_unit_test(test_a_transport_of_the_users),
        cmocka_unit_test(test_close_leaves_a_stuck_transport_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
