/* Spans as the worker reads them: ids, attributes, facts, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>

#include <llmlab/llmlab.h>

#include "base/clock.h"
#include "support/recording.h"

#define REPLY                                                         \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\","          \
    "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0," \
    "\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},"        \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1200," \
    "\"completion_tokens\":80,\"total_tokens\":1280}}"
#define REPLY_COST UINT64_C(228000000000) /* 1200 x 0.15 + 80 x 0.60 USD/M */

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
test_a_span_arrives_with_its_attributes(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "search", LLMLAB_SPAN_TOOL);
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    int64_t number;
    double real;

    (void)state;
    assert_ptr_equal(llmlab_span_client(span), client);
    assert_int_equal(llmlab_span_set_string(span, "query", "cheap flights"),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_set_int(span, "hits", -12), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_double(span, "score", 0.25), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_bool(span, "cached", 7), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_string_n(span, "keyword", 3, "values", 5),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_set_string(span, "none", NULL), LLMLAB_OK);
    assert_int_equal(llmlab_span_end(span), LLMLAB_OK);

    record = recording_next(recording);
    assert_non_null(record);
    assert_int_equal(record->type, LLMLAB__RECORD_SPAN);
    assert_int_equal(record->kind, LLMLAB_SPAN_TOOL);
    assert_int_equal(record->outcome, LLMLAB_SUCCESS);
    assert_int_equal(record->flags, LLMLAB__RECORD_ROOT);
    assert_true(record->end_ns >= record->start_ns);
    assert_true(record->end_ns <= llmlab__clock_mono_ns());
    assert_true(recording_has(record, LLMLAB__ITEM_NAME, "search"));
    assert_int_equal(recording_items(record), 7);
    assert_true(recording_attribute(record, "query", &item));
    assert_int_equal(item.type, LLMLAB__ITEM_ATTR_STRING);
    assert_memory_equal(item.value, "cheap flights", 13);
    assert_true(recording_attribute(record, "hits", &item));
    memcpy(&number, item.value, sizeof(number));
    assert_int_equal(number, -12);
    assert_true(recording_attribute(record, "score", &item));
    memcpy(&real, item.value, sizeof(real));
    assert_true(real == 0.25);
    assert_true(recording_attribute(record, "cached", &item));
    assert_int_equal(item.value[0], 1);
    assert_true(recording_attribute(record, "key", &item));
    assert_int_equal(item.value_size, 5);
    assert_memory_equal(item.value, "value", 5);
    assert_null(recording_next(recording));
}

static void
test_children_join_the_trace_and_inherit(void **state)
{
    llmlab_span_t *root =
        llmlab_span_start(client, NULL, "answer_question", LLMLAB_SPAN_AGENT);
    llmlab_span_t *early =
        llmlab_span_start(client, root, "early", LLMLAB_SPAN_TOOL);
    llmlab_span_t *late;
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    uint64_t trace[2];
    uint64_t root_id;

    (void)state;
    llmlab_span_set_user(root, "nobody", 6);
    llmlab_span_set_user(root, "u1", 2);
    llmlab_span_set_session(root, "s1", 2);
    llmlab_span_add_tag(root, "production", 10);
    llmlab_span_add_tag(root, "eu", 2);
    late = llmlab_span_start(client, root, "late", LLMLAB_SPAN_TOOL);
    llmlab_span_set_agent(late, "other", 5);
    llmlab_span_end(late);
    llmlab_span_end(early);
    llmlab_span_end(root);

    record = recording_next(recording); /* late */
    trace[0] = record->trace_id[0];
    trace[1] = record->trace_id[1];
    root_id = record->parent_id;
    assert_int_equal(record->flags & LLMLAB__RECORD_ROOT, 0);
    assert_true(recording_has(record, LLMLAB__ITEM_USER, "u1"));
    assert_true(recording_has(record, LLMLAB__ITEM_SESSION, "s1"));
    assert_true(recording_has(record, LLMLAB__ITEM_AGENT, "other"));
    assert_true(recording_item(record, LLMLAB__ITEM_TAG, 1, &item));
    assert_memory_equal(item.value, "eu", 2);
    assert_false(recording_item(record, LLMLAB__ITEM_TAG, 2, &item));
    assert_false(recording_item(record, LLMLAB__ITEM_USER, 1, &item));

    record = recording_next(recording); /* early */
    assert_true(record->trace_id[0] == trace[0]);
    assert_true(record->parent_id == root_id);
    assert_true(recording_has(record, LLMLAB__ITEM_AGENT, "answer_question"));
    assert_false(recording_item(record, LLMLAB__ITEM_USER, 0, &item));

    record = recording_next(recording); /* root */
    assert_true(record->span_id == root_id);
    assert_int_equal(record->parent_id, 0);
    assert_true(record->trace_id[1] == trace[1]);
    assert_true(recording_has(record, LLMLAB__ITEM_AGENT, "answer_question"));

    /* The id begins with the time in milliseconds. */
    assert_true(llabs(llmlab__clock_real_ns() / 1000000 -
                      (int64_t)(trace[0] >> 16)) < 5000);
}

