/* Replies that several models, or several runs of one, made together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/recording.h"

#define ADVISED                                                               \
    "{\"type\":\"message\",\"id\":\"msg_1\",\"model\":\"claude-sonnet-4-6\"," \
    "\"content\":[],\"stop_reason\":\"end_turn\",\"usage\":{"                 \
    "\"input_tokens\":2411,\"output_tokens\":145,"                            \
    "\"server_tool_use\":{\"web_search_requests\":1},\"iterations\":["        \
    "{\"type\":\"message\",\"input_tokens\":1128,\"output_tokens\":135},"     \
    "{\"type\":\"advisor_message\",\"model\":\"claude-opus-4-8\","            \
    "\"input_tokens\":543,\"output_tokens\":18,"                              \
    "\"cache_read_input_tokens\":1000,\"cache_creation_input_tokens\":1000,"  \
    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,"                    \
    "\"ephemeral_1h_input_tokens\":1000}},"                                   \
    "{\"type\":\"message\",\"input_tokens\":1283,\"output_tokens\":10}]}}"

/* 2411 x 3 + 145 x 15 + (543 x 5 + 1000 x 0.5 + 1000 x 10 + 18 x 25) per
 * million, and a search. */
#define ADVISED_COST "0.033073"

static void
read_reply(llmlab_reply_t *reply, const char *provider, const char *text)
{
    assert_int_equal(
        llmlab_usage_read(reply, provider, NULL, text, strlen(text)),
        LLMLAB_OK);
}

static void
expect_part(const llmlab_reply_t *reply, unsigned i, const char *model,
            uint64_t input, uint64_t output)
{
    assert_true(i < reply->part_count);
    assert_string_equal(reply->parts[i].model, model);
    assert_int_equal(reply->parts[i].usage.count[LLMLAB_USAGE_INPUT_TOKENS],
                     input);
    assert_int_equal(reply->parts[i].usage.count[LLMLAB_USAGE_OUTPUT_TOKENS],
                     output);
}

static llmlab_status_t
price(llmlab_cost_t *cost, const llmlab_reply_t *reply)
{
    llmlab_call_facts_t facts;

    llmlab_call_facts_init(&facts);
    facts.provider = reply->provider;
    facts.model = reply->model;
    facts.usage = &reply->usage;
    facts.parts = reply->parts;
    facts.part_count = reply->part_count;
    return llmlab_cost_compute(cost, NULL, &facts);
}

static void
expect_cost(const llmlab_cost_t *cost, const char *usd)
{
    char text[LLMLAB_MONEY_TEXT];

    llmlab_money_format(cost->amount, text);
    assert_string_equal(text, usd);
}

static void
test_an_advisor_is_priced_as_itself(void **state)
{
    llmlab_reply_t reply;
    llmlab_cost_t cost;

    (void)state;
    read_reply(&reply, "anthropic", ADVISED);
    assert_int_equal(reply.part_count, 3);
    expect_part(&reply, 0, "", 1128, 135);
    expect_part(&reply, 1, "claude-opus-4-8", 2543, 18);
    expect_part(&reply, 2, "", 1283, 10);
    assert_int_equal(
        reply.parts[1].usage.count[LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS], 1000);
    /* The reply's own counts stay what the provider says of it. */
    assert_int_equal(reply.usage.count[LLMLAB_USAGE_INPUT_TOKENS], 2411);
    assert_int_equal(price(&cost, &reply), LLMLAB_OK);
    expect_cost(&cost, ADVISED_COST);
    assert_string_equal(cost.key, "claude-sonnet-4-6");
    assert_int_equal(cost.match, LLMLAB_MATCH_EXACT);
    assert_int_equal(cost.priced, LLMLAB_PRICED);
    assert_int_equal(cost.parts[LLMLAB_COST_WEB_SEARCH].low,
                     UINT64_C(10000000000000));
}

