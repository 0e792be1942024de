#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/encode.h"
#include "support/make_record.h"
#include "support/schema.h"

static made_record_t made;
static llmlab__segments_t segments;
static llmlab__batch_t batch;
static llmlab__encoder_t encoder;
static schema_t *schema;

static const llmlab__sender_t sender = {
    "c", "0193a7c8-0000-7000-8000-000000000001", "api", "prod", ""};

static int
load_schema(void **state)
{
    (void)state;
    schema = schema_load(LLMLAB_SOURCE_DIR "/docs/wire.schema.json");
    return schema == NULL ? -1 : 0;
}

static int
free_schema(void **state)
{
    (void)state;
    schema_free(schema);
    return 0;
}

static int
begin(void **state)
{
    static const llmlab__segment_owner_t owner = {.instance = "instance"};

    (void)state;
    llmlab__segments_init(&segments, &owner, 262144);
    llmlab__encoder_init(&encoder);
    memset(&batch, 0, sizeof(batch));
    batch.first = 1601;
    return 0;
}

static int
end(void **state)
{
    (void)state;
    llmlab__encoder_cleanup(&encoder);
    llmlab__segments_cleanup(&segments);
    return 0;
}

static void
add(void)
{
    const llmlab__record_t *record = made_head(&made);
    uint64_t number =
        record->type == LLMLAB__RECORD_CHUNK ? 0 : batch.first + batch.count++;
    llmlab__segment_cursor_t start;

    assert_true(llmlab__record_check(record, record->size));
    assert_true(llmlab__segments_append(&segments, record, number, 0, &start,
                                        &batch.end));
    if (batch.start.segment == NULL) {
        batch.start = start;
    }
}

/* Encode, check against the schema, and parse. */
static cJSON *
encode(void)
{
    llmlab_stats_t totals;
    char why[512];
    cJSON *json;

    llmlab_stats_init(&totals);
    totals.accepted = 1700;
    totals.delivered = 1600;
    totals.dropped[LLMLAB_DROP_RING_FULL] = 3;
    assert_true(llmlab__encode(&encoder, &sender, &batch, &totals,
                               INT64_C(1787000001000000000)));
    json = cJSON_ParseWithLength((const char *)encoder.json.data,
                                 encoder.json.size);
    assert_non_null(json);
    if (!schema_check(schema, json, why, sizeof(why))) {
        print_error("%.*s\n", (int)encoder.json.size, encoder.json.data);
        fail_msg("%s", why);
    }
    return json;
}

static const cJSON *
get(const cJSON *json, const char *path)
{
    char key[64];

    while (*path != '\0' && json != NULL) {
        size_t size = strcspn(path, "/");

        memcpy(key, path, size);
        key[size] = '\0';
        json = key[0] >= '0' && key[0] <= '9'
                   ? cJSON_GetArrayItem(json, atoi(key))
                   : cJSON_GetObjectItemCaseSensitive(json, key);
        path += size + (path[size] == '/');
    }
    return json;
}

static void
expect_text(const cJSON *json, const char *path, const char *text)
{
    const cJSON *item = get(json, path);

    assert_non_null(item);
    assert_string_equal(cJSON_GetStringValue(item), text);
}

static void
expect_number(const cJSON *json, const char *path, double number)
{
    const cJSON *item = get(json, path);

    assert_non_null(item);
    assert_true(cJSON_IsNumber(item));
    assert_true(item->valuedouble == number);
}

static void
test_a_call(void **state)
{
    cJSON *json;

    (void)state;
    make_call(&made, 7, 9);
    add();
    json = encode();
    expect_number(json, "schema", 1);
    expect_text(json, "sdk/instance", sender.instance);
    expect_text(json, "sdk/service", "api");
    assert_null(get(json, "sdk/release"));
    expect_number(json, "batch/first", 1601);
    expect_number(json, "batch/count", 1);
    expect_text(json, "batch/sent_at", "2026-08-17T20:53:21.000000000Z");
    expect_number(json, "batch/totals/accepted", 1700);
    expect_number(json, "batch/totals/dropped/ring_full", 3);
    expect_text(json, "traces/0/trace_id", "00000000000000010000000000000007");
    expect_text(json, "traces/0/status", "success");
    expect_text(json, "traces/0/total_cost", "0.0001182");
    expect_number(json, "traces/0/duration_ms", 812.4);
    expect_text(json, "traces/0/steps/0/span_id", "0000000000000009");
    expect_text(json, "traces/0/steps/0/parent_id", "0000000000000001");
    expect_number(json, "traces/0/steps/0/n", 1601);
    expect_text(json, "traces/0/steps/0/type", "llm_call");
    expect_text(json, "traces/0/steps/0/start",
                "2026-08-17T20:53:20.123456789Z");
    expect_number(json, "traces/0/steps/0/latency_ms", 812.4);
    expect_number(json, "traces/0/steps/0/ttft_ms", 210);
    expect_number(json, "traces/0/steps/0/usage/input_tokens", 1209);
    expect_text(json, "traces/0/steps/0/cost", "0.0001182");
    expect_text(json, "traces/0/steps/0/cost_detail/match", "exact");
    expect_text(json, "traces/0/steps/0/cost_detail/pricing", "priced");
    assert_null(get(json, "traces/0/steps/0/provider_cost"));
    assert_null(get(json, "traces/0/steps/0/error"));
    assert_int_equal(encoder.corrupt, 0);
    cJSON_Delete(json);
}