static void
test_null_is_told_and_harmless(void **state)
{
    char text[LLMLAB_TRACEPARENT_TEXT];
    char id[33];
    llmlab_context_token_t token;
    llmlab_usage_t usage = {0};
    llmlab_money_t money = {0, 0};
    llmlab_cost_t cost;
    llmlab_reply_t reply = {0};

    (void)state;
    assert_null(llmlab_span_start(NULL, NULL, "x", LLMLAB_SPAN_TOOL));
    assert_null(llmlab_span_client(NULL));
    assert_int_equal(llmlab_span_end(NULL), LLMLAB_EINVAL);
    llmlab_span_discard(NULL);
    assert_int_equal(llmlab_span_set_string(NULL, "k", "v"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_int(NULL, "k", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_double(NULL, "k", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_bool(NULL, "k", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_agent(NULL, "a", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_add_tag(NULL, "a", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_outcome(NULL, LLMLAB_ERROR),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_error(NULL, "a", "b", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_model(NULL, "a", "b"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_usage(NULL, &usage), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_cost(NULL, money), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_tier(NULL, "a", "b", "c", 0),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_finish(NULL, "a", "b"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_attempt(NULL, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_stream(NULL, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_first_token(NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_prompt(NULL, "a", "b"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_response(NULL, "a", "b", "{}", 2),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_reply(NULL, &reply), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_input(NULL, "a", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_output(NULL, "a", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_times(NULL, 1, 2), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_cost(NULL, &cost), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_traceparent(NULL, text), LLMLAB_EINVAL);
    assert_string_equal(text, "");
    assert_int_equal(llmlab_span_ids(NULL, id, text), LLMLAB_EINVAL);
    assert_int_equal(llmlab_record_call(NULL, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_record_call(client, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_context_attach(NULL, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_context_detach(NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_context_attach(NULL, &token), LLMLAB_OK);
    assert_int_equal(llmlab_context_detach(&token), LLMLAB_OK);
    llmlab_call_init(NULL);

    recording->tracer.enabled = false;
    assert_null(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    recording->tracer.enabled = true;
    assert_int_equal(recording->prepared, 0); /* nothing was recorded */
}

static void
test_values_that_cannot_be_are_told(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, NULL, (llmlab_span_kind_t)77);

    (void)state;
    assert_int_equal(llmlab_span_set_string(span, NULL, "v"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_string(span, "", "v"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_int(span, NULL, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_usage(span, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_reply(span, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_attempt(span, -1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_times(span, -1, 0), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_outcome(span, (llmlab_outcome_t)9),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_cost(span, NULL), LLMLAB_EINVAL);
    llmlab_span_end(span);
    assert_int_equal(recording_next(recording)->kind, LLMLAB_SPAN_GENERIC);
}

static void
test_a_span_ends_once(void **state)
{
    llmlab__tracer_counts_t counts;
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);

    (void)state;
    assert_int_equal(llmlab_span_end(span), LLMLAB_OK);
    assert_int_equal(llmlab_span_end(span), LLMLAB_ESTALE);
    assert_int_equal(llmlab_span_set_string(span, "k", "v"), LLMLAB_ESTALE);
    assert_int_equal(llmlab_span_set_model(span, "k", "v"), LLMLAB_ESTALE);
    llmlab_span_discard(span);
    /* The next few spans are others, so that a late second end hits none. */
    for (int i = 0; i < 5; i++) {
        llmlab_span_t *next =
            llmlab_span_start(client, NULL, "y", LLMLAB_SPAN_TOOL);

        assert_ptr_not_equal(next, span);
        assert_int_equal(llmlab_span_end(span), LLMLAB_ESTALE);
        assert_int_equal(llmlab_span_end(next), LLMLAB_OK);
    }
    span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
    llmlab_span_discard(span);
    assert_int_equal(llmlab_span_end(span), LLMLAB_ESTALE);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.stale_ends, 7);
    assert_int_equal(counts.accepted, 6);
    assert_int_equal(counts.open_spans, 0);
    assert_int_equal(recording_drain(recording), 6);
}

static void
test_a_reply_is_read_and_priced(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    llmlab__tracer_counts_t counts;
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_usage_t usage;
    llmlab_cost_t cost;

    (void)state;
    assert_int_equal(llmlab_span_cost(span, &cost), LLMLAB_ENOUSAGE);
    assert_int_equal(llmlab_span_first_token(span), LLMLAB_OK);
    assert_int_equal(llmlab_span_set_response(span, "openai",
                                              "chat_completions", REPLY,
                                              sizeof(REPLY) - 1),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_cost(span, &cost), LLMLAB_OK);
    assert_true(cost.amount.low == REPLY_COST);
    llmlab_span_end(span);

    record = recording_next(recording);
    assert_int_equal(record->flags & LLMLAB__RECORD_CALL, LLMLAB__RECORD_CALL);
    assert_int_equal(record->flags & LLMLAB__RECORD_USAGE_COMPLETE,
                     LLMLAB__RECORD_USAGE_COMPLETE);
    assert_int_equal(record->priced, LLMLAB_PRICED);
    assert_int_equal(record->cost_source, LLMLAB_COST_COMPUTED);
    assert_int_equal(record->usage_source, LLMLAB_USAGE_PROVIDER);
    assert_true(record->cost[0] == REPLY_COST);
    assert_true(record->ttft_ns > 0);
    assert_true(recording_has(record, LLMLAB__ITEM_PROVIDER, "openai"));
    assert_true(
        recording_has(record, LLMLAB__ITEM_MODEL, "gpt-4o-mini-2024-07-18"));
    assert_true(recording_has(record, LLMLAB__ITEM_RESPONSE_ID, "chatcmpl-1"));
    assert_true(recording_has(record, LLMLAB__ITEM_FINISH_REASON, "stop"));
    assert_true(recording_item(record, LLMLAB__ITEM_PRICE_KEY, 0, &item));
    assert_true(recording_item(record, LLMLAB__ITEM_PRICE_TABLE, 0, &item));
    assert_true(recording_item(record, LLMLAB__ITEM_USAGE, 0, &item));
    assert_true(llmlab__record_usage(&item, &usage));
    assert_int_equal(usage.count[LLMLAB_USAGE_INPUT_TOKENS], 1200);

    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.calls, 1);
    assert_int_equal(counts.input_tokens, 1200);
    assert_int_equal(counts.output_tokens, 80);
    assert_true(counts.cost.low == REPLY_COST);
    assert_int_equal(counts.unpriced_calls, 0);
}

static void
set_tokens(llmlab_span_t *span, uint64_t input, uint64_t output)
{
    llmlab_usage_t usage = {0};

    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, input);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, output);
    assert_int_equal(llmlab_span_set_usage(span, &usage), LLMLAB_OK);
}

static void
test_later_facts_overwrite_and_are_priced_at_the_end(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    const llmlab__record_t *record;
    llmlab__item_view_t item;

    (void)state;
    set_tokens(span, 7, 7);
    llmlab_span_set_model(span, "openai", "no-such-model");
    for (int i = 0; i < 1000; i++) {
        set_tokens(span, 1000 + (uint64_t)i, 80);
    }
    llmlab_span_set_model(span, NULL, "gpt-4o-mini-2024-07-18");
    set_tokens(span, 1200, 80);
    llmlab_span_set_finish(span, "length", NULL);
    llmlab_span_set_finish(span, "stop", "r1");
    llmlab_span_set_attempt(span, 3);
    llmlab_span_set_stream(span, 1);
    llmlab_span_set_prompt(span, "greet", "3");
    llmlab_span_set_tier(span, "default", NULL, NULL, 0);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_true(record->cost[0] == REPLY_COST);
    assert_int_equal(record->attempt, 3);
    assert_int_equal(record->flags & LLMLAB__RECORD_STREAM,
                     LLMLAB__RECORD_STREAM);
    assert_int_equal(record->flags & LLMLAB__RECORD_CUT, 0);
    assert_true(recording_has(record, LLMLAB__ITEM_PROVIDER, "openai"));
    assert_true(recording_has(record, LLMLAB__ITEM_FINISH_REASON, "stop"));
    assert_true(recording_has(record, LLMLAB__ITEM_PROMPT_VERSION, "3"));
    assert_false(recording_item(record, LLMLAB__ITEM_USAGE, 1, &item));
    assert_false(recording_item(record, LLMLAB__ITEM_MODEL, 1, &item));
}

static void
test_an_unknown_model_is_unpriced_not_free(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    llmlab__tracer_counts_t counts;
    const llmlab__record_t *record;

    (void)state;
    llmlab_span_set_model(span, "openai", "no-such-model");
    set_tokens(span, 10, 10);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_int_equal(record->priced, LLMLAB_UNPRICED);
    assert_int_equal(record->cost_source, LLMLAB_COST_NONE);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.unpriced_calls, 1);
    assert_int_equal(recording->unpriced, 1);
    assert_string_equal(recording->unpriced_model, "no-such-model");

    /* A failed call that used nothing is none of those. */
    span = llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    llmlab_span_set_error(span, "rate_limit", "429", 429);
    llmlab_span_set_outcome(span, LLMLAB_SUCCESS);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_int_equal(record->outcome, LLMLAB_ERROR);
    assert_int_equal(record->http_status, 429);
    assert_true(recording_has(record, LLMLAB__ITEM_ERROR_TYPE, "rate_limit"));
    assert_true(recording_has(record, LLMLAB__ITEM_ERROR_CODE, "429"));
    assert_int_equal(recording->unpriced, 1);
}

static void
test_the_stated_charge_is_the_effective_cost(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    llmlab__tracer_counts_t counts;
    const llmlab__record_t *record;
    llmlab_money_t charge = {5, 0};

    (void)state;
    llmlab_span_set_model(span, "openai", "gpt-4o-mini-2024-07-18");
    set_tokens(span, 1200, 80);
    assert_int_equal(llmlab_span_set_cost(span, charge), LLMLAB_OK);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_int_equal(record->cost_source, LLMLAB_COST_PROVIDER);
    assert_int_equal(record->flags & LLMLAB__RECORD_PROVIDER_COST,
                     LLMLAB__RECORD_PROVIDER_COST);
    assert_true(record->cost[0] == REPLY_COST); /* kept, to show drift */
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_true(counts.cost.low == 5);
}

static void
test_a_fee_on_the_users_own_key_is_not_the_cost(void **state)
{
    llmlab_reply_t reply = {.complete = 1,
                            .usage_source = LLMLAB_USAGE_PROVIDER,
                            .has_provider_cost = 1,
                            .is_byok = 1,
                            .provider_cost = {3, 0},
                            .provider = "openai",
                            .model = "gpt-4o-mini-2024-07-18"};
    llmlab__tracer_counts_t counts;
    llmlab_span_t *span;

    (void)state;
    llmlab_usage_set(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, 1200);
    llmlab_usage_set(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS, 80);
    span = llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    assert_int_equal(llmlab_span_set_reply(span, &reply), LLMLAB_OK);
    llmlab_span_end(span);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_true(counts.cost.low == REPLY_COST);

    reply.has_upstream_cost = 1;
    reply.upstream_cost[0] = 100;
    span = llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    assert_int_equal(llmlab_span_set_reply(span, &reply), LLMLAB_OK);
    llmlab_span_end(span);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_true(counts.cost.low == REPLY_COST + 103);
}

/* Usage on an agent is the sum of what is below it: counted there. */
static void
test_only_leaves_are_calls(void **state)
{
    llmlab__tracer_counts_t counts;
    llmlab_span_t *agent =
        llmlab_span_start(client, NULL, "run", LLMLAB_SPAN_AGENT);
    llmlab_span_t *tool =
        llmlab_span_start(client, agent, "t", LLMLAB_SPAN_TOOL);

    (void)state;
    set_tokens(agent, 1200, 80);
    llmlab_span_set_model(agent, "openai", "gpt-4o-mini-2024-07-18");
    llmlab_span_end(tool);
    llmlab_span_end(agent);
    tool = llmlab_span_start(client, NULL, "t", LLMLAB_SPAN_TOOL);
    llmlab_span_set_model(tool, "openai", "gpt-4o-mini-2024-07-18");
    set_tokens(tool, 10, 0);
    llmlab_span_end(tool);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.calls, 1);
    assert_int_equal(counts.input_tokens, 10);
    recording_drain(recording);
}

static void
test_long_keys_and_values_are_cut_and_marked(void **state)
{
    size_t size = 200000;
    char *text = malloc(size);
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
    const llmlab__record_t *record;
    llmlab__item_view_t item;

    (void)state;
    memset(text, 'x', size);
    memcpy(text + 254, "\xc3\xa9", 2); /* over the key's end */
    assert_int_equal(llmlab_span_set_string_n(span, text, size, "v", 1),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_set_string_n(span, "big", 3, text, size),
                     LLMLAB_OK);
    for (int i = 0; i < 10; i++) {
        llmlab_status_t status = llmlab_span_set_int(span, "more", 1);

        assert_true(status == LLMLAB_OK || status == LLMLAB_ETOOBIG);
    }
    assert_int_equal(llmlab_span_set_string_n(span, "no", 2, text, 5000),
                     LLMLAB_ETOOBIG);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_non_null(record);
    assert_int_equal(record->flags & LLMLAB__RECORD_CUT, LLMLAB__RECORD_CUT);
    assert_true(recording_item(record, LLMLAB__ITEM_ATTR_STRING, 0, &item));
    assert_int_equal(item.key_size, 254);
    assert_true(recording_item(record, LLMLAB__ITEM_ATTR_STRING, 1, &item));
    assert_true(item.value_size > 28000);

    /* What a span's own place does not hold is kept whole. */
    span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(llmlab_span_set_string_n(span, "k", 1, text, 100),
                         LLMLAB_OK);
    }
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_int_equal(record->flags & LLMLAB__RECORD_CUT, 0);
    assert_int_equal(recording_items(record), 101);
    free(text);
}

static void
test_identity_is_bounded(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
    llmlab_status_t status = LLMLAB_OK;
    int tags = 0;

    (void)state;
    while (status == LLMLAB_OK && tags < 1000) {
        status = llmlab_span_add_tag(span, "some-tag", 8);
        tags++;
    }
    assert_int_equal(status, LLMLAB_ETOOBIG);
    assert_true(tags > 50);
    assert_int_equal(llmlab_span_set_user(span, NULL, 0), LLMLAB_OK);
    llmlab_span_end(span);
    assert_int_equal(recording_next(recording)->flags & LLMLAB__RECORD_CUT,
                     LLMLAB__RECORD_CUT);
}

static void
test_explicit_times(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
    int64_t before = llmlab__clock_real_ns();
    const llmlab__record_t *record;

    (void)state;
    llmlab_span_set_times(span, INT64_C(1700000000000000000),
                          INT64_C(1700000001000000000));
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_int_equal(record->flags & LLMLAB__RECORD_REAL_TIME,
                     LLMLAB__RECORD_REAL_TIME);
    assert_int_equal(record->end_ns - record->start_ns, 1000000000);

    span = llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL);
    llmlab_span_set_times(span, before - 5, 0);
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_true(record->start_ns == before - 5);
    assert_true(record->end_ns - before < INT64_C(5000000000));
    assert_true(record->end_ns >= before - INT64_C(1000000000));
}

static void
test_traceparent_continues_a_trace(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };
    char text[LLMLAB_TRACEPARENT_TEXT];
    char trace_id[33];
    char span_id[17];
    llmlab_span_t *span;
    const llmlab__record_t *record;

    (void)state;
    span = llmlab_span_start_remote(
        client, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x",
        LLMLAB_SPAN_TOOL);
    assert_int_equal(llmlab_span_ids(span, trace_id, span_id), LLMLAB_OK);
    assert_string_equal(trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_int_equal(llmlab_span_traceparent(span, text), LLMLAB_OK);
    assert_int_equal(strlen(text), 55);
    assert_memory_equal(text, "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_memory_equal(text + 36, span_id, 16);
    assert_string_equal(text + 52, "-01");
    llmlab_span_end(span);
    record = recording_next(recording);
    assert_true(record->parent_id == UINT64_C(0x00f067aa0ba902b7));
    assert_int_equal(record->flags & LLMLAB__RECORD_ROOT, LLMLAB__RECORD_ROOT);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        span = llmlab_span_start_remote(client, bad[i], "x", LLMLAB_SPAN_TOOL);
        llmlab_span_end(span);
        record = recording_next(recording);
        assert_int_equal(record->parent_id, 0);
        assert_true(record->trace_id[1] != UINT64_C(0xa3ce929d0e0e4736));
    }
    llmlab_span_end(
        llmlab_span_start_remote(client, NULL, "x", LLMLAB_SPAN_TOOL));
}

static void
test_macros_end_with_their_block(void **state)
{
    const llmlab__record_t *record;
    uint64_t root;

    (void)state;
    {
        LLMLAB_TRACE(client, "run");
        for (int i = 0; i < 3; i++) {
            LLMLAB_SPAN("step", LLMLAB_SPAN_TOOL);
            if (i == 0) {
                continue;
            }
            assert_non_null(llmlab_span_current());
            if (i == 1) {
                break;
            }
        }
        {
            LLMLAB_SPAN_IN(llmlab_span_current(), "in", LLMLAB_SPAN_LLM);
        }
    }
    assert_null(llmlab_span_current());
    {
        LLMLAB_SPAN("nothing", LLMLAB_SPAN_TOOL); /* no span around it */
        assert_null(llmlab_span_current());
        LLMLAB_TRACE(NULL, "nothing");
        assert_null(llmlab_span_current());
    }
    record = recording_next(recording);
    root = record->parent_id;
    assert_true(recording_next(recording)->parent_id == root);
    assert_true(recording_next(recording)->parent_id == root);
    assert_true(recording_next(recording)->span_id == root);
    assert_null(recording_next(recording));
}

static void
test_attach_and_detach_nest(void **state)
{
    llmlab_span_t *a = llmlab_span_start(client, NULL, "a", LLMLAB_SPAN_TOOL);
    llmlab_span_t *b = llmlab_span_start(client, NULL, "b", LLMLAB_SPAN_TOOL);
    llmlab_context_token_t first;
    llmlab_context_token_t second;

    (void)state;
    llmlab_context_attach(a, &first);
    llmlab_context_attach(b, &second);
    assert_ptr_equal(llmlab_span_current(), b);
    assert_int_equal(llmlab_context_detach(&second), LLMLAB_OK);
    assert_ptr_equal(llmlab_span_current(), a);
    llmlab_context_attach(b, &second);
    assert_int_equal(llmlab_context_detach(&first), LLMLAB_ESTALE);
    assert_null(llmlab_span_current());
    assert_int_equal(llmlab_context_detach(&second), LLMLAB_ESTALE);
    llmlab_context_attach(NULL, &first);
    llmlab_span_end(a);
    llmlab_span_end(b);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_a_span_arrives_with_its_attributes),
        UNIT(test_children_join_the_trace_and_inherit),
        UNIT(test_null_is_told_and_harmless),
        UNIT(test_values_that_cannot_be_are_told),
        UNIT(test_a_span_ends_once),
        UNIT(test_a_reply_is_read_and_priced),
        UNIT(test_later_facts_overwrite_and_are_priced_at_the_end),
        UNIT(test_an_unknown_model_is_unpriced_not_free),
        UNIT(test_the_stated_charge_is_the_effective_cost),
        UNIT(test_a_fee_on_the_users_own_key_is_not_the_cost),
        UNIT(test_only_leaves_are_calls),
        UNIT(test_long_keys_and_values_are_cut_and_marked),
        UNIT(test_identity_is_bounded),
        UNIT(test_explicit_times),
        UNIT(test_traceparent_continues_a_trace),
        UNIT(test_macros_end_with_their_block),
        UNIT(test_attach_and_detach_nest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
