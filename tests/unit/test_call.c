/* A finished call in one step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include <llmlab/llmlab.h>

#include "base/clock.h"
#include "support/recording.h"

static recording_t *recording;
static llmlab_client_t *client;

static int
set_up(void **state)
{
    (void)state;
    recording = recording_open();
    client = recording_client(recording);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    recording_close(recording);
    return 0;
}

static void
fill(llmlab_call_t *call, llmlab_usage_t *usage)
{
    llmlab_usage_init(usage);
    llmlab_usage_set(usage, LLMLAB_USAGE_INPUT_TOKENS, 1200);
    llmlab_usage_set(usage, LLMLAB_USAGE_OUTPUT_TOKENS, 80);
    llmlab_call_init(call);
    call->provider = LLMLAB_TEXT("openai");
    call->api = LLMLAB_TEXT("chat_completions");
    call->model = LLMLAB_TEXT("gpt-4o-mini-2024-07-18");
    call->usage = usage;
}

static void
test_a_call_arrives_whole(void **state)
{
    llmlab__tracer_counts_t counts;
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_usage_t usage;
    llmlab_call_t call;

    (void)state;
    fill(&call, &usage);
    call.request_model = LLMLAB_TEXT("gpt-4o-mini");
    call.response_id = LLMLAB_TEXT("r1");
    call.finish_reason = LLMLAB_TEXT("stop");
    call.service_tier = LLMLAB_TEXT("default");
    call.region = LLMLAB_TEXT("eu");
    call.start_ns = INT64_C(1787296180000000000);
    call.end_ns = INT64_C(1787296181000000000);
    call.ttft_ns = 5;
    call.attempt = 2;
    call.http_status = 200;
    call.stream = 1;
    call.agent = LLMLAB_TEXT("run");
    call.user = LLMLAB_TEXT("u1");
    call.session = LLMLAB_TEXT("s1");
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    record = recording_next(recording);
    assert_int_equal(record->type, LLMLAB__RECORD_SPAN);
    assert_int_equal(record->kind, LLMLAB_SPAN_LLM);
    assert_int_equal(record->outcome, LLMLAB_SUCCESS);
    assert_int_equal(record->attempt, 2);
    assert_int_equal(record->http_status, 200);
    assert_int_equal(record->ttft_ns, 5);
    assert_true(record->cost[0] == UINT64_C(228000000000));
    assert_int_equal(record->flags,
                     LLMLAB__RECORD_REAL_TIME | LLMLAB__RECORD_STREAM |
                         LLMLAB__RECORD_USAGE_COMPLETE | LLMLAB__RECORD_ROOT |
                         LLMLAB__RECORD_CALL);
    assert_int_equal(record->end_ns - record->start_ns, 1000000000);
    assert_true(record->trace_id[0] >> 16 == UINT64_C(1787296180000));
    assert_true(
        recording_has(record, LLMLAB__ITEM_NAME, "gpt-4o-mini-2024-07-18"));
    assert_true(recording_has(record, LLMLAB__ITEM_AGENT, "run"));
    assert_true(recording_has(record, LLMLAB__ITEM_USER, "u1"));
    assert_true(recording_has(record, LLMLAB__ITEM_SESSION, "s1"));
    assert_true(recording_has(record, LLMLAB__ITEM_API, "chat_completions"));
    assert_true(
        recording_has(record, LLMLAB__ITEM_REQUEST_MODEL, "gpt-4o-mini"));
    assert_true(recording_has(record, LLMLAB__ITEM_RESPONSE_ID, "r1"));
    assert_true(recording_has(record, LLMLAB__ITEM_REGION, "eu"));
    assert_true(recording_item(record, LLMLAB__ITEM_PRICE_KEY, 0, &item));
    assert_true(recording_item(record, LLMLAB__ITEM_USAGE, 0, &item));
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.calls, 1);
    assert_int_equal(counts.open_spans, 0);
    assert_int_equal(counts.input_tokens, 1200);
    assert_true(counts.cost.low == UINT64_C(228000000000));
}

static void
test_a_call_joins_its_parent(void **state)
{
    llmlab_span_t *parent =
        llmlab_span_start(client, NULL, "run", LLMLAB_SPAN_AGENT);
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_usage_t usage;
    llmlab_call_t call;

    (void)state;
    llmlab_span_set_user(parent, "u1", 2);
    llmlab_span_add_tag(parent, "t1", 2);
    fill(&call, &usage);
    call.parent = parent;
    call.user = LLMLAB_TEXT("u2");
    call.name = LLMLAB_TEXT("answer");
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    llmlab_span_end(parent);
    record = recording_next(recording);
    assert_int_equal(record->flags & LLMLAB__RECORD_ROOT, 0);
    assert_true(recording_has(record, LLMLAB__ITEM_NAME, "answer"));
    assert_true(recording_has(record, LLMLAB__ITEM_USER, "u2"));
    assert_false(recording_item(record, LLMLAB__ITEM_USER, 1, &item));
    assert_true(recording_has(record, LLMLAB__ITEM_AGENT, "run"));
    assert_true(recording_has(record, LLMLAB__ITEM_TAG, "t1"));
    assert_true(record->parent_id == recording_next(recording)->span_id);

    call.parent = NULL;
    call.traceparent =
        LLMLAB_TEXT("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    record = recording_next(recording);
    assert_true(record->parent_id == UINT64_C(0x00f067aa0ba902b7));
}

static void
test_what_is_not_stated_is_not_there(void **state)
{
    const llmlab__record_t *record;
    llmlab_call_t call;

    (void)state;
    llmlab_call_init(&call);
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    record = recording_next(recording);
    assert_int_equal(recording_items(record), 0);
    assert_int_equal(record->usage_source, LLMLAB_USAGE_NONE);
    assert_int_equal(record->start_ns, record->end_ns);
    assert_true(llmlab__clock_mono_ns() - record->start_ns <
                INT64_C(5000000000));

    call.error_type = LLMLAB_TEXT("timeout");
    call.kind = (llmlab_span_kind_t)99;
    call.outcome = (llmlab_outcome_t)-3;
    call.attempt = 1 << 20;
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    record = recording_next(recording);
    assert_int_equal(record->kind, LLMLAB_SPAN_GENERIC);

    call.struct_size = 0;
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_EINVAL);
    call.struct_size = offsetof(llmlab_call_t, provider);
    call.provider.data = (const char *)1; /* beyond what the caller knows */
    call.provider.size = 8;
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    recording->tracer.enabled = false;
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_EDISABLED);
}

