/* The flat layer on a live library: what bindings may send and what they get
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <llmlab/span.h>

#include "bind/llmlab_bind.h"
#include "support/emulation.h"

#define S(literal) (literal), sizeof(literal) - 1

#define MEMORY "{\"exporter\":\"memory\",\"enabled\":true}"

static const char reply[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\","
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,"
    "\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\","
    "\"content\":\"four\"}}],\"usage\":{\"prompt_tokens\":1000,"
    "\"completion_tokens\":100,\"total_tokens\":1100}}";

static int
open_memory(void)
{
    int client = llmlab_bind_open(S(MEMORY));

    assert_true(client > 0);
    assert_int_equal(llmlab_bind_enabled(client), 1);
    return client;
}

/* Take a text as parsed JSON; the caller deletes it. */
static cJSON *
take(llmlab_bind_text_t text)
{
    size_t size = 0;
    const char *data = llmlab_bind_text_data(text, &size);
    cJSON *json;

    assert_true(text > 0);
    assert_non_null(data);
    assert_int_equal(data[size], '\0');
    json = cJSON_ParseWithLength(data, size);
    assert_non_null(json);
    assert_int_equal(llmlab_bind_text_free(text), LLMLAB_OK);
    return json;
}

static void
take_string(llmlab_bind_text_t text, char *out, size_t capacity)
{
    size_t size = 0;
    const char *data = llmlab_bind_text_data(text, &size);

    assert_true(text > 0);
    assert_true(size < capacity);
    memcpy(out, data, size + 1);
    assert_int_equal(llmlab_bind_text_free(text), LLMLAB_OK);
}

static const char *
string_of(const cJSON *object, const char *name)
{
    const char *value =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return value == NULL ? "(none)" : value;
}

static double
number_of(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* The only step of the only batch. */
static cJSON *
take_step(int client, cJSON **batch)
{
    cJSON *traces;
    cJSON *steps;

    cJSON_Delete(take(llmlab_bind_flush(client, 5000)));
    *batch = take(llmlab_bind_take_batch(client));
    traces = cJSON_GetObjectItemCaseSensitive(*batch, "traces");
    assert_int_equal(cJSON_GetArraySize(traces), 1);
    steps = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(traces, 0),
                                             "steps");
    assert_int_equal(cJSON_GetArraySize(steps), 1);
    return cJSON_GetArrayItem(steps, 0);
}

static void
test_open_refuses_bad_settings(void **state)
{
    (void)state;
    assert_int_equal(llmlab_bind_open(S("[]")), LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_open(S("{\"live\":tru}")), LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_open(S("{} {}")), LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_open(S("{\"flavour\":\"sweet\"}")),
                     LLMLAB_ECONFIG);
    assert_non_null(strstr(llmlab_bind_detail(), "flavour"));
    assert_int_equal(llmlab_bind_open(S("{\"live\":[]}")), LLMLAB_ECONFIG);
    assert_int_equal(llmlab_bind_open(S("{\"batch.max_calls\":0}")),
                     LLMLAB_ECONFIG);
    assert_true(strlen(llmlab_bind_detail()) > 0);
}

static void
test_open_takes_every_type(void **state)
{
    int client = llmlab_bind_open(
        S("{\"exporter\":\"memory\",\"batch.max_calls\":7,\"live\":false,"
          "\"sample_rate\":1.0,\"service\":null,\"release\":\"1\\u00e9\"}"));

    (void)state;
    assert_true(client > 0);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_closed_client_is_an_error(void **state)
{
    int client = open_memory();
    int64_t span =
        llmlab_bind_begin(client, 0, S("left open"), LLMLAB_SPAN_LLM);
    int64_t kept = llmlab_bind_begin(client, 0, S("kept"), LLMLAB_SPAN_LLM);
    int next;

    (void)state;
    assert_true(span > 0);
    assert_int_equal(llmlab_bind_end_keep(kept), LLMLAB_OK);
    llmlab_bind_close(client, 1000);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_ECLOSED);
    assert_int_equal(llmlab_bind_flush(client, 0), LLMLAB_ECLOSED);
    assert_int_equal(llmlab_bind_stats(client), LLMLAB_ECLOSED);
    assert_int_equal(llmlab_bind_record(client, S("{}")), LLMLAB_ECLOSED);
    assert_int_equal(llmlab_bind_enabled(client), 0);
    assert_int_equal(llmlab_bind_begin(client, 0, S("x"), LLMLAB_SPAN_LLM),
                     LLMLAB_ECLOSED);
    assert_int_equal(llmlab_bind_set_int(span, S("a"), 1), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_traceparent(kept), LLMLAB_ESTALE);

    next = open_memory();
    assert_true(next != client);
    assert_int_equal(llmlab_bind_stats(client), LLMLAB_ECLOSED);
    assert_int_equal(llmlab_bind_close(next, 1000), LLMLAB_OK);
}

