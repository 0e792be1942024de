/* What a cost tells beside its amount; the amounts of all rules are tested by
 * vectors (tests/e2e/test_pricing_*.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/pricing.h>

typedef struct call_s {
    llmlab_call_facts_t facts;
    llmlab_usage_t usage;
    llmlab_cost_t cost;
} call_t;

static void
begin(call_t *call, const char *provider, const char *model)
{
    llmlab_usage_init(&call->usage);
    llmlab_call_facts_init(&call->facts);
    call->facts.provider = provider;
    call->facts.model = model;
    call->facts.usage = &call->usage;
}

static llmlab_status_t
compute(call_t *call, const llmlab_price_book_t *book)
{
    memset(&call->cost, 0xa5, sizeof(call->cost));
    return llmlab_cost_compute(&call->cost, book, &call->facts);
}

static void
assert_amount(const call_t *call, const char *expected)
{
    char text[LLMLAB_MONEY_TEXT];

    llmlab_money_format(call->cost.amount, text);
    assert_string_equal(text, expected);
}

static llmlab_price_book_t *
book_of(const char *models)
{
    llmlab_price_book_t *book = NULL;
    char json[1024];

    assert_true(strlen(models) < 900);
    strcpy(json, "{\"llmlab_prices\":1,\"models\":{");
    strcat(json, models);
    strcat(json, "}}");
    assert_int_equal(llmlab_price_book_parse(&book, json, strlen(json)),
                     LLMLAB_OK);
    return book;
}

static void
test_tells_where_the_amount_comes_from(void **state)
{
    call_t call;

    (void)state;
    begin(&call, "openai", "gpt-4o-mini-2024-07-18");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 1200);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_CACHE_READ_TOKENS, 1024);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_OUTPUT_TOKENS, 80);
    assert_int_equal(compute(&call, NULL), LLMLAB_OK);
    assert_amount(&call, "0.0001512");
    assert_int_equal(call.cost.match, LLMLAB_MATCH_EXACT);
    assert_int_equal(call.cost.priced, LLMLAB_PRICED);
    assert_string_equal(call.cost.key, "gpt-4o-mini-2024-07-18");
    assert_string_equal(call.cost.table, llmlab_pricing_version());
    assert_string_equal(call.cost.tier, "");
    assert_int_equal(call.cost.flags, 0);
    assert_int_equal(call.cost.parts_present,
                     1u << LLMLAB_COST_INPUT | 1u << LLMLAB_COST_OUTPUT);
}

static void
test_absent_is_not_zero(void **state)
{
    call_t call;

    (void)state;
    begin(&call, "openai", "gpt-4o");
    assert_int_equal(compute(&call, NULL), LLMLAB_ENOUSAGE);
    assert_int_equal(call.cost.priced, LLMLAB_UNPRICED);
    assert_int_equal(call.cost.flags, LLMLAB_COST_FLAG_NO_USAGE);
    assert_string_equal(call.cost.key, "gpt-4o");
    call.facts.usage = NULL;
    assert_int_equal(compute(&call, NULL), LLMLAB_ENOUSAGE);

    begin(&call, "openai", "gpt-4o");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 1000);
    assert_int_equal(compute(&call, NULL), LLMLAB_OK);
    assert_int_equal(call.cost.parts_present, 1u << LLMLAB_COST_INPUT);

    begin(&call, "openai", "gpt-nine");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 1000);
    assert_int_equal(compute(&call, NULL), LLMLAB_EUNPRICED);
    assert_null(call.cost.key);
    assert_int_equal(call.cost.match, LLMLAB_MATCH_UNKNOWN);
}

static void
test_tells_tiers_contexts_and_flags(void **state)
{
    llmlab_price_book_t *book = book_of(
        "\"m\":{\"provider\":\"a\",\"retires\":\"2026-01-01\","
        "\"rates\":{\"input\":\"2\",\"output\":\"8\"},"
        "\"tiers\":{\"priority\":{\"input\":\"4\"}},"
        "\"contexts\":[{\"input_above\":1000,\"rates\":{\"input\":\"3\","
        "\"output\":\"9\"}}],"
        "\"off_peak\":{\"windows\":[{\"hours\":[\"00:00-12:00\"]}],"
        "\"rates\":{\"input\":\"1\"}},"
        "\"multiply\":[{\"speed\":\"fast\",\"by\":\"6\"}]}");
    call_t call;

    (void)state;
    begin(&call, "a", "m");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 1001);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_OUTPUT_TOKENS, 10);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_REASONING_TOKENS, 11);
    call.facts.speed = "Fast";
    call.facts.time_ns = INT64_C(1767225600) * 1000000000; /* 2026-01-01 */
    assert_int_equal(compute(&call, book), LLMLAB_OK);
    assert_int_equal(call.cost.context_threshold, 1000);
    assert_int_equal(call.cost.flags, LLMLAB_COST_FLAG_CUSTOM |
                                          LLMLAB_COST_FLAG_RETIRED |
                                          LLMLAB_COST_FLAG_OFF_PEAK |
                                          LLMLAB_COST_FLAG_MULTIPLIED |
                                          LLMLAB_COST_FLAG_CLAMPED);
    assert_amount(&call, "0.0066"); /* 6 x (1001 x 1 + 11 x 9) */

    begin(&call, "a", "m");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 10);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_CACHE_READ_TOKENS, 1);
    call.facts.service_tier = "PRIORITY";
    call.facts.time_ns = INT64_C(1767225599) * 1000000000;
    assert_int_equal(compute(&call, book), LLMLAB_OK);
    assert_string_equal(call.cost.tier, "priority");
    assert_int_equal(call.cost.priced, LLMLAB_ESTIMATED_RATE);
    assert_int_equal(call.cost.context_threshold, 0);
    assert_int_equal(call.cost.flags,
                     LLMLAB_COST_FLAG_CUSTOM | LLMLAB_COST_FLAG_ESTIMATED);

    call.facts.batch = 1;
    assert_int_equal(compute(&call, book), LLMLAB_OK);
    assert_int_equal(call.cost.flags, LLMLAB_COST_FLAG_CUSTOM |
                                          LLMLAB_COST_FLAG_ESTIMATED |
                                          LLMLAB_COST_FLAG_BATCH);
    assert_amount(&call, "0.00001");
    llmlab_price_book_destroy(book);
}

