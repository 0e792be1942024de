/* What only the URL or a header tells, and the set of counts itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/usage.h>

#include "usage/reader.h"

static void
urls(void **state)
{
    static const struct {
        const char *url;
        const char *provider;
        const char *model;
        const char *region;
    } cases[] = {
        {"https://api.openai.com/v1/chat/completions", "openai", "", ""},
        {"https://bedrock-runtime.us-east-1.amazonaws.com/model/"
         "anthropic.claude-3-haiku-20240307-v1:0/invoke",
         "bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "us-east-1"},
        {"https://bedrock-runtime.eu-west-1.amazonaws.com/model/"
         "eu.amazon.nova-pro-v1%3A0/converse-stream?x=1",
         "bedrock", "eu.amazon.nova-pro-v1:0", "eu-west-1"},
        {"https://bedrock-runtime.us-west-2.amazonaws.com/model/arn%3Aaws%3A"
         "bedrock%3Aus-west-2%3A1%3Ainference-profile%2Fus.x/converse",
         "bedrock", "arn:aws:bedrock:us-west-2:1:inference-profile/us.x",
         "us-west-2"},
        {"https://bedrock-mantle.us-east-1.api.aws/v1/responses", "bedrock", "",
         "us-east-1"},
        {"https://generativelanguage.googleapis.com/v1beta/models/"
         "gemini-2.5-flash:streamGenerateContent?alt=sse",
         "gemini", "gemini-2.5-flash", ""},
        {"https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/"
         "us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929"
         ":rawPredict",
         "vertex", "claude-sonnet-4-5@20250929", "us-east5"},
        {"https://contoso.openai.azure.com/openai/deployments/my%20chat/chat/"
         "completions?api-version=1",
         "azure_openai", "my chat", ""},
        {"https://x.services.ai.azure.com/models/chat/completions", "azure_ai",
         "", ""},
        {"http://localhost:8000/v1/chat/completions", "", "", ""},
        {"localhost", "", "", ""},
        {"", "", "", ""},
        {"://", "", "", ""},
        {"https://api.x.ai:443/v1/models/%zz%4:x", "xai", "%zz%4", ""},
        {"https://a/model/%00/x", "", "", ""},
        {"https://a/models//:generateContent", "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab_reply_t reply;

        memset(&reply, 0, sizeof(reply));
        llmlab_reply_set_url(&reply, cases[i].url, strlen(cases[i].url));
        assert_string_equal(reply.provider, cases[i].provider);
        assert_string_equal(reply.model, cases[i].model);
        assert_string_equal(reply.region, cases[i].region);
    }
}

static void
what_is_set_stays(void **state)
{
    static const char url[] =
        "https://us-east1-aiplatform.googleapis.com/v1/locations/us-east1/"
        "models/other:rawPredict";
    llmlab_reply_t reply;

    (void)state;
    memset(&reply, 0, sizeof(reply));
    strcpy(reply.model, "claude");
    strcpy(reply.provider, "anthropic");
    llmlab_reply_set_url(&reply, url, sizeof(url) - 1);
    llmlab_reply_set_header(&reply, "openai-model", "gpt");
    assert_string_equal(reply.model, "claude");
    assert_string_equal(reply.provider, "anthropic");
    assert_string_equal(reply.region, "us-east1");
}

static void
bedrock_names_the_model(void **state)
{
    static const char url[] = "https://bedrock-runtime.us-east-1.amazonaws.com/"
                              "model/us.anthropic.claude-x-v1%3A0/invoke";
    static const char own[] =
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3A"
        "bedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc/invoke";
    llmlab_reply_t reply;

    (void)state;
    memset(&reply, 0, sizeof(reply));
    strcpy(reply.model, "claude-x");
    llmlab_reply_set_url(&reply, own, sizeof(own) - 1);
    assert_string_equal(reply.model, "claude-x");
    llmlab_reply_set_url(&reply, url, sizeof(url) - 1);
    assert_string_equal(reply.model, "us.anthropic.claude-x-v1:0");
}

static void
bedrock_headers_in_any_order(void **state)
{
    static const char *const headers[][2] = {
        {"X-Amzn-Bedrock-Input-Token-Count", "5"},
        {"x-amzn-bedrock-cache-read-input-token-count", "40"},
        {"x-amzn-bedrock-cache-write-input-token-count", "300"},
        {"x-amzn-bedrock-output-token-count", "7"},
    };

    (void)state;
    for (int first = 0; first < 4; first++) {
        llmlab_reply_t reply;
        uint64_t count;

        memset(&reply, 0, sizeof(reply));
        for (int i = 0; i < 8; i++) { /* each twice: the second is ignored */
            llmlab_reply_set_header(&reply, headers[(first + i) % 4][0],
                                    headers[(first + i) % 4][1]);
        }
        assert_true(
            llmlab_usage_get(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, &count));
        assert_int_equal(count, 345);
        assert_true(
            llmlab_usage_get(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS, &count));
        assert_int_equal(count, 7);
        assert_int_equal(reply.usage_source, LLMLAB_USAGE_PROVIDER);
    }
}

