/* The estimate: by itself, in pieces, and in a span. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

static uint64_t
estimate(const char *text)
{
    return llmlab_tokens_estimate(NULL, text, strlen(text));
}

static void
texts(void **state)
{
    (void)state;
    assert_int_equal(estimate(""), 0);
    assert_int_equal(estimate("Hello world"), 2);
    assert_int_equal(estimate("1234567"), 3);
    assert_int_equal(estimate("\n\n\n"), 1);
    assert_int_equal(estimate("        x"), 2);
    assert_int_equal(estimate("\xe4\xbd\xa0\xe5\xa5\xbd"), 2);
    assert_int_equal(estimate("\xff\xfe\x80"), 4);
    assert_int_equal(llmlab_tokens_estimate("openai", "Hello world", 11), 2);
    assert_int_equal(llmlab_tokens_estimate("anthropic", "Hello world", 11), 3);
    assert_int_equal(llmlab_tokens_estimate(NULL, NULL, 5), 0);
    assert_int_equal(llmlab_tokens_count(NULL, "openai"), 0);
    llmlab_tokens_add(NULL, "x", 1);
}

static void
pieces_are_the_whole(void **state)
{
    static const char text[] = "Gr\xc3\xbc\xc3\x9f Gott, 1234567 times!  \n\nx";
    size_t size = sizeof(text) - 1;
    llmlab_tokens_t whole = {0};

    (void)state;
    llmlab_tokens_add(&whole, text, size);
    for (size_t step = 1; step < size; step++) {
        llmlab_tokens_t tokens = {0};

        for (size_t at = 0; at < size; at += step) {
            llmlab_tokens_add(&tokens, text + at,
                              size - at < step ? size - at : step);
        }
        assert_int_equal(tokens.twentieths, whole.twentieths);
    }
}

static void
a_huge_count_does_not_overflow(void **state)
{
    llmlab_tokens_t tokens = {.twentieths = UINT64_MAX};

    (void)state;
    assert_true(llmlab_tokens_count(&tokens, "anthropic") > UINT64_MAX / 20);
}

static void
a_span_says_that_it_is_one(void **state)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    char path[] = "/tmp/llmlab-tokens-XXXXXX";
    char text[4096] = {0};
    int fd = mkstemp(path);
    llmlab_usage_t usage;
    llmlab_span_t *span;
    FILE *file;

    (void)state;
    assert_true(fd >= 0);
    file = fdopen(fd, "r");
    assert_int_equal(llmlab_config_set(config, "exporter", "file"), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "exporter.file", path),
                     LLMLAB_OK);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    span = llmlab_span_start(client, NULL, "ask", LLMLAB_SPAN_LLM);
    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS,
                     estimate("Hello world"));
    assert_int_equal(llmlab_span_set_model(span, "openai", "gpt-4o-mini"),
                     LLMLAB_OK);
    assert_int_equal(llmlab_span_set_estimated_usage(span, NULL),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_estimated_usage(NULL, &usage),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_estimated_usage(span, &usage), LLMLAB_OK);
    llmlab_span_end(span);
    llmlab_client_close(client, 5000);
    llmlab_config_destroy(config);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    assert_non_null(strstr(text, "\"usage_source\":\"estimated\""));
    assert_non_null(strstr(text, "\"usage_complete\":false"));
    assert_non_null(strstr(text, "\"cost\":\"0.0000012\""));
    fclose(file);
    unlink(path);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(a_huge_count_does_not_overflow),
        cmocka_unit_test(a_span_says_that_it_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