#define FALLBACK(output)                                                     \
    "{\"type\":\"message\",\"model\":\"claude-opus-4-8\",\"content\":[],"    \
    "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1000,"         \
    "\"output_tokens\":100,\"iterations\":[{\"type\":\"message\",\"model\":" \
    "\"claude-sonnet-4-6\",\"input_tokens\":1000,\"output_tokens\":" output  \
    "},{\"type\":\"fallback_message\",\"model\":\"claude-opus-4-8\","        \
    "\"input_tokens\":1000,\"output_tokens\":100}]}}"

/* Who declined before a word is not paid; who declined later is. */
static void
test_a_fallback(void **state)
{
    llmlab_reply_t reply;
    llmlab_cost_t cost;

    (void)state;
    read_reply(&reply, "anthropic", FALLBACK("0"));
    assert_int_equal(reply.part_count, 0);
    assert_int_equal(price(&cost, &reply), LLMLAB_OK);
    expect_cost(&cost, "0.0075");
    read_reply(&reply, "anthropic", FALLBACK("10"));
    assert_int_equal(reply.part_count, 2);
    assert_int_equal(price(&cost, &reply), LLMLAB_OK);
    expect_cost(&cost, "0.01065");
    assert_string_equal(cost.key, "claude-opus-4-8");
}

#define COMPOUND(models)                                                 \
    "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":"            \
    "\"groq/compound\",\"choices\":[{\"finish_reason\":\"stop\"}],"      \
    "\"usage\":{\"prompt_tokens\":300,\"completion_tokens\":30,"         \
    "\"total_tokens\":330},\"usage_breakdown\":{\"models\":" models "}," \
    "\"x_groq\":{\"id\":\"req_1\"}}"
#define RUN(model, in, out)                                     \
    "{\"model\":\"" model "\",\"usage\":{\"prompt_tokens\":" in \
    ",\"completion_tokens\":" out ",\"prompt_time\":0.1}}"

static void
test_a_system_of_models(void **state)
{
    llmlab_reply_t reply;
    llmlab_cost_t cost;

    (void)state;
    read_reply(&reply, "groq",
               COMPOUND("[" RUN("llama-3.3-70b-versatile", "100", "10") "," RUN(
                   "openai/gpt-oss-120b", "200", "20") "]"));
    assert_int_equal(reply.part_count, 2);
    assert_string_equal(reply.model, "groq/compound");
    assert_int_equal(price(&cost, &reply), LLMLAB_OK);
    /* 100 x 0.59 + 10 x 0.79 + 200 x 0.15 + 20 x 0.6 */
    expect_cost(&cost, "0.0001089");
    read_reply(&reply, "groq", COMPOUND("null"));
    assert_int_equal(reply.part_count, 0);
    /* A part without a price leaves the whole without one. */
    read_reply(&reply, "groq",
               COMPOUND("[" RUN("llama-3.3-70b-versatile", "100", "10") "," RUN(
                   "nobody-knows", "200", "20") "]"));
    assert_int_equal(price(&cost, &reply), LLMLAB_EUNPRICED);
    assert_int_equal(cost.priced, LLMLAB_UNPRICED);
    assert_int_equal(cost.match, LLMLAB_MATCH_UNKNOWN);
}

/* Memory is bounded: further runs join one of their model, and a ninth model
 * has no place, which no price may hide. */
static void
test_more_runs_than_room(void **state)
{
    char text[4096];
    llmlab_reply_t reply;
    llmlab_cost_t cost;
    size_t used;

    (void)state;
    for (int models = 1; models <= 9; models += 8) {
        used = (size_t)snprintf(
            text, sizeof(text),
            "{\"object\":\"chat.completion\",\"model\":\"groq/compound\","
            "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1},"
            "\"usage_breakdown\":{\"models\":[");
        for (int i = 0; i < 20; i++) {
            used += (size_t)snprintf(
                text + used, sizeof(text) - used,
                "%s{\"model\":\"llama-%d\",\"usage\":{\"prompt_tokens\":3,"
                "\"completion_tokens\":1}}",
                i > 0 ? "," : "", i % models);
        }
        (void)snprintf(text + used, sizeof(text) - used, "]}}");
        read_reply(&reply, "groq", text);
        assert_int_equal(reply.part_count, LLMLAB_USAGE_PARTS);
        used = 0;
        for (unsigned i = 0; i < reply.part_count; i++) {
            used += reply.parts[i].usage.count[LLMLAB_USAGE_INPUT_TOKENS];
        }
        assert_int_equal(used, 60);
        assert_string_equal(reply.parts[LLMLAB_USAGE_PARTS - 1].model,
                            models == 1 ? "llama-0" : "(several models)");
        assert_int_equal(price(&cost, &reply), LLMLAB_EUNPRICED);
    }
}