static void
test_the_stated_charge_counts(void **state)
{
    llmlab__tracer_counts_t counts;
    const llmlab__record_t *record;
    llmlab_money_t charge = {7, 1};
    llmlab_usage_t usage;
    llmlab_call_t call;

    (void)state;
    fill(&call, &usage);
    call.provider_cost = &charge;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    }
    record = recording_next(recording);
    assert_int_equal(record->cost_source, LLMLAB_COST_PROVIDER);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.cost.low, 21);
    assert_int_equal(counts.cost.high, 3);
}

static void
test_a_call_that_cannot_fit_is_counted(void **state)
{
    llmlab__tracer_counts_t counts;
    size_t size = 100000;
    char *text = malloc(size + 1);
    llmlab_call_t call;

    (void)state;
    memset(text, 'x', size);
    text[size] = '\0';
    llmlab_call_init(&call);
    call.name = llmlab_text_of(text);
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_EFULL);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.dropped[LLMLAB_DROP_TOO_LARGE], 1);
    free(text);
}

static void
test_a_long_text_is_cut_with_a_mark(void **state)
{
    size_t size = 100000;
    char *text = malloc(size);
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_call_t call;

    (void)state;
    recording->ring_bytes = 1 << 18;
    memset(text, 'x', size);
    llmlab_call_init(&call);
    call.model = LLMLAB_TEXT("gpt-4o-mini");
    call.response_id.data = text;
    call.response_id.size = size;
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    record = recording_next(recording);
    assert_true((record->flags & LLMLAB__RECORD_CUT) != 0);
    assert_true(recording_has(record, LLMLAB__ITEM_MODEL, "gpt-4o-mini"));
    assert_true(recording_item(record, LLMLAB__ITEM_RESPONSE_ID, 0, &item));
    assert_int_equal(item.value_size, UINT16_MAX);
    free(text);
}

static void
test_unsampled_calls_are_short(void **state)
{
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_usage_t usage;
    llmlab_call_t call;

    (void)state;
    recording->tracer.sample_below = 0;
    fill(&call, &usage);
    call.response_id = LLMLAB_TEXT("r1");
    call.user = LLMLAB_TEXT("u1");
    assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
    record = recording_next(recording);
    assert_int_equal(record->type, LLMLAB__RECORD_UNSAMPLED);
    assert_true(record->cost[0] == UINT64_C(228000000000));
    assert_true(recording_has(record, LLMLAB__ITEM_USER, "u1"));
    assert_true(recording_item(record, LLMLAB__ITEM_USAGE, 0, &item));
    assert_false(recording_item(record, LLMLAB__ITEM_RESPONSE_ID, 0, &item));
    assert_false(recording_item(record, LLMLAB__ITEM_NAME, 0, &item));
}

