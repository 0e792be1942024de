/* Where nobody counts: a stream that was cut, a server without usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/recording.h"
#include "usage/request.h"

#define CHUNK(delta)                                                       \
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\","            \
    "\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":" delta \
    "}],\"usage\":null}\n\n"
#define LAST                                                                   \
    "data: {\"id\":\"c\",\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":{" \
    "\"prompt_tokens\":9,\"completion_tokens\":5,\"total_tokens\":14}}\n\n"    \
    "data: [DONE]\n\n"
#define TEXT                                    \
    CHUNK("{\"role\":\"assistant\"}")           \
    CHUNK("{\"content\":\"The quick br\"}")     \
    CHUNK("{\"content\":\"own f\\u006fx\\n\"}") \
    CHUNK("{\"content\":\"jumps.\"}")

static const char said[] = "The quick brown fox\njumps.";

static llmlab_status_t
stream(llmlab_reply_t *reply, const char *text, size_t step)
{
    llmlab_usage_stream_t *reader = llmlab_usage_stream_new("openai", NULL);
    size_t size = strlen(text);
    llmlab_status_t status;

    assert_non_null(reader);
    for (size_t i = 0; i < size; i += step) {
        assert_int_equal(
            llmlab_usage_stream_feed(reader, text + i,
                                     size - i < step ? size - i : step),
            LLMLAB_OK);
    }
    status = llmlab_usage_stream_reply(reader, reply);
    llmlab_usage_stream_destroy(reader);
    return status;
}

static uint64_t
output_of(const llmlab_reply_t *reply)
{
    uint64_t count = 0;

    assert_true(
        llmlab_usage_get(&reply->usage, LLMLAB_USAGE_OUTPUT_TOKENS, &count));
    return count;
}

/* Escapes and pieces count as the text they are. */
static void
test_a_cut_stream(void **state)
{
    llmlab_reply_t reply;

    (void)state;
    for (size_t step = 1; step < sizeof(TEXT); step += 7) {
        assert_int_equal(stream(&reply, TEXT, step), LLMLAB_ENOUSAGE);
        assert_int_equal(reply.usage_source, LLMLAB_USAGE_ESTIMATED);
        assert_int_equal(reply.complete, 0);
        assert_int_equal(output_of(&reply),
                         llmlab_tokens_estimate("openai", said, strlen(said)));
        assert_false(
            llmlab_usage_get(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, NULL));
    }
    assert_int_equal(
        llmlab_usage_read(&reply, "openai", NULL, TEXT, strlen(TEXT)),
        LLMLAB_ENOUSAGE);
    assert_int_equal(reply.usage_source, LLMLAB_USAGE_ESTIMATED);
    assert_int_equal(output_of(&reply),
                     llmlab_tokens_estimate("openai", said, strlen(said)));
}

static void
test_never_beside_counts(void **state)
{
    llmlab_reply_t reply;

    (void)state;
    assert_int_equal(stream(&reply, TEXT LAST, 5), LLMLAB_OK);
    assert_int_equal(reply.usage_source, LLMLAB_USAGE_PROVIDER);
    assert_int_equal(output_of(&reply), 5);
    /* Nothing was said: nothing is estimated. */
    assert_int_equal(stream(&reply, CHUNK("{\"role\":\"assistant\"}"), 9),
                     LLMLAB_ENOUSAGE);
    assert_int_equal(reply.usage_source, LLMLAB_USAGE_NONE);
    assert_int_equal(reply.usage.present, 0);
    /* Counts in headers come after the body. */
    assert_int_equal(stream(&reply, TEXT, 50), LLMLAB_ENOUSAGE);
    llmlab_reply_set_header(&reply, "x-amzn-bedrock-input-token-count", "7");
    assert_int_equal(reply.usage_source, LLMLAB_USAGE_PROVIDER);
    assert_false(
        llmlab_usage_get(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS, NULL));
}

/* A malformed event's text is taken back with it; a thought that a server
 * writes under two names is one; a transcription is billed by the second. */
static void
test_what_is_measured(void **state)
{
    static const char twice[] =
        "{\"choices\":[{\"message\":{\"content\":\"\",\"reasoning\":\"Hm, "
        "well.\",\"reasoning_content\":\"Hm, well.\"}}]}";
    static const char parts[] =
        "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"thinking\","
        "\"thinking\":[{\"type\":\"text\",\"text\":\"Hm, \"}]},"
        "{\"type\":\"text\",\"text\":\"well.\"}]}}]}";
    static const char transcript[] = "{\"text\":\"Hm, well.\"}";
    static const char malformed[] =
        TEXT "data: {\"choices\":[{\"delta\":{\"content\":\"more\"}}],,\n\n";
    uint64_t want = llmlab_tokens_estimate("x", "Hm, well.", 9);
    llmlab_reply_t reply;

    (void)state;
    assert_int_equal(
        llmlab_usage_read(&reply, "x", NULL, twice, sizeof(twice) - 1),
        LLMLAB_ENOUSAGE);
    assert_int_equal(output_of(&reply), want);
    (void)llmlab_usage_read(&reply, "x", NULL, parts, sizeof(parts) - 1);
    assert_int_equal(output_of(&reply), want);
    (void)llmlab_usage_read(&reply, "x", "audio", transcript,
                            sizeof(transcript) - 1);
    assert_int_equal(reply.usage_source, LLMLAB_USAGE_NONE);
    assert_int_equal(llmlab_usage_read(&reply, "openai", NULL, malformed,
                                       sizeof(malformed) - 1),
                     LLMLAB_EPARSE);
    assert_int_equal(output_of(&reply),
                     llmlab_tokens_estimate("openai", said, strlen(said)));
}