/* Anthropic says of each result of a batch that it was one. */
static void
test_a_batch_is_priced_as_one(void **state)
{
    static const char text[] =
        "{\"type\":\"message\",\"model\":\"claude-sonnet-4-6\",\"content\":[],"
        "\"usage\":{\"input_tokens\":1000,\"output_tokens\":100,"
        "\"service_tier\":\"batch\"}}";
    recording_t *recording = recording_open();
    llmlab_span_t *span = llmlab_span_start(recording_client(recording), NULL,
                                            "x", LLMLAB_SPAN_LLM);
    const llmlab__record_t *record;
    char usd[LLMLAB_MONEY_TEXT];

    (void)state;
    assert_int_equal(llmlab_span_set_response(span, "anthropic", NULL, text,
                                              sizeof(text) - 1),
                     LLMLAB_OK);
    llmlab_span_end(span);
    assert_int_equal(recording_drain(recording), 1);
    record = recording_next(recording);
    llmlab_money_format((llmlab_money_t){record->cost[0], record->cost[1]},
                        usd);
    assert_string_equal(usd, "0.00225"); /* half of 3 and 15 */
    assert_true((record->flags & LLMLAB__RECORD_BATCH) != 0);
    recording_close(recording);
}

/* A span carries the parts to the worker; what is set later replaces them. */
static void
test_a_span_keeps_its_parts(void **state)
{
    recording_t *recording = recording_open();
    llmlab_client_t *client = recording_client(recording);
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_usage_part_t part;
    llmlab_usage_t usage;
    llmlab_span_t *span;
    char text[LLMLAB_MONEY_TEXT];
    size_t cursor = 0;

    (void)state;
    for (int again = 0; again < 2; again++) {
        span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_LLM);
        assert_int_equal(
            llmlab_span_set_times(span, INT64_C(1787300000000000000), 0),
            LLMLAB_OK);
        assert_int_equal(llmlab_span_set_response(span, "anthropic", NULL,
                                                  ADVISED, strlen(ADVISED)),
                         LLMLAB_OK);
        if (again) {
            llmlab_usage_init(&usage);
            llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1000);
            llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 0);
            assert_int_equal(llmlab_span_set_usage(span, &usage), LLMLAB_OK);
        }
        llmlab_span_end(span);
    }
    assert_int_equal(recording_drain(recording), 2);
    record = recording_next(recording);
    llmlab_money_format((llmlab_money_t){record->cost[0], record->cost[1]},
                        text);
    assert_string_equal(text, ADVISED_COST);
    assert_true(recording_item(record, LLMLAB__ITEM_PARTS, 0, &item));
    for (int i = 0; i < 3; i++) {
        assert_true(
            llmlab__part_next(item.value, item.value_size, &cursor, &part));
        assert_string_equal(part.model, i == 1 ? "claude-opus-4-8" : "");
    }
    assert_int_equal(cursor, item.value_size);
    assert_int_equal(part.usage.count[LLMLAB_USAGE_INPUT_TOKENS], 1283);
    record = recording_next(recording);
    llmlab_money_format((llmlab_money_t){record->cost[0], record->cost[1]},
                        text);
    assert_string_equal(text, "0.003");
    assert_false(recording_item(record, LLMLAB__ITEM_PARTS, 0, &item));
    recording_close(recording);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_advisor_is_priced_as_itself),
        cmocka_unit_test(test_a_fallback),
        cmocka_unit_test(test_a_system_of_models),
        cmocka_unit_test(test_more_runs_than_room),
        cmocka_unit_test(test_a_batch_is_priced_as_one),
        cmocka_unit_test(test_a_span_keeps_its_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