static void
the_body_rules_over_headers(void **state)
{
    llmlab_reply_t reply;
    uint64_t count;

    (void)state;
    memset(&reply, 0, sizeof(reply));
    llmlab_usage_set(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, 10);
    llmlab_reply_set_header(&reply, "x-amzn-bedrock-input-token-count", "5");
    llmlab_reply_set_header(&reply,
                            "x-amzn-bedrock-cache-read-input-token-count", "5");
    assert_true(
        llmlab_usage_get(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, &count));
    assert_int_equal(count, 10);
    assert_false(
        llmlab_usage_get(&reply.usage, LLMLAB_USAGE_CACHE_READ_TOKENS, NULL));
}

static void
bad_headers(void **state)
{
    static const char *const values[] = {"",    "x",   "-1",
                                         "1.5", "1 2", "99999999999999999999"};
    llmlab_reply_t reply;

    (void)state;
    memset(&reply, 0, sizeof(reply));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        llmlab_reply_set_header(&reply, "x-amzn-bedrock-input-token-count",
                                values[i]);
        llmlab_reply_set_header(&reply, "x-litellm-response-cost",
                                i == 3                ? "-1"
                                : values[i][0] == '9' ? "nan"
                                                      : "");
    }
    assert_true(reply.usage.present == 0);
    assert_false(reply.has_provider_cost);
    llmlab_reply_set_header(&reply, "x-litellm-response-cost", "1.62e-05");
    assert_true(reply.has_provider_cost);
    assert_true(reply.provider_cost[0] == UINT64_C(16200000000));
    llmlab_reply_set_header(&reply, "x-request-id", "req-1");
    assert_string_equal(reply.response_id, "req-1");
}

static void
counts(void **state)
{
    llmlab_usage_t usage;
    uint64_t count = 99;

    (void)state;
    llmlab_usage_init(&usage);
    llmlab_usage_init(NULL);
    assert_false(llmlab_usage_get(&usage, LLMLAB_USAGE_INPUT_TOKENS, &count));
    assert_int_equal(count, 99);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 0);
    assert_true(llmlab_usage_get(&usage, LLMLAB_USAGE_INPUT_TOKENS, &count));
    assert_int_equal(count, 0);
    assert_true(llmlab_usage_get(&usage, LLMLAB_USAGE_INPUT_TOKENS, NULL));
    llmlab_usage_set(&usage, LLMLAB_USAGE_FIELDS, 1);
    llmlab_usage_set(&usage, (llmlab_usage_field_t)-1, 1);
    llmlab_usage_set(NULL, LLMLAB_USAGE_PAGES, 1);
    assert_true(usage.present == 1);
    assert_false(llmlab_usage_get(&usage, (llmlab_usage_field_t)1000, NULL));
    assert_false(llmlab_usage_get(NULL, LLMLAB_USAGE_PAGES, NULL));
    for (int i = 0; i < LLMLAB_USAGE_FIELDS; i++) {
        const char *name = llmlab_usage_field_name((llmlab_usage_field_t)i);

        assert_int_equal(llmlab_usage_field_find(name, strlen(name)), i);
        assert_int_equal(llmlab_usage_field_find(name, strlen(name) - 1) ==
                             (llmlab_usage_field_t)i,
                         0);
    }
    assert_null(llmlab_usage_field_name(LLMLAB_USAGE_FIELDS));
    assert_int_equal(llmlab_usage_field_find("", 0), LLMLAB_USAGE_FIELDS);
    assert_int_equal(llmlab_usage_field_find(NULL, 0), LLMLAB_USAGE_FIELDS);
}