static void
test_too_much_is_an_error_not_a_wrong_number(void **state)
{
    llmlab_price_book_t *book =
        book_of("\"m\":{\"provider\":\"a\",\"rates\":{"
                "\"input\":\"18446000000\",\"output\":\"18446000000\"},"
                "\"multiply\":[{\"speed\":\"fast\",\"by\":\"18000\"}]}");
    call_t call;

    (void)state;
    begin(&call, "a", "m");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, INT64_MAX);
    assert_int_equal(compute(&call, book), LLMLAB_OK);
    call.facts.speed = "fast";
    assert_int_equal(compute(&call, book), LLMLAB_EOVERFLOW);
    assert_amount(&call, "0");
    assert_int_equal(call.cost.parts_present, 0);
    assert_int_equal(call.cost.priced, LLMLAB_UNPRICED);
    call.facts.speed = NULL;
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, UINT64_MAX);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_OUTPUT_TOKENS, UINT64_MAX);
    assert_int_equal(compute(&call, book), LLMLAB_EOVERFLOW);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_OUTPUT_TOKENS, 0);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_CACHE_READ_TOKENS, UINT64_MAX);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_CACHE_WRITE_TOKENS, UINT64_MAX);
    assert_int_equal(compute(&call, book), LLMLAB_EOVERFLOW);
    llmlab_price_book_destroy(book);
}

static void
test_a_twenty_thousand_dollar_call(void **state)
{
    call_t call;

    (void)state;
    begin(&call, "openai", "o1-pro");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 100000000);
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_OUTPUT_TOKENS, 8333333);
    assert_int_equal(compute(&call, NULL), LLMLAB_OK);
    assert_amount(&call, "19999.9998");
}

/* Readers state audio without what came from the cache; the price must not take
 * that out again. */
