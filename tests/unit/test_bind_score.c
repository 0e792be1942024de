/* Scores, requests, estimates and searches through the flat layer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <string.h>

#include <llmlab/span.h>
#include <llmlab/tokens.h>

#include "bind/llmlab_bind.h"

#define S(literal) (literal), sizeof(literal) - 1

#define TRACE "\"trace_id\":\"0123456789abcdef0123456789abcdef\""

static int client;

static int
set_up(void **state)
{
    (void)state;
    client = llmlab_bind_open(
        S("{\"exporter\":\"memory\",\"fingerprint\":\"request\"}"));
    return client > 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    return llmlab_bind_close(client, 1000);
}

/* What was recorded, as one batch; the caller deletes it. */
static cJSON *
take_batch(void)
{
    llmlab_bind_text_t text;
    cJSON *batch;

    llmlab_bind_text_free(llmlab_bind_flush(client, 5000));
    text = llmlab_bind_take_batch(client);
    assert_true(text > 0);
    batch = cJSON_Parse(llmlab_bind_text_data(text, NULL));
    llmlab_bind_text_free(text);
    return batch;
}

static void
assert_string(const cJSON *object, const char *name, const char *want)
{
    const char *got =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    assert_non_null(got);
    assert_string_equal(got, want);
}

static void
test_values_tell_their_type(void **state)
{
    cJSON *batch;
    cJSON *scores;

    (void)state;
    assert_int_equal(
        llmlab_bind_score(client, S("{" TRACE ",\"name\":\"a\",\"value\":-2.5,"
                                    "\"source\":\"judge\",\"version\":\"3\","
                                    "\"at\":\"2026-08-21T07:00:00Z\"}")),
        LLMLAB_OK);
    assert_int_equal(
        llmlab_bind_score(client, S("{" TRACE ",\"name\":\"b\",\"value\":false,"
                                    "\"span_id\":\"00000000000000A1\"}")),
        LLMLAB_OK);
    assert_int_equal(
        llmlab_bind_score(client,
                          S("{\"value\":\"good\",\"name\":\"c\"," TRACE
                            ",\"comment\":null,\"at_ns\":\"1787296180\"}")),
        LLMLAB_OK);
    batch = take_batch();
    scores = cJSON_GetObjectItemCaseSensitive(batch, "scores");
    assert_int_equal(cJSON_GetArraySize(scores), 3);
    assert_true(cJSON_GetObjectItem(cJSON_GetArrayItem(scores, 0), "value")
                    ->valuedouble == -2.5);
    assert_string(cJSON_GetArrayItem(scores, 0), "at",
                  "2026-08-21T07:00:00.000000000Z");
    assert_string(cJSON_GetArrayItem(scores, 0), "version", "3");
    assert_string(cJSON_GetArrayItem(scores, 1), "label", "false");
    assert_string(cJSON_GetArrayItem(scores, 1), "span_id", "00000000000000a1");
    assert_string(cJSON_GetArrayItem(scores, 2), "label", "good");
    assert_false(cJSON_HasObjectItem(cJSON_GetArrayItem(scores, 2), "value"));
    cJSON_Delete(batch);
}

static void
test_what_is_no_score_is_refused(void **state)
{
    static const char *const bad[] = {
        "{" TRACE ",\"name\":\"a\"}",
        "{" TRACE ",\"name\":\"a\",\"value\":null}",
        "{" TRACE ",\"name\":\"a\",\"value\":[1]}",
        "{" TRACE ",\"name\":\"a\",\"value\":\"\"}",
        "{" TRACE ",\"name\":7,\"value\":1}",
        "{" TRACE ",\"name\":\"a\",\"value\":1e999}",
        "{" TRACE ",\"name\":\"a\",\"value\":1,\"at\":\"yesterday\"}",
        "{" TRACE ",\"name\":\"a\",\"value\":1,\"mood\":1}",
        "{\"trace_id\":\"0\",\"name\":\"a\",\"value\":1}",
        "{\"name\":\"a\",\"value\":1}",
        "{" TRACE ",\"name\":\"a\",\"value\":1",
        "{" TRACE ",\"name\":\"a\",\"value\":1}x",
        "[]",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(llmlab_bind_score(client, bad[i], strlen(bad[i])) < 0);
    }
    assert_int_equal(llmlab_bind_score(0, S("{}")), LLMLAB_EDISABLED);
    assert_true(llmlab_bind_score(9999, S("{}")) < 0);
    llmlab_bind_text_free(llmlab_bind_flush(client, 5000));
    assert_int_equal(llmlab_bind_take_batch(client), 0);
}

static void
test_request_estimate_and_search(void **state)
{
    int64_t span = llmlab_bind_begin(client, 0, S("answer"), LLMLAB_SPAN_LLM);
    static const char request[] =
        "{\"model\":\"sonar\",\"messages\":[{\"role\":\"user\","
        "\"content\":\"hello\"}]}";
    cJSON *batch;
    const cJSON *step;

    (void)state;
    assert_int_equal(llmlab_bind_set_request(span, S("perplexity"), S("chat"),
                                             request, sizeof(request) - 1),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_set_request(span, S(""), S(""), S("no JSON")),
                     LLMLAB_EPARSE);
    assert_int_equal(llmlab_bind_set_model(span, S(""), S("sonar")), LLMLAB_OK);
    assert_int_equal(
        llmlab_bind_set_estimated_usage(span, S("{\"input_tokens\":5}")),
        LLMLAB_OK);
    assert_true(llmlab_bind_set_estimated_usage(span, S("{\"x\":5}")) < 0);
    assert_int_equal(llmlab_bind_set_search_context(span, S("high")),
                     LLMLAB_OK);
    assert_int_equal(llmlab_bind_end(span), LLMLAB_OK);
    batch = take_batch();
    step = cJSON_GetArrayItem(
        cJSON_GetObjectItem(
            cJSON_GetArrayItem(cJSON_GetObjectItem(batch, "traces"), 0),
            "steps"),
        0);
    assert_string(step, "provider", "perplexity");
    assert_string(step, "search_context", "high");
    assert_string(step, "cost", "0.012005");
    assert_string(cJSON_GetObjectItem(step, "cost_detail"), "usage_source",
                  "estimated");
    assert_int_equal(
        strlen(cJSON_GetStringValue(cJSON_GetObjectItem(step, "fingerprint"))),
        32);
    cJSON_Delete(batch);
    assert_int_equal(llmlab_bind_set_request(0, S(""), S(""), S("{}")),
                     LLMLAB_EDISABLED);
    assert_int_equal(llmlab_bind_set_search_context(span, S("low")),
                     LLMLAB_ESTALE);
}

static void
test_token_estimate(void **state)
{
    static const char text[] = "An estimate of how many tokens a text is.";

    (void)state;
    assert_int_equal(llmlab_bind_tokens_estimate(S("openai"), S(text)),
                     llmlab_tokens_estimate("openai", S(text)));
    assert_true(llmlab_bind_tokens_estimate(S(""), S(text)) > 5);
    assert_int_equal(llmlab_bind_tokens_estimate(NULL, 0, NULL, 0), 0);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_values_tell_their_type),
        UNIT(test_what_is_no_score_is_refused),
        UNIT(test_request_estimate_and_search),
        UNIT(test_token_estimate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
