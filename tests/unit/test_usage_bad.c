/* Malformed and hostile replies: a status that names what is wrong, nothing
 * guessed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/status.h>
#include <llmlab/usage.h>

static llmlab_status_t
read_text(llmlab_reply_t *reply, const char *text)
{
    size_t size = strlen(text);
    char *copy = malloc(size == 0 ? 1 : size);
    llmlab_status_t status;

    assert_non_null(copy);
    memcpy(copy, text, size);
    status = llmlab_usage_read(reply, "openai", "chat_completions", copy, size);
    free(copy);
    return status;
}

static void
wrong_counts(void **state)
{
    static const struct {
        const char *text;
        llmlab_status_t status;
        const char *detail;
    } cases[] = {
        {"{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":5}}",
         LLMLAB_EPARSE, "prompt_tokens: a negative count"},
        {"{\"usage\":{\"prompt_tokens\":1.5,\"completion_tokens\":5}}",
         LLMLAB_EPARSE, "prompt_tokens: not a whole number"},
        {"{\"usage\":{\"prompt_tokens\":\"12\",\"completion_tokens\":5}}",
         LLMLAB_EPARSE, "prompt_tokens: not a number"},
        {"{\"usage\":{\"prompt_tokens\":true,\"completion_tokens\":5}}",
         LLMLAB_EPARSE, "prompt_tokens: not a number"},
        {"{\"usage\":{\"prompt_tokens\":[12],\"completion_tokens\":5}}",
         LLMLAB_EPARSE, "prompt_tokens: not a number"},
        {"{\"usage\":{\"prompt_tokens\":{},\"completion_tokens\":5}}",
         LLMLAB_EPARSE, "prompt_tokens: not a number"},
        {"{\"usage\":{\"prompt_tokens\":9223372036854775808,"
         "\"completion_tokens\":5}}",
         LLMLAB_EOVERFLOW, "prompt_tokens: a count above 2^63 - 1"},
        {"{\"usage\":{\"prompt_tokens\":1e300,\"completion_tokens\":5}}",
         LLMLAB_EOVERFLOW, "prompt_tokens: a count above 2^63 - 1"},
        {"{\"usage\":{\"prompt_tokens\":12,\"prompt_tokens\":13,"
         "\"completion_tokens\":5}}",
         LLMLAB_EPARSE, "prompt_tokens: the key stands here twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab_reply_t reply;
        uint64_t count;

        assert_int_equal(read_text(&reply, cases[i].text), cases[i].status);
        assert_string_equal(llmlab_status_detail(), cases[i].detail);
        assert_false(reply.complete);
        /* The wrong one is absent, the right one stands. */
        assert_false(
            llmlab_usage_get(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, &count));
        assert_true(
            llmlab_usage_get(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS, &count));
        assert_int_equal(count, 5);
    }
}

static void
wrong_texts(void **state)
{
    static const struct {
        const char *text;
        const char *detail;
    } cases[] = {
        {"{\"usage\":{\"prompt_tokens\":NaN}}",
         "a value was expected (byte 26 of event 1)"},
        {"{\"usage\":{\"prompt_tokens\":012}}",
         "malformed number (byte 29 of event 1)"},
        {"{\"usage\":{\"prompt_tokens\":12", "the text is cut off"},
        {"{\"usage\":{\"prompt_tokens\":12}", "the text is cut off"},
        {"{\"choices\":[{\"text\":\"abc", "the text is cut off"},
        {"{\"usage\":17}", "usage: not an object"},
        {"{\"usage\":\"none\"}", "usage: not an object"},
        {"{\"usage\":{\"prompt_tokens_details\":7}}",
         "prompt_tokens_details: not an object"},
        {"{\"usage\":{},\"usage\":{}}", "usage: the key stands here twice"},
        {"{\"usage\":{\"cost\":-0.1}}", "cost: not an amount"},
        {"{\"usage\":{\"cost\":\"abc\"}}", "cost: not an amount"},
        {"{\"usage\":{\"cost\":1e60}}", "cost: the amount is too large"},
        {"<html>502 Bad Gateway</html>",
         "a value was expected (byte 0 of event 1)"},
        {"{\"a\":\"x\ny\"}",
         "control character in a string (byte 7 of event 1)"},
        {"{'a':1}", "a key was expected (byte 1 of event 1)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab_reply_t reply;
        llmlab_status_t status = read_text(&reply, cases[i].text);

        assert_true(status == LLMLAB_EPARSE || status == LLMLAB_EOVERFLOW);
        if (strncmp(llmlab_status_detail(), cases[i].detail,
                    strlen(cases[i].detail)) != 0) {
            fail_msg("%s: %s", cases[i].text, llmlab_status_detail());
        }
        assert_false(reply.complete);
    }
}

/* A number that the end of the bytes may have cut is no number. */
static void
a_cut_number_is_no_number(void **state)
{
    llmlab_reply_t reply;

    (void)state;
    assert_int_equal(read_text(&reply, "{\"usage\":{\"prompt_tokens\":12"),
                     LLMLAB_EPARSE);
    assert_true(reply.usage.present == 0);
}

static void
what_was_found_before_the_fault_stays(void **state)
{
    llmlab_reply_t reply;
    uint64_t count;

    (void)state;
    assert_int_equal(read_text(&reply, "{\"model\":\"gpt-4o\",\"usage\":"
                                       "{\"prompt_tokens\":12},\"choices\":[}"),
                     LLMLAB_EPARSE);
    assert_string_equal(reply.model, "gpt-4o");
    assert_true(
        llmlab_usage_get(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, &count));
    assert_int_equal(count, 12);
    assert_false(reply.complete);
}

static void
no_usage(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "12",
        "null",
        "\"text\"",
        "{\"choices\":[]}",
        "{\"usage\":null}",
        "{\"usage\":{}}",
        "{\"usage\":{\"prompt_tokens\":null}}",
        "{\"nothing\":{\"usage\":{\"prompt_tokens\":5}}}",
        "",
        "   \n",
        ": only a comment\n\n",
        "data: [DONE]\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        llmlab_reply_t reply;

        if (read_text(&reply, texts[i]) != LLMLAB_ENOUSAGE) {
            fail_msg("%s: %s", texts[i], llmlab_status_detail());
        }
        assert_int_equal(reply.usage_source, LLMLAB_USAGE_NONE);
    }
}