static void
test_cached_audio_of_a_reply_is_billed_once(void **state)
{
    static const struct {
        const char *provider;
        const char *model;
        const char *body;
        const char *usd;
    } replies[] = {
        /* 60 text at 0.3, 140 audio at 1, 100 cached at 0.03, 5 out at 2.5 */
        {"gemini", "gemini-2.5-flash",
         "{\"modelVersion\":\"gemini-2.5-flash\",\"candidates\":[],"
         "\"usageMetadata\":{\"promptTokenCount\":300,"
         "\"candidatesTokenCount\":5,\"totalTokenCount\":305,"
         "\"cachedContentTokenCount\":100,\"promptTokensDetails\":["
         "{\"modality\":\"TEXT\",\"tokenCount\":100},"
         "{\"modality\":\"AUDIO\",\"tokenCount\":200}],"
         "\"cacheTokensDetails\":["
         "{\"modality\":\"AUDIO\",\"tokenCount\":60},"
         "{\"modality\":\"TEXT\",\"tokenCount\":40}]}}",
         "0.0001735"},
        /* 59 text at 4, 9 audio at 32, 64 cached at 0.4; out 30 text at 16,
         * 91 audio at 64 */
        {"openai", "gpt-realtime",
         "{\"type\":\"response.done\",\"response\":{\"object\":"
         "\"realtime.response\",\"status\":\"completed\",\"usage\":{"
         "\"total_tokens\":253,\"input_tokens\":132,\"output_tokens\":121,"
         "\"input_token_details\":{\"text_tokens\":119,"
         "\"audio_tokens\":13,\"cached_tokens\":64,"
         "\"cached_tokens_details\":{\"text_tokens\":60,"
         "\"audio_tokens\":4}},\"output_token_details\":{"
         "\"text_tokens\":30,\"audio_tokens\":91}}}}",
         "0.0068536"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        char text[LLMLAB_MONEY_TEXT];
        llmlab_call_facts_t facts;
        llmlab_reply_t reply;
        llmlab_cost_t cost;

        assert_int_equal(llmlab_usage_read(&reply, replies[i].provider, NULL,
                                           replies[i].body,
                                           strlen(replies[i].body)),
                         LLMLAB_OK);
        llmlab_call_facts_init(&facts);
        facts.provider = replies[i].provider;
        facts.model = replies[i].model;
        facts.usage = &reply.usage;
        assert_int_equal(llmlab_cost_compute(&cost, NULL, &facts), LLMLAB_OK);
        llmlab_money_format(cost.amount, text);
        assert_string_equal(text, replies[i].usd);
    }
}

static void
test_a_key_needs_no_name(void **state)
{
    call_t call;

    (void)state;
    begin(&call, "whoever", "whatever");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 1000000);
    call.facts.key = "gemini-flash-latest";
    assert_int_equal(compute(&call, NULL), LLMLAB_OK);
    assert_string_equal(call.cost.key, "gemini-flash-latest");
    call.facts.key = "GPT-4O";
    assert_int_equal(compute(&call, NULL), LLMLAB_EUNPRICED);
}

static void
test_refuses_bad_arguments(void **state)
{
    call_t call;

    (void)state;
    begin(&call, NULL, NULL);
    assert_int_equal(llmlab_cost_compute(NULL, NULL, &call.facts),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_cost_compute(&call.cost, NULL, NULL),
                     LLMLAB_EINVAL);
    assert_string_equal(call.cost.tier, "");
    llmlab_usage_set(&call.usage, LLMLAB_USAGE_INPUT_TOKENS, 1);
    assert_int_equal(compute(&call, NULL), LLMLAB_EUNPRICED);
    call.facts.struct_size = 3;
    assert_int_equal(compute(&call, NULL), LLMLAB_EINVAL);
    llmlab_call_facts_init(NULL);
    assert_int_equal(llmlab_pricing_resolve(NULL, NULL, NULL, NULL),
                     LLMLAB_MATCH_UNKNOWN);
    assert_null(llmlab_cost_part_name(LLMLAB_COST_PARTS));
    assert_string_equal(llmlab_match_name((llmlab_match_t)77), "unknown");
    assert_string_equal(llmlab_priced_name((llmlab_priced_t)77), "unpriced");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_where_the_amount_comes_from),
        cmocka_unit_test(test_absent_is_not_zero),
        cmocka_unit_test(test_tells_tiers_contexts_and_flags),
        cmocka_unit_test(test_too_much_is_an_error_not_a_wrong_number),
        cmocka_unit_test(test_a_twenty_thousand_dollar_call),
        cmocka_unit_test(test_cached_audio_of_a_reply_is_billed_once),
        cmocka_unit_test(test_a_key_needs_no_name),
        cmocka_unit_test(test_refuses_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