/* What the init leaves out would be garbage in every program. */
static void
test_init_sets_every_member(void **state)
{
    llmlab_call_t zero;
    llmlab_call_t call;

    (void)state;
    memset(&zero, 0, sizeof(zero));
    memset(&call, 0xa5, sizeof(call));
    llmlab_call_init(&call);
    assert_int_equal(call.struct_size, sizeof(call));
    assert_int_equal(call.kind, LLMLAB_SPAN_LLM);
    call.struct_size = 0;
    call.kind = LLMLAB_SPAN_GENERIC;
    assert_memory_equal(&call, &zero, sizeof(zero));
    llmlab_call_init(NULL);
}

static void
test_texts_come_with_their_size(void **state)
{
    llmlab_text_t text = LLMLAB_TEXT("openai");

    (void)state;
    assert_int_equal(text.size, 6);
    assert_memory_equal(text.data, "openai", 6);
    text = LLMLAB_TEXT("");
    assert_int_equal(text.size, 0);
    text = llmlab_text_of(NULL);
    assert_null(text.data);
    assert_int_equal(text.size, 0);
    assert_int_equal(llmlab_text_of("gpt-4o").size, 6);
}

static void
assert_text(const llmlab__record_t *record, llmlab__item_type_t type,
            llmlab_text_t text)
{
    llmlab__item_view_t item;

    if (text.size == 0) {
        assert_false(recording_item(record, type, 0, &item));
        return;
    }
    assert_true(recording_item(record, type, 0, &item));
    assert_int_equal(item.value_size, text.size);
    assert_memory_equal(item.value, text.data, text.size);
}

/* Every way to copy, and every place where the usual room may end. The texts
 * have memory of their exact size, so that a sanitizer sees a byte too many. */
static void
test_texts_of_any_size_arrive_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1200; i++) {
        const size_t sizes[] = {i,     i % 71,       i % 37, i % 19,
                                i % 9, i * 7 % 1021, i % 131};
        llmlab_text_t texts[7];
        const llmlab__record_t *record;
        llmlab_usage_t usage;
        llmlab_call_t call;

        for (size_t k = 0; k < 7; k++) {
            char *memory = malloc(sizes[k] > 0 ? sizes[k] : 1);

            for (size_t at = 0; at < sizes[k]; at++) {
                memory[at] = (char)('a' + (at + k + i) % 26);
            }
            texts[k].data = memory;
            texts[k].size = sizes[k];
        }
        llmlab_usage_init(&usage);
        for (int field = 0; field < (int)(i % 20); field++) {
            llmlab_usage_set(&usage, (llmlab_usage_field_t)field,
                             (uint64_t)field * 3 + i);
        }
        llmlab_call_init(&call);
        call.usage = &usage;
        call.name = texts[0];
        call.provider = texts[1];
        call.api = texts[2];
        call.response_id = texts[3];
        call.finish_reason = texts[4];
        if (i % 3 == 0) {
            call.user = texts[5];
            call.error_code = texts[6];
        }
        assert_int_equal(llmlab_record_call(client, &call), LLMLAB_OK);
        record = recording_next(recording);
        assert_true(llmlab__record_check(record, record->size));
        assert_text(record, LLMLAB__ITEM_NAME, call.name);
        assert_text(record, LLMLAB__ITEM_PROVIDER, call.provider);
        assert_text(record, LLMLAB__ITEM_API, call.api);
        assert_text(record, LLMLAB__ITEM_RESPONSE_ID, call.response_id);
        assert_text(record, LLMLAB__ITEM_FINISH_REASON, call.finish_reason);
        assert_text(record, LLMLAB__ITEM_USER, call.user);
        assert_text(record, LLMLAB__ITEM_ERROR_CODE, call.error_code);
        for (size_t k = 0; k < 7; k++) {
            free((void *)(uintptr_t)texts[k].data);
        }
    }
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_a_call_arrives_whole),
        UNIT(test_a_call_joins_its_parent),
        UNIT(test_what_is_not_stated_is_not_there),
        UNIT(test_the_stated_charge_counts),
        UNIT(test_a_call_that_cannot_fit_is_counted),
        UNIT(test_a_long_text_is_cut_with_a_mark),
        UNIT(test_unsampled_calls_are_short),
        UNIT(test_init_sets_every_member),
        UNIT(test_texts_come_with_their_size),
        UNIT(test_texts_of_any_size_arrive_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
