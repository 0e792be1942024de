/* Names against the built-in table: what must hold whatever it contains. The
 * order of the steps is tested by vectors (tests/e2e/test_pricing_*.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pricing/book.h"

static void
test_each_key_is_found_within_its_provider(void **state)
{
    const llmlab__price_table_t *table = llmlab__price_table_builtin();
    uint32_t i;

    (void)state;
    for (i = 0; i < table->row_count; i++) {
        const llmlab__price_row_t *row = &table->rows[i];
        const char *key = llmlab__price_text(table, row->key);
        const char *provider = llmlab__price_text(table, row->provider);
        const char *found = NULL;

        if (llmlab_pricing_resolve(NULL, provider, key, &found) !=
            LLMLAB_MATCH_EXACT) {
            fail_msg("%s of %s is not found", key, provider);
        }
        assert_int_equal(llmlab_pricing_resolve(NULL, NULL, key, &found),
                         LLMLAB_MATCH_EXACT);
        assert_string_equal(found, key);
    }
}

static void
test_no_key_is_found_by_a_part_of_it(void **state)
{
    static const char *const names[] = {
        "gpt",           "gpt-",    "gpt-4o-", "gpt-4o-min",
        "gpt-4ox",       "xgpt-4o", "4o",      "claude",
        "claude-sonnet", "gemini",  "o",       "-2024-05-13",
        "gpt-4o gpt-4o", "gpt-4o/", "/gpt-4o", "openai/",
        "openai//gpt-4o"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *key = names[i];

        assert_int_equal(llmlab_pricing_resolve(NULL, "openai", names[i], &key),
                         LLMLAB_MATCH_UNKNOWN);
        assert_null(key);
    }
}

/* A key that has its provider's prefix is itself, even where the prefix once
 * more makes another key. */
static void
test_a_prefix_is_not_put_twice(void **state)
{
    const char *key = NULL;

    (void)state;
    assert_int_equal(
        llmlab_pricing_resolve(NULL, "perplexity", "perplexity/sonar", &key),
        LLMLAB_MATCH_EXACT);
    assert_string_equal(key, "perplexity/sonar");
    assert_int_equal(
        llmlab_pricing_resolve(NULL, "openrouter", "openai/gpt-4o", &key),
        LLMLAB_MATCH_EXACT);
    assert_string_equal(key, "openrouter/openai/gpt-4o");
}

static void
test_providers_have_many_names(void **state)
{
    static const char *const names[][2] = {
        {"azure_openai", "gpt-4o"},
        {"az.ai.openai", "gpt-4o"},
        {"aws.bedrock", "amazon.nova-pro-v1:0"},
        {"aws", "amazon.nova-pro-v1:0"},
        {"google", "gemini-2.5-pro"},
        {"gcp.vertex_ai", "gemini-2.5-pro"},
        {"Vertex AI", "gemini-2.5-pro"},
        {"vertex", "gemini-2.5-pro"},
        {"x-ai", "grok-4"},
        {"grok", "grok-4"},
        {"xAI", "grok-4"},
        {"mistral_ai", "codestral-latest"},
        {"together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
        {"fireworks", "accounts/fireworks/models/kimi-k3"},
        {"vercel_gateway", "anthropic/claude-sonnet-4"},
        {"portkey", "gpt-4o"},
        {"pydantic_gateway", "gpt-4o"},
        {"", "gpt-4o"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (llmlab_pricing_resolve(NULL, names[i][0], names[i][1], NULL) !=
            LLMLAB_MATCH_EXACT) {
            fail_msg("%s of %s is not found", names[i][1], names[i][0]);
        }
    }
    assert_int_equal(
        llmlab_pricing_resolve(NULL, "no such provider", "gpt-4o", NULL),
        LLMLAB_MATCH_UNKNOWN);
}

static void
test_a_name_of_any_length_is_safe(void **state)
{
    char name[5000];
    size_t size;

    (void)state;
    for (size = 0; size < sizeof(name); size += 1 + size / 8) {
        memset(name, 'a', size);
        name[size] = '\0';
        assert_int_equal(llmlab_pricing_resolve(NULL, "openai", name, NULL),
                         LLMLAB_MATCH_UNKNOWN);
        assert_int_equal(llmlab_pricing_resolve(NULL, name, "gpt-4o", NULL),
                         size == 0 ? LLMLAB_MATCH_EXACT : LLMLAB_MATCH_UNKNOWN);
        assert_int_equal(llmlab_pricing_resolve(NULL, name, name, NULL),
                         LLMLAB_MATCH_UNKNOWN);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key_is_found_within_its_provider),
        cmocka_unit_test(test_no_key_is_found_by_a_part_of_it),
        cmocka_unit_test(test_a_prefix_is_not_put_twice),
        cmocka_unit_test(test_providers_have_many_names),
        cmocka_unit_test(test_a_name_of_any_length_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