static void
make_everything(void)
{
    uint64_t cost[2] = {UINT64_C(5) * 1000000000000000, 0};
    unsigned char fingerprint[16];
    unsigned char prefix[24];
    int64_t integer = INT64_MIN;
    double number = 0.1;
    double infinite = 1e308 * 10;
    unsigned char truth = 1;

    make_call(&made, 7, 9);
    made_head(&made)->flags |= LLMLAB__RECORD_BATCH | LLMLAB__RECORD_CUT |
                               LLMLAB__RECORD_PROVIDER_COST |
                               LLMLAB__RECORD_ROOT;
    made_head(&made)->outcome = LLMLAB_ERROR;
    made_head(&made)->http_status = 429;
    made_head(&made)->parent_id = 0;
    made_head(&made)->cost_source = LLMLAB_COST_PROVIDER;
    memset(fingerprint, 0xAB, sizeof(fingerprint));
    memset(prefix, 0xCD, sizeof(prefix));
    for (int type = LLMLAB__ITEM_SESSION; type <= LLMLAB__ITEM_OUTPUT; type++) {
        char text[32];

        if (type == LLMLAB__ITEM_USAGE || type == LLMLAB__ITEM_PROVIDER_COST) {
            continue;
        }
        snprintf(text, sizeof(text), "item \"%d\"\n\xFF", type);
        make_text(&made, (llmlab__item_type_t)type, text);
    }
    make_text(&made, LLMLAB__ITEM_TAG, "second");
    make_item(&made, LLMLAB__ITEM_PROVIDER_COST, NULL, cost, sizeof(cost));
    make_item(&made, LLMLAB__ITEM_FINGERPRINT, NULL, fingerprint, 16);
    make_item(&made, LLMLAB__ITEM_PREFIX, NULL, prefix, 24);
    make_item(&made, LLMLAB__ITEM_ATTR_STRING, "s", "x", 1);
    make_item(&made, LLMLAB__ITEM_ATTR_INT, "i", &integer, 8);
    make_item(&made, LLMLAB__ITEM_ATTR_DOUBLE, "d", &number, 8);
    make_item(&made, LLMLAB__ITEM_ATTR_DOUBLE, "inf", &infinite, 8);
    make_item(&made, LLMLAB__ITEM_ATTR_BOOL, "b", &truth, 1);
}

static void
test_every_field(void **state)
{
    cJSON *json;
    const cJSON *step;

    (void)state;
    make_everything();
    add();
    json = encode();
    step = get(json, "traces/0/steps/0");
    assert_null(get(step, "parent_id"));
    expect_text(json, "traces/0/status", "error");
    expect_text(json, "traces/0/total_cost", "5");
    expect_number(step, "error/http_status", 429);
    expect_text(step, "error/type", "item \"17\"\n\xEF\xBF\xBD");
    expect_text(step, "provider_cost", "5");
    expect_text(step, "cost", "0.0001182");
    expect_text(step, "tags/1", "second");
    assert_true(cJSON_IsTrue(get(step, "batch")));
    assert_true(cJSON_IsTrue(get(step, "cut")));
    expect_text(step, "prompt/version", "item \"16\"\n\xEF\xBF\xBD");
    expect_text(step, "fingerprint", "abababababababababababababababab");
    assert_int_equal(cJSON_GetArraySize(get(step, "prefix")), 3);
    expect_number(step, "attributes/d", 0.1);
    assert_true(cJSON_IsTrue(get(step, "attributes/b")));
    assert_null(get(step, "attributes/inf"));
    assert_non_null(
        strstr((const char *)encoder.json.data, "\"i\":-9223372036854775808"));
    cJSON_Delete(json);
}

static void
test_steps_are_grouped_by_trace(void **state)
{
    cJSON *json;
    int steps = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        make_call(&made, i % 37, i + 1);
        add();
    }
    json = encode();
    assert_int_equal(cJSON_GetArraySize(get(json, "traces")), 37);
    for (int t = 0; t < 37; t++) {
        const cJSON *trace = cJSON_GetArrayItem(get(json, "traces"), t);
        double before = 0;
        const cJSON *step;
        char id[33];

        snprintf(id, sizeof(id), "0000000000000001%016x", t);
        expect_text(trace, "trace_id", id);
        cJSON_ArrayForEach(step, get(trace, "steps"))
        {
            assert_true(get(step, "n")->valuedouble > before);
            before = get(step, "n")->valuedouble;
            steps++;
        }
    }
    assert_int_equal(steps, 1000);
    cJSON_Delete(json);
}