static const char grok[] =
    "{\"created\":1773345673,\"model\":\"grok-4\",\"choices\":[],\"usage\":{"
    "\"prompt_tokens\":9,\"completion_tokens\":1,\"cost_in_usd_ticks\":0}}";

static void
azure_states_no_ticks(void **state)
{
    const char *url = "https://x.services.ai.azure.com/models/chat/completions";
    llmlab_reply_t reply;

    (void)state;
    llmlab_usage_read(&reply, "azure_ai", NULL, grok, strlen(grok));
    assert_false(reply.has_provider_cost);
    llmlab_usage_read(&reply, NULL, NULL, grok, strlen(grok));
    assert_true(reply.has_provider_cost);
    llmlab_reply_set_url(&reply, url, strlen(url));
    assert_false(reply.has_provider_cost);
    assert_string_equal(reply.provider, "azure_ai");
    llmlab_usage_read(&reply, "xai", NULL, grok, strlen(grok));
    assert_true(reply.has_provider_cost);
    assert_int_equal(reply.created_ns, INT64_C(1773345673000000000));
}

static void
when_it_was_made(void **state)
{
    static const struct {
        const char *body;
        int64_t seconds;
    } cases[] = {
        {"{\"created\":1,\"choices\":[]}", 1},
        {"{\"created\":0,\"choices\":[]}", 0},
        {"{\"created\":-5,\"choices\":[]}", 0},
        {"{\"created\":1e300,\"choices\":[]}", 0},
        {"{\"created\":9223372037,\"choices\":[]}", 0},
        {"{\"created\":9223372036,\"choices\":[]}", 9223372036},
        {"{\"created\":\"2026-01-01\",\"choices\":[]}", 0},
        {"{\"object\":\"response\",\"created_at\":7,\"output\":[]}", 7},
        {"data: {\"type\":\"response.completed\",\"response\":{"
         "\"created_at\":8}}\n\n",
         8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab_reply_t reply;

        llmlab_usage_read(&reply, NULL, NULL, cases[i].body,
                          strlen(cases[i].body));
        assert_int_equal(reply.created_ns, cases[i].seconds * 1000000000);
    }
}

static void
identity(void **state)
{
    (void)state;
    assert_int_equal(llmlab__identity(10, 5, 15, 3, 2),
                     LLMLAB_IDENTITY_INCLUSIVE);
    assert_int_equal(llmlab__identity(10120, 1499, 14428, 2809, 128),
                     LLMLAB_IDENTITY_REASONING_OUTSIDE);
    assert_int_equal(llmlab__identity(9, 214, 1289, 0, 1066),
                     LLMLAB_IDENTITY_CACHE_OUTSIDE);
    assert_int_equal(llmlab__identity(3, 11, 389, 0, 0), LLMLAB_IDENTITY_NONE);
    assert_int_equal(
        llmlab__identity(UINT64_MAX, UINT64_MAX, 5, UINT64_MAX, UINT64_MAX),
        LLMLAB_IDENTITY_NONE);
    assert_int_equal(llmlab__identity(0, 0, 0, 0, 0),
                     LLMLAB_IDENTITY_INCLUSIVE);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(what_is_set_stays),
        cmocka_unit_test(bedrock_names_the_model),
        cmocka_unit_test(bedrock_headers_in_any_order),
        cmocka_unit_test(the_body_rules_over_headers),
        cmocka_unit_test(bad_headers),
        cmocka_unit_test(counts),
        cmocka_unit_test(azure_states_no_ticks),
        cmocka_unit_test(when_it_was_made),
        cmocka_unit_test(identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