/* What a reader skips never costs the usage. */
static void
noise_in_the_text_is_harmless(void **state)
{
    llmlab_reply_t reply;
    uint64_t count;

    (void)state;
    assert_int_equal(
        read_text(&reply,
                  "{\"choices\":[{\"message\":{\"content\":\"\xff\xc0\x80\","
                  "\"role\":\"a\",\"role\":\"b\"},\"logprobs\":{\"x\":1,"
                  "\"x\":2}}],\"usage\":{\"prompt_tokens\":7.0,"
                  "\"completion_tokens\":0.2e1}}"),
        LLMLAB_OK);
    assert_true(
        llmlab_usage_get(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, &count));
    assert_int_equal(count, 7);
    assert_true(
        llmlab_usage_get(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS, &count));
    assert_int_equal(count, 2);
    assert_true(reply.complete);
}

static void
sums_do_not_wrap(void **state)
{
    static const char text[] =
        "{\"type\":\"message\",\"usage\":{\"input_tokens\":9223372036854775807,"
        "\"cache_read_input_tokens\":9223372036854775807,"
        "\"cache_creation\":{\"ephemeral_5m_input_tokens\":9223372036854775807,"
        "\"ephemeral_1h_input_tokens\":9223372036854775807}}}";
    llmlab_reply_t reply;

    (void)state;
    assert_int_equal(llmlab_usage_read(&reply, "anthropic", "messages", text,
                                       sizeof(text) - 1),
                     LLMLAB_EOVERFLOW);
    assert_false(reply.complete);
}

static void
long_texts_are_cut_on_a_character(void **state)
{
    char text[2048] = "{\"model\":\"";
    size_t size = strlen(text);
    llmlab_reply_t reply;

    (void)state;
    for (int i = 0; i < 300; i++) {
        memcpy(text + size, "\xc3\xa9", 2);
        size += 2;
    }
    memcpy(text + size, "\"}", 3);
    (void)read_text(&reply, text);
    assert_int_equal(strlen(reply.model), sizeof(reply.model) - 2);
}

static void
deep_nesting(void **state)
{
    char text[4096];
    llmlab_reply_t reply;

    (void)state;
    memset(text, '[', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(read_text(&reply, text), LLMLAB_EPARSE);
    assert_non_null(strstr(llmlab_status_detail(), "nested too deeply"));
}

static void
wrong_arguments(void **state)
{
    llmlab_reply_t reply;
    llmlab_usage_stream_t *stream = llmlab_usage_stream_new(NULL, NULL);

    (void)state;
    assert_int_equal(llmlab_usage_read(NULL, NULL, NULL, "{}", 2),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_read(&reply, NULL, NULL, NULL, 2),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_read(&reply, NULL, NULL, NULL, 0),
                     LLMLAB_ENOUSAGE);
    assert_int_equal(llmlab_usage_stream_feed(NULL, "{}", 2), LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_stream_feed(stream, NULL, 2), LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_stream_feed(stream, NULL, 0), LLMLAB_OK);
    assert_int_equal(llmlab_usage_stream_reply(NULL, &reply), LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_stream_reply(stream, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_stream_started(NULL), 0);
    llmlab_usage_stream_reset(NULL, NULL, NULL);
    llmlab_usage_stream_destroy(stream);
    llmlab_usage_stream_destroy(NULL);
    llmlab_reply_set_url(NULL, "x", 1);
    llmlab_reply_set_url(&reply, NULL, 1);
    llmlab_reply_set_header(NULL, "a", "b");
    llmlab_reply_set_header(&reply, NULL, NULL);
}

/* The provider's and the api's names may be anything. */
static void
long_names(void **state)
{
    char name[500];
    llmlab_reply_t reply;

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    (void)llmlab_usage_read(&reply, name, name, "{}", 2);
    assert_int_equal(strlen(reply.provider), sizeof(reply.provider) - 1);
    assert_int_equal(strlen(reply.api), sizeof(reply.api) - 1);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_counts),
        cmocka_unit_test(wrong_texts),
        cmocka_unit_test(a_cut_number_is_no_number),
        cmocka_unit_test(what_was_found_before_the_fault_stays),
        cmocka_unit_test(no_usage),
        cmocka_unit_test(noise_in_the_text_is_harmless),
        cmocka_unit_test(sums_do_not_wrap),
        cmocka_unit_test(long_texts_are_cut_on_a_character),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(long_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