static void
make_unsampled(uint64_t span, const char *model, int quarter)
{
    make_call(&made, 7, span);
    made_head(&made)->type = LLMLAB__RECORD_UNSAMPLED;
    make_text(&made, LLMLAB__ITEM_MODEL, model);
    made_head(&made)->start_ns += quarter * INT64_C(900000000000);
    made_head(&made)->end_ns += quarter * INT64_C(900000000000);
}

static void
test_unsampled_calls_are_folded(void **state)
{
    const cJSON *row;
    cJSON *json;
    double calls = 0;

    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        if (i % 10 == 0) {
            make_call(&made, i, i + 1);
        } else {
            make_unsampled(77 * 9, i % 3 == 0 ? "a" : "b", i >= 200);
        }
        add();
    }
    json = encode();
    assert_int_equal(cJSON_GetArraySize(get(json, "traces")), 30);
    assert_int_equal(cJSON_GetArraySize(get(json, "batch/unsampled")), 4);
    cJSON_ArrayForEach(row, get(json, "batch/unsampled"))
    {
        double in_runs = 0;
        const cJSON *run;
        char cost[64];
        double n = get(row, "calls")->valuedouble;

        cJSON_ArrayForEach(run, get(row, "n"))
        {
            in_runs += cJSON_GetArrayItem(run, 1)->valuedouble -
                       cJSON_GetArrayItem(run, 0)->valuedouble + 1;
        }
        assert_true(in_runs == n);
        calls += n;
        expect_number(row, "usage/input_tokens", n * (1200 + 693));
        snprintf(cost, sizeof(cost), "%.7f", n * 0.0001182);
        while (cost[strlen(cost) - 1] == '0') {
            cost[strlen(cost) - 1] = '\0';
        }
        expect_text(row, "cost", cost);
    }
    expect_text(json, "batch/unsampled/0/start",
                "2026-08-17T20:45:00.000000000Z");
    assert_true(calls == 270);
    assert_int_equal(encoder.corrupt, 0);
    cJSON_Delete(json);
}

static void
test_pieces_of_text_become_one(void **state)
{
    cJSON *json;

    (void)state;
    make_record(&made, LLMLAB__RECORD_CHUNK, 7, 9);
    make_text(&made, LLMLAB__ITEM_INPUT, "caf\xC3"); /* cut in a character */
    add();
    make_record(&made, LLMLAB__RECORD_CHUNK, 7, 8);
    make_text(&made, LLMLAB__ITEM_INPUT, "another span's");
    add();
    make_record(&made, LLMLAB__RECORD_CHUNK, 7, 9);
    make_text(&made, LLMLAB__ITEM_OUTPUT, "out");
    add();
    make_record(&made, LLMLAB__RECORD_CHUNK, 7, 9);
    make_text(&made, LLMLAB__ITEM_INPUT, "\xA9 au ");
    add();
    make_call(&made, 7, 9);
    make_text(&made, LLMLAB__ITEM_INPUT, "lait");
    add();
    json = encode();
    expect_text(json, "traces/0/steps/0/input", "caf\xC3\xA9 au lait");
    expect_text(json, "traces/0/steps/0/output", "out");
    assert_int_equal(cJSON_GetArraySize(get(json, "traces")), 1);
    cJSON_Delete(json);
}

static void
test_overwritten_records_are_counted(void **state)
{
    llmlab__segment_cursor_t cursor;
    const llmlab__record_t *record;
    uint64_t number;
    bool sound;
    cJSON *json;

    (void)state;
    for (uint64_t i = 1; i <= 10; i++) {
        make_call(&made, 1, i);
        add();
    }
    cursor = batch.start;
    for (int i = 0; i < 4; i++) {
        assert_true(llmlab__segments_read(&cursor, &record, &number, &sound));
    }
    memset((llmlab__record_t *)(uintptr_t)record, 0xEE, 64);
    json = encode();
    assert_int_equal(encoder.corrupt, 1);
    assert_int_equal(cJSON_GetArraySize(get(json, "traces/0/steps")), 9);
    cJSON_Delete(json);
}

static void
test_the_schema_check_can_fail(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"schema\":2,\"sdk\":{},\"batch\":{},\"traces\":[]}",
        "{\"schema\":1,\"sdk\":{\"name\":\"x\",\"version\":\"1\","
        "\"instance\":\"nope\"},\"batch\":{\"first\":1,\"count\":1,"
        "\"sent_at\":\"2026-08-17T20:53:21Z\",\"totals\":{\"accepted\":0,"
        "\"delivered\":0,\"rejected\":0,\"dropped\":{}}},\"traces\":[]}",
    };
    char why[256];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cJSON *json = cJSON_Parse(bad[i]);

        assert_false(schema_check(schema, json, why, sizeof(why)));
        cJSON_Delete(json);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_call, begin, end),
        cmocka_unit_test_setup_teardown(test_every_field, begin, end),
        cmocka_unit_test_setup_teardown(test_steps_are_grouped_by_trace, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_unsampled_calls_are_folded, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_pieces_of_text_become_one, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_overwritten_records_are_counted,
                                        begin, end),
        cmocka_unit_test(test_the_schema_check_can_fail),
    };

    return cmocka_run_group_tests(tests, load_schema, free_schema);
}