static void
test_invented_clients_are_refused(void **state)
{
    const int invented[] = {1,         255,       256 + 255, 256 + 77,
                            INT32_MAX, INT32_MIN, -1};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof invented / sizeof *invented; i++) {
        assert_int_equal(llmlab_bind_begin(invented[i], 0, S("x"), 0),
                         LLMLAB_EINVAL);
        assert_int_equal(llmlab_bind_close(invented[i], 0), LLMLAB_EINVAL);
        assert_int_equal(llmlab_bind_flush(invented[i], 0), LLMLAB_EINVAL);
    }
    assert_int_equal(llmlab_bind_close(0, 0), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_begin(0, 0, S("x"), 0), 0);
}

static void
test_disabled_client_costs_no_branches(void **state)
{
    int client = llmlab_bind_open(S("{\"enabled\":false}"));
    int64_t span;

    (void)state;
    assert_true(client > 0);
    assert_int_equal(llmlab_bind_enabled(client), 0);
    span = llmlab_bind_begin(client, 0, S("x"), LLMLAB_SPAN_LLM);
    assert_int_equal(span, 0);
    assert_int_equal(llmlab_bind_set_int(span, S("a"), 1), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_set_usage(span, S("{}")), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_set_cost(span, S("1")), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_set_model(span, S("a"), S("b")),
                     LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_traceparent(span), LLMLAB_EDISABLED);
    llmlab_bind_close(client, 0);
}