#define REQUEST                                                          \
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"    \
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Who " \
    "are you?\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"        \
    "\"data:image/png;base64,AAAAAAAAAAAAAAAA\"}}]}],\"stream\":true,"   \
    "\"model\":\"command-r-08-2024\"}"

static void
test_a_request(void **state)
{
    llmlab__request_facts_t facts;
    uint64_t text = llmlab_tokens_estimate(NULL, "Be brief.", 9) +
                    llmlab_tokens_estimate(NULL, "Who are you?", 12);
    uint64_t count;

    (void)state;
    llmlab__request_facts_read(&facts, REQUEST, strlen(REQUEST));
    assert_string_equal(facts.model, "command-r-08-2024");
    count = llmlab_tokens_count(&facts.prompt, NULL);
    assert_in_range(count, text + 10, text + 11);
    for (size_t size = 0; size < strlen(REQUEST); size++) {
        llmlab__request_facts_read(&facts, REQUEST, size);
        assert_true(llmlab_tokens_count(&facts.prompt, NULL) <= count);
    }
}

static void
test_a_span(void **state)
{
    static const char cohere[] =
        "{\"id\":\"1\",\"message\":{\"role\":\"assistant\",\"content\":[{"
        "\"type\":\"text\",\"text\":\"I am.\"}]},\"finish_reason\":"
        "\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":100,"
        "\"output_tokens\":10}}}";
    recording_t *recording = recording_open();
    llmlab_client_t *client = recording_client(recording);
    const llmlab__record_t *record;
    llmlab__item_view_t item;
    llmlab_usage_t usage;
    llmlab_span_t *span;

    (void)state;
    span = llmlab_span_start(client, NULL, "cut", LLMLAB_SPAN_LLM);
    assert_int_equal(
        llmlab_span_set_request(span, "openai", NULL, REQUEST, strlen(REQUEST)),
        LLMLAB_OK);
    assert_int_equal(
        llmlab_span_set_response(span, "openai", NULL, TEXT, strlen(TEXT)),
        LLMLAB_ENOUSAGE);
    llmlab_span_end(span);
    /* Cohere names no model: the request does. */
    span = llmlab_span_start(client, NULL, "nameless", LLMLAB_SPAN_LLM);
    (void)llmlab_span_set_request(span, "cohere", NULL, REQUEST,
                                  strlen(REQUEST));
    assert_int_equal(llmlab_span_set_response(span, "cohere", "chat", cohere,
                                              sizeof(cohere) - 1),
                     LLMLAB_OK);
    llmlab_span_end(span);
    /* What the caller says goes before the body. */
    span = llmlab_span_start(client, NULL, "told", LLMLAB_SPAN_LLM);
    (void)llmlab_span_set_request_model(span, "command-r7b-12-2024");
    (void)llmlab_span_set_request(span, "cohere", NULL, REQUEST,
                                  strlen(REQUEST));
    (void)llmlab_span_set_response(span, "cohere", "chat", cohere,
                                   sizeof(cohere) - 1);
    llmlab_span_end(span);
    assert_int_equal(recording_drain(recording), 3);
    record = recording_next(recording);
    assert_int_equal(record->usage_source, LLMLAB_USAGE_ESTIMATED);
    assert_int_equal(record->priced, LLMLAB_PRICED);
    assert_int_equal(record->flags & LLMLAB__RECORD_USAGE_COMPLETE, 0);
    assert_true(recording_item(record, LLMLAB__ITEM_USAGE, 0, &item));
    assert_true(llmlab__record_usage(&item, &usage));
    assert_true(usage.count[LLMLAB_USAGE_INPUT_TOKENS] > 10);
    record = recording_next(recording);
    assert_int_equal(record->priced, LLMLAB_PRICED);
    assert_true(
        recording_has(record, LLMLAB__ITEM_PRICE_KEY, "command-r-08-2024"));
    record = recording_next(recording);
    assert_true(
        recording_has(record, LLMLAB__ITEM_PRICE_KEY, "command-r7b-12-2024"));
    recording_close(recording);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cut_stream),
        cmocka_unit_test(test_never_beside_counts),
        cmocka_unit_test(test_what_is_measured),
        cmocka_unit_test(test_a_request),
        cmocka_unit_test(test_a_span),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