static void
test_stale_and_foreign_spans(void **state)
{
    int client = open_memory();
    int other = open_memory();
    int64_t span = llmlab_bind_begin(client, 0, S("x"), LLMLAB_SPAN_LLM);

    (void)state;
    assert_int_equal(llmlab_bind_begin(other, span, S("x"), LLMLAB_SPAN_LLM),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_begin(client, 0, S("x"), 99), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_begin(client, 0, S("x"), -1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_set_outcome(span, 17), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_set_tokens(span, 1, -2, -1, -1, -1),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_stream_feed(span, S("data: {}")),
                     LLMLAB_EINVAL);
    assert_null(llmlab_bind_text_data(span, NULL));
    assert_int_equal(llmlab_bind_end(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_set_int(span, S("a"), 1), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_set_response(span, S(""), S(""), S(reply)),
                     LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_span_cost(span), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_begin(client, span, S("x"), LLMLAB_SPAN_LLM),
                     LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_end(12345), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_close(other, 1000), LLMLAB_OK);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_every_setter_reaches_the_wire(void **state)
{
    int client = open_memory();
    int64_t span = llmlab_bind_begin(client, 0, S("answer"), LLMLAB_SPAN_LLM);
    cJSON *batch;
    cJSON *step;
    cJSON *attributes;
    cJSON *usage;

    (void)state;
    assert_int_equal(llmlab_bind_set_string(span, S("text"), S("caf\xc3\xa9")),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_int(span, S("int"), -7), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_double(span, S("double"), 0.5), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_bool(span, S("bool"), 1), LLMLAB_OK);
    assert_int_equal(
        llmlab_bind_set_attributes(
            span, S("{\"a\":1,\"b\":2.5,\"c\":\"x\\ny\",\"d\":false,"
                    "\"e\":null,\"f\":{\"g\":[1]}}")),
        LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_agent(span, S("bot")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_user(span, S("u1")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_session(span, S("s1")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_add_tag(span, S("production")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_outcome(span, LLMLAB_SUCCESS), LLMLAB_OK);
    assert_int_equal(
        llmlab_bind_set_error(span, S("rate_limit"), S("429x"), 429),
        LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_model(span, S("openai"), S("gpt-4o-mini")),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_request_model(span, S("gpt-4o")),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_tokens(span, 7, -1, -1, -1, -1),
                     LLMLAB_OK);
    assert_int_equal(
        llmlab_bind_set_usage(
            span, S("{\"input_tokens\":1000,\"output_tokens\":100}")),
        LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_cost(span, S("0.25")), LLMLAB_OK);
    assert_int_equal(
        llmlab_bind_set_tier(span, S("default"), S("eu"), S(""), 0), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_finish(span, S("stop"), S("id-1")),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_attempt(span, 2), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_stream(span, 1), LLMLAB_OK);
    assert_int_equal(llmlab_bind_first_token(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_prompt(span, S("greet"), S("3")),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_input(span, S("secret")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_output(span, S("secret")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_OK);

    step = take_step(client, &batch);
    assert_string_equal(string_of(step, "name"), "answer");
    assert_string_equal(string_of(step, "type"), "llm_call");
    assert_string_equal(string_of(step, "agent"), "bot");
    assert_string_equal(string_of(step, "user"), "u1");
    assert_string_equal(string_of(step, "session"), "s1");
    assert_string_equal(string_of(step, "status"), "error");
    assert_string_equal(string_of(step, "provider"), "openai");
    assert_string_equal(string_of(step, "model"), "gpt-4o-mini");
    assert_string_equal(string_of(step, "request_model"), "gpt-4o");
    assert_string_equal(string_of(step, "finish_reason"), "stop");
    assert_string_equal(string_of(step, "response_id"), "id-1");
    assert_string_equal(string_of(step, "region"), "eu");
    assert_int_equal((int)number_of(step, "attempt"), 2);
    usage = cJSON_GetObjectItemCaseSensitive(step, "usage");
    assert_int_equal((int)number_of(usage, "input_tokens"), 1000);
    assert_int_equal((int)number_of(usage, "output_tokens"), 100);
    attributes = cJSON_GetObjectItemCaseSensitive(step, "attributes");
    assert_string_equal(string_of(attributes, "text"), "caf\xc3\xa9");
    assert_int_equal((int)number_of(attributes, "int"), -7);
    assert_true(number_of(attributes, "double") == 0.5);
    assert_true(
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(attributes, "bool")));
    assert_string_equal(string_of(attributes, "c"), "x\ny");
    assert_string_equal(string_of(attributes, "f"), "{\"g\":[1]}");
    assert_null(cJSON_GetObjectItemCaseSensitive(attributes, "e"));
    cJSON_Delete(batch);
    assert_int_equal(llmlab_bind_take_batch(client), 0);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_odd_strings(void **state)
{
    static char big[300000];
    int client = open_memory();
    int64_t span;
    cJSON *batch;
    cJSON *attributes;

    (void)state;
    memset(big, 'x', sizeof big);
    span = llmlab_bind_begin(client, 0, S("a\0b"), LLMLAB_SPAN_TOOL);
    assert_true(span > 0);
    assert_int_equal(llmlab_bind_set_string(span, S("k\0k"), S("v\0v")),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_string(span, S("empty"), "", 0),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_string(span, S("bad"), S("\xff\xfe")),
                     LLMLAB_OK);
    /* Long ones are cut or refused, never a crash. */
    llmlab_bind_set_string(span, big, sizeof big, big, sizeof big);
    llmlab_bind_set_string(span, S("long"), big, sizeof big);
    llmlab_bind_set_model(span, big, sizeof big, big, sizeof big);
    llmlab_bind_set_error(span, big, sizeof big, big, sizeof big, 500);
    llmlab_bind_set_tier(span, big, sizeof big, big, sizeof big, big,
                         sizeof big, 0);
    llmlab_bind_set_user(span, big, sizeof big);
    llmlab_bind_add_tag(span, big, sizeof big);
    assert_true(llmlab_bind_set_string(span, NULL, 0, NULL, 0) < 0);
    assert_int_equal(llmlab_bind_set_attributes(span, S("{\"a\":")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_set_attributes(span, S("{\"a\":\"\x01\"}")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_set_attributes(span, S("{\"a\":01}")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_set_attributes(span, S("{\"a\":trub}")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_set_attributes(span, S("nonsense")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_set_usage(span, S("{\"tokens\":1}")),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_set_usage(span, S("{\"input_tokens\":-1}")),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_set_cost(span, S("cheap")), LLMLAB_EPARSE);
    llmlab_bind_end(span);

    attributes = cJSON_GetObjectItemCaseSensitive(take_step(client, &batch),
                                                  "attributes");
    assert_string_equal(string_of(attributes, "empty"), "");
    cJSON_Delete(batch);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_response_is_read_and_priced(void **state)
{
    int client = open_memory();
    int64_t span = llmlab_bind_begin(client, 0, S("answer"), LLMLAB_SPAN_LLM);
    cJSON *cost;

    (void)state;
    assert_int_equal(llmlab_bind_set_response(span, S("openai"),
                                              S("chat_completions"), S(reply)),
                     LLMLAB_OK);
    cost = take(llmlab_bind_span_cost(span));
    /* 1000 x 0.15 and 100 x 0.60 USD a million. */
    assert_string_equal(string_of(cost, "cost_usd"), "0.00021");
    assert_string_equal(string_of(cost, "match"), "exact");
    assert_string_equal(string_of(cost, "pricing"), "priced");
    cJSON_Delete(cost);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_whom_it_is_for(void **state)
{
    char text[200];
    char agent[200];
    int client = open_memory();
    int64_t span = llmlab_bind_begin(client, 0, S("run"), LLMLAB_SPAN_AGENT);
    int64_t below;

    (void)state;
    take_string(llmlab_bind_identity(span), text, sizeof text);
    assert_string_equal(text, "{\"agent\":\"run\",\"tags\":[]}");
    assert_int_equal(llmlab_bind_set_user(span, S("u")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_session(span, S("s")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_add_tag(span, S("t")), LLMLAB_OK);
    assert_int_equal(llmlab_bind_add_tag(span, S("v")), LLMLAB_OK);
    take_string(llmlab_bind_identity(span), text, sizeof text);
    assert_string_equal(text, "{\"agent\":\"run\",\"user\":\"u\","
                              "\"session\":\"s\",\"tags\":[\"t\",\"v\"]}");

    /* What begins below an ended span is for the same. */
    assert_int_equal(llmlab_bind_end_keep(span), LLMLAB_OK);
    take_string(llmlab_bind_identity(span), agent, sizeof agent);
    assert_string_equal(agent, text);
    below = llmlab_bind_begin(client, span, S("late"), LLMLAB_SPAN_TOOL);
    take_string(llmlab_bind_identity(below), agent, sizeof agent);
    assert_string_equal(agent, text);
    assert_int_equal(llmlab_bind_end(below), LLMLAB_OK);
    below = llmlab_bind_begin(client, span, S("other"), LLMLAB_SPAN_AGENT);
    take_string(llmlab_bind_identity(below), agent, sizeof agent);
    assert_string_equal(agent, "{\"agent\":\"other\",\"user\":\"u\","
                               "\"session\":\"s\",\"tags\":[\"t\",\"v\"]}");
    assert_int_equal(llmlab_bind_end(below), LLMLAB_OK);
    assert_int_equal(llmlab_bind_release(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_identity(span), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_identity(0), LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_ids_and_kept_places(void **state)
{
    char parent[LLMLAB_TRACEPARENT_TEXT];
    char child[LLMLAB_TRACEPARENT_TEXT];
    char trace[40];
    char id[20];
    int client = open_memory();
    int64_t span = llmlab_bind_begin(client, 0, S("run"), LLMLAB_SPAN_AGENT);
    int64_t late;

    (void)state;
    take_string(llmlab_bind_traceparent(span), parent, sizeof parent);
    take_string(llmlab_bind_trace_id(span), trace, sizeof trace);
    take_string(llmlab_bind_span_id(span), id, sizeof id);
    assert_int_equal(strlen(parent), 55);
    assert_memory_equal(parent + 3, trace, 32);
    assert_memory_equal(parent + 36, id, 16);

    assert_int_equal(llmlab_bind_end_keep(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_set_int(span, S("a"), 1), LLMLAB_EINVAL);
    take_string(llmlab_bind_traceparent(span), child, sizeof child);
    assert_string_equal(child, parent);
    late = llmlab_bind_begin(client, span, S("late"), LLMLAB_SPAN_TOOL);
    assert_true(late > 0);
    take_string(llmlab_bind_trace_id(late), child, sizeof child);
    assert_string_equal(child, trace);
    assert_int_equal(llmlab_bind_release(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_release(span), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_end(late), LLMLAB_OK);

    span = llmlab_bind_begin_remote(
        client, S("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"),
        S("remote"), LLMLAB_SPAN_AGENT);
    take_string(llmlab_bind_trace_id(span), trace, sizeof trace);
    assert_string_equal(trace, "0123456789abcdef0123456789abcdef");
    assert_int_equal(llmlab_bind_release(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_release(span), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_texts_are_taken_once(void **state)
{
    llmlab_bind_text_t text = llmlab_bind_resolve(S("openai"), S("gpt-4o"));

    (void)state;
    assert_non_null(llmlab_bind_text_data(text, NULL));
    assert_int_equal(llmlab_bind_text_free(text), LLMLAB_OK);
    assert_int_equal(llmlab_bind_text_free(text), LLMLAB_ESTALE);
    assert_null(llmlab_bind_text_data(text, NULL));
}

static void
test_record(void **state)
{
    int client = open_memory();
    int64_t parent = llmlab_bind_begin(client, 0, S("run"), LLMLAB_SPAN_AGENT);
    char trace[40];
    char text[512];
    cJSON *batch;
    cJSON *step;

    (void)state;
    assert_int_equal(llmlab_bind_record(client, S("{\"flavour\":1}")),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_record(client, S("{\"kind\":\"cake\"}")),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_record(client, S("{\"kind\":\"\x01\"}")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_record(client, S("{\"outcome\":\"\x01\"}")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_record(client, S("{\"model\":7}")),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_record(client, S("{\"model\":\"x\"")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_record(client, S("{\"parent\":77}")),
                     LLMLAB_EINVAL);
    take_string(llmlab_bind_trace_id(parent), trace, sizeof trace);
    snprintf(text, sizeof text,
             "{\"parent\":%lld,\"kind\":\"llm\",\"provider\":\"openai\","
             "\"model\":\"gpt-4o-mini\",\"usage\":{\"input_tokens\":1000,"
             "\"output_tokens\":100},\"start\":\"2026-08-21T00:00:00Z\","
             "\"end_ns\":\"1787270401000000000\",\"outcome\":\"success\","
             "\"http_status\":200,\"stream\":true,\"provider_cost\":\"0.5\"}",
             (long long)parent);
    assert_int_equal(llmlab_bind_record(client, text, strlen(text)), LLMLAB_OK);
    assert_int_equal(llmlab_bind_release(parent), LLMLAB_OK);
    step = take_step(client, &batch);
    assert_string_equal(string_of(step, "model"), "gpt-4o-mini");
    assert_string_equal(
        string_of(cJSON_GetArrayItem(cJSON_GetObjectItem(batch, "traces"), 0),
                  "trace_id"),
        trace);
    cJSON_Delete(batch);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_stream(void **state)
{
    static const char events[] =
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":"
        "\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":"
        "{\"content\":\"four\"},\"finish_reason\":null}]}\n\n"
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":"
        "\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{},"
        "\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":"
        "\"gpt-4o-mini-2024-07-18\",\"choices\":[],\"usage\":"
        "{\"prompt_tokens\":1000,\"completion_tokens\":100,"
        "\"total_tokens\":1100}}\n\ndata: [DONE]\n\n";
    int client = open_memory();
    int64_t span = llmlab_bind_begin(client, 0, S("answer"), LLMLAB_SPAN_LLM);
    int64_t stream = llmlab_bind_stream_new(S("openai"), S("chat_completions"));
    cJSON *json;
    size_t i;
    int started = 0;

    (void)state;
    for (i = 0; i < sizeof events - 1; i++) {
        started = llmlab_bind_stream_feed(stream, &events[i], 1);
        assert_true(started >= 0);
    }
    assert_int_equal(started, 1);
    json = take(llmlab_bind_stream_reply(stream));
    assert_string_equal(string_of(json, "cost_usd"), "0.00021");
    assert_string_equal(string_of(json, "finish_reason"), "stop");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "complete")));
    cJSON_Delete(json);
    assert_int_equal(llmlab_bind_set_stream_reply(span, stream), LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_stream_reply(stream, span), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_stream_destroy(stream), LLMLAB_OK);
    assert_int_equal(llmlab_bind_stream_destroy(stream), LLMLAB_ESTALE);
    assert_int_equal(llmlab_bind_stream_feed(stream, S("x")), LLMLAB_ESTALE);
    json = take(llmlab_bind_span_cost(span));
    assert_string_equal(string_of(json, "cost_usd"), "0.00021");
    cJSON_Delete(json);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_plain_functions(void **state)
{
    cJSON *json = take(llmlab_bind_cost(
        S("{\"provider\":\"openai\",\"model\":\"gpt-4o-mini\",\"id\":\"v1\","
          "\"usage\":{\"input_tokens\":1000,\"output_tokens\":100}}")));

    (void)state;
    assert_string_equal(string_of(json, "cost_usd"), "0.00021");
    assert_string_equal(string_of(cJSON_GetObjectItem(json, "parts"), "output"),
                        "0.00006");
    cJSON_Delete(json);

    json = take(llmlab_bind_cost(
        S("{\"model\":\"no-such-model-at-all\","
          "\"usage\":{\"input_tokens\":1,\"audio_seconds\":1.5}}")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "cost_usd")));
    assert_string_equal(string_of(json, "pricing"), "unpriced");
    cJSON_Delete(json);
    assert_int_equal(llmlab_bind_cost(S("{\"usage\":7}")), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_cost(S("{\"at\":\"noon\"}")), LLMLAB_EINVAL);
    assert_int_equal(llmlab_bind_cost(S("{\"model\":\"x\"")), LLMLAB_EPARSE);

    json = take(llmlab_bind_usage("", 0, S(reply)));
    assert_string_equal(string_of(json, "status"), "LLMLAB_OK");
    assert_string_equal(string_of(json, "cost_usd"), "0.00021");
    assert_int_equal(
        (int)number_of(cJSON_GetObjectItem(json, "usage"), "input_tokens"),
        1000);
    cJSON_Delete(json);

    json = take(llmlab_bind_usage(
        S("{\"provider\":\"openai\",\"url\":\"https://x.example/v1\","
          "\"headers\":{\"X-Request-Id\":\"r1\",\"n\":5}}"),
        S("{\"usage\":{\"prompt_tokens\":")));
    assert_string_equal(string_of(json, "status"), "LLMLAB_EPARSE");
    assert_true(strlen(string_of(json, "detail")) > 0);
    cJSON_Delete(json);

    json = take(llmlab_bind_resolve(S(""), S("gpt-4o-2099-01-01")));
    assert_string_equal(string_of(json, "status"), "dated_fallback");
    assert_string_equal(string_of(json, "key"), "gpt-4o");
    cJSON_Delete(json);

    json = take(llmlab_bind_info());
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(json, "settings")) > 10);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(json, "statuses")) > 20);
    assert_string_equal(
        cJSON_GetArrayItem(cJSON_GetObjectItem(json, "usage_fields"),
                           LLMLAB_USAGE_OUTPUT_TOKENS)
            ->valuestring,
        "output_tokens");
    cJSON_Delete(json);
}

static void
test_stats_and_flush_answer_json(void **state)
{
    int client = open_memory();
    cJSON *json;

    (void)state;
    assert_int_equal(llmlab_bind_record(client, S("{\"model\":\"gpt-4o\"}")),
                     LLMLAB_OK);
    json = take(llmlab_bind_flush(client, 5000));
    assert_string_equal(string_of(json, "name"), "LLMLAB_OK");
    assert_int_equal((int)number_of(json, "delivered"), 1);
    assert_int_equal((int)number_of(json, "pending"), 0);
    cJSON_Delete(json);
    json = take(llmlab_bind_stats(client));
    assert_int_equal((int)number_of(json, "accepted"), 1);
    cJSON_Delete(json);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static void
test_log_is_polled(void **state)
{
    llmlab_bind_text_t text = llmlab_bind_poll_log();
    int client;
    cJSON *lines;

    (void)state;
    if (text > 0) {
        llmlab_bind_text_free(text);
    }
    assert_int_equal(llmlab_bind_poll_log(), 0);
    client = llmlab_bind_open(S("{\"exporter\":\"server\"}"));
    assert_true(client > 0); /* disabled: no key, one line */
    lines = take(llmlab_bind_poll_log());
    assert_int_equal(cJSON_GetArraySize(lines), 1);
    assert_int_equal((int)number_of(cJSON_GetArrayItem(lines, 0), "client"),
                     client);
    cJSON_Delete(lines);
    assert_int_equal(llmlab_bind_poll_log(), 0);
    llmlab_bind_close(client, 0);
}

static int
child_is_safe(int client, int64_t span, int64_t stream, int64_t text)
{
    int64_t own;

    if (llmlab_bind_set_int(span, S("a"), 1) != LLMLAB_EFORKED ||
        llmlab_bind_end(span) != LLMLAB_EFORKED ||
        llmlab_bind_stream_feed(stream, S("x")) != LLMLAB_EFORKED ||
        llmlab_bind_text_data(text, NULL) != NULL) {
        return 1;
    }
    own = llmlab_bind_begin(client, 0, S("child"), LLMLAB_SPAN_LLM);
    if (own <= 0 || llmlab_bind_begin(client, span, S("x"), 0) >= 0) {
        return 2;
    }
    if (llmlab_bind_set_int(own, S("a"), 1) != LLMLAB_OK ||
        llmlab_bind_end(own) != LLMLAB_OK) {
        return 3;
    }
    return llmlab_bind_close(client, 2000) == LLMLAB_OK ? 0 : 4;
}

static void
test_child_of_fork(void **state)
{
    int64_t stream;
    int64_t span;
    int64_t text;
    int client;
    pid_t child;
    int status;

    (void)state;
    skip_under_emulation("fork: qemu ends a child that starts a thread");
    client = open_memory();
    span = llmlab_bind_begin(client, 0, S("x"), LLMLAB_SPAN_LLM);
    stream = llmlab_bind_stream_new(S("openai"), S(""));
    text = llmlab_bind_resolve(S("openai"), S("gpt-4o"));
    child = fork();
    if (child == 0) {
        _exit(child_is_safe(client, span, stream, text));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_OK);
    assert_int_equal(llmlab_bind_stream_destroy(stream), LLMLAB_OK);
    assert_int_equal(llmlab_bind_text_free(text), LLMLAB_OK);
    assert_int_equal(llmlab_bind_close(client, 1000), LLMLAB_OK);
}

static int
clear_environment(void **state)
{
    (void)state;
    unsetenv("LLMLAB_API_KEY");
    unsetenv("LLMLAB_EXPORTER");
    unsetenv("LLMLAB_ENABLED");
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses_bad_settings),
        cmocka_unit_test(test_open_takes_every_type),
        cmocka_unit_test(test_closed_client_is_an_error),
        cmocka_unit_test(test_invented_clients_are_refused),
        cmocka_unit_test(test_disabled_client_costs_no_branches),
        cmocka_unit_test(test_stale_and_foreign_spans),
        cmocka_unit_test(test_every_setter_reaches_the_wire),
        cmocka_unit_test(test_odd_strings),
        cmocka_unit_test(test_response_is_read_and_priced),
        cmocka_unit_test(test_whom_it_is_for),
        cmocka_unit_test(test_ids_and_kept_places),
        cmocka_unit_test(test_texts_are_taken_once),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_plain_functions),
        cmocka_unit_test(test_stats_and_flush_answer_json),
        cmocka_unit_test(test_log_is_polled),
        cmocka_unit_test(test_child_of_fork),
    };

    return cmocka_run_group_tests(tests, clear_environment, NULL);
}
