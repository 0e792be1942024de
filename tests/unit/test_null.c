/* NULL where a handle, a result or a text is needed: told or passed over, as
 * llmlab.h says; never a crash. test_misuse has the spans' setters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>
#include <llmlab/sys/mock.h>
#include <llmlab/sys/spool.h>
#include <llmlab/sys/transport.h>

static void
test_usage(void **state)
{
    llmlab_usage_stream_t *stream = llmlab_usage_stream_new(NULL, NULL);
    llmlab_reply_t reply;
    uint64_t count;

    (void)state;
    llmlab_usage_init(NULL);
    llmlab_usage_set(NULL, LLMLAB_USAGE_INPUT_TOKENS, 1);
    assert_int_equal(llmlab_usage_get(NULL, LLMLAB_USAGE_INPUT_TOKENS, &count),
                     0);
    assert_int_equal(llmlab_usage_field_find(NULL, 5), LLMLAB_USAGE_FIELDS);
    assert_int_equal(llmlab_usage_read(NULL, NULL, NULL, "{}", 2),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_read(&reply, NULL, NULL, NULL, 2),
                     LLMLAB_EINVAL);
    llmlab_reply_set_url(NULL, "http://x/", 9);
    llmlab_reply_set_url(&reply, NULL, 9);
    llmlab_reply_set_header(NULL, "a", "b");
    llmlab_reply_set_header(&reply, NULL, "b");
    llmlab_reply_set_header(&reply, "a", NULL);
    llmlab_usage_stream_reset(NULL, NULL, NULL);
    assert_int_equal(llmlab_usage_stream_feed(NULL, "x", 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_stream_feed(stream, NULL, 1), LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_stream_feed(stream, NULL, 0), LLMLAB_OK);
    assert_int_equal(llmlab_usage_stream_started(NULL), 0);
    assert_int_equal(llmlab_usage_stream_reply(NULL, &reply), LLMLAB_EINVAL);
    assert_int_equal(llmlab_usage_stream_reply(stream, NULL), LLMLAB_EINVAL);
    llmlab_usage_stream_destroy(NULL);
    llmlab_usage_stream_destroy(stream);
}

static void
test_tokens(void **state)
{
    llmlab_tokens_t tokens = {0};

    (void)state;
    llmlab_tokens_add(NULL, "x", 1);
    llmlab_tokens_add(&tokens, NULL, 1);
    assert_int_equal(llmlab_tokens_count(&tokens, NULL), 0);
    assert_int_equal(llmlab_tokens_count(NULL, "openai"), 0);
    assert_int_equal(llmlab_tokens_estimate(NULL, NULL, 9), 0);
}

static void
test_pricing(void **state)
{
    llmlab_price_book_t *book = NULL;
    llmlab_call_facts_t facts;
    llmlab_money_t money = {0, 0};
    llmlab_cost_t cost;
    const char *key = "x";

    (void)state;
    assert_int_equal(llmlab_money_add(NULL, money), LLMLAB_EINVAL);
    assert_int_equal(llmlab_money_nano(money, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_money_parse(NULL, "1", 1, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_money_parse(&money, NULL, 1, NULL), LLMLAB_EINVAL);
    llmlab_call_facts_init(NULL);
    llmlab_call_facts_init(&facts);
    assert_int_equal(llmlab_pricing_resolve(NULL, NULL, NULL, &key),
                     LLMLAB_MATCH_UNKNOWN);
    assert_null(key);
    assert_int_equal(llmlab_pricing_resolve(NULL, NULL, "gpt-4o", NULL),
                     LLMLAB_MATCH_EXACT);
    assert_int_equal(llmlab_cost_compute(NULL, NULL, &facts), LLMLAB_EINVAL);
    assert_int_equal(llmlab_cost_compute(&cost, NULL, NULL), LLMLAB_EINVAL);
    assert_int_not_equal(llmlab_cost_compute(&cost, NULL, &facts), LLMLAB_OK);
    assert_int_equal(llmlab_price_book_parse(NULL, "{}", 2), LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_parse(&book, NULL, 2), LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_load(NULL, "x"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_load(&book, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_load_signed(NULL, "x", "y", NULL),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_load_signed(&book, NULL, "y", NULL),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_load_signed(&book, "x", NULL, NULL),
                     LLMLAB_EINVAL);
    assert_null(book);
    assert_string_equal(llmlab_price_book_version(NULL),
                        llmlab_pricing_version());
    llmlab_price_book_destroy(NULL);
}

static void
test_config(void **state)
{
    llmlab_config_t *config = llmlab_config_new();

    (void)state;
    assert_int_equal(llmlab_config_set(NULL, "project", "x"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_config_set(config, NULL, "x"), LLMLAB_EINVAL);
    assert_int_equal(llmlab_config_set(config, "project", NULL), LLMLAB_OK);
    assert_int_equal(llmlab_config_set_n(NULL, "project", 7, "x", 1),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_config_set_n(config, NULL, 7, "x", 1),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_config_set_n(config, "project", 7, NULL, 1),
                     LLMLAB_OK);
    assert_null(llmlab_config_get(NULL, "project"));
    assert_null(llmlab_config_get(config, NULL));
    assert_int_equal(llmlab_status_list(0, NULL), 0);
    llmlab_config_set_transport(NULL, NULL);
    llmlab_config_set_transport(config, NULL);
    assert_int_equal(llmlab_response_append(NULL, "x", 1), -1);
    llmlab_config_destroy(NULL);
    llmlab_config_destroy(config);
}

static void
test_clients(void **state)
{
    llmlab_flush_result_t result;
    llmlab_stats_t stats;
    llmlab_score_t score;
    llmlab_call_t call;
    size_t size;
    char *text;

    (void)state;
    assert_int_equal(llmlab_client_open(NULL, NULL), LLMLAB_EINVAL);
    assert_int_equal(llmlab_client_enabled(NULL), 0);
    assert_int_equal(llmlab_client_flush(NULL, 0, &result), LLMLAB_EINVAL);
    assert_int_equal(llmlab_client_stats(NULL, &stats), LLMLAB_EINVAL);
    assert_int_equal(llmlab_client_stats_json(NULL, &text, &size),
                     LLMLAB_EINVAL);
    llmlab_stats_init(NULL);
    assert_int_equal(llmlab_client_close(NULL, 0), LLMLAB_OK);
    assert_int_equal(llmlab_mock_take_batch(NULL, &text, &size), LLMLAB_EINVAL);
    assert_int_equal(llmlab_mock_push_status(NULL, 500, 0), LLMLAB_EINVAL);
    assert_int_equal(llmlab_spool_report(NULL, NULL, &size), LLMLAB_EINVAL);
    llmlab_score_init(NULL);
    llmlab_score_init(&score);
    assert_int_equal(llmlab_record_score(NULL, &score), LLMLAB_EINVAL);
    llmlab_call_init(NULL);
    llmlab_call_init(&call);
    assert_int_equal(llmlab_record_call(NULL, &call), LLMLAB_EINVAL);
    assert_int_equal(llmlab_span_set_search_context(NULL, "low"),
                     LLMLAB_EINVAL);
    assert_int_equal(llmlab_version_number(), LLMLAB_VERSION_NUMBER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),   cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_pricing), cmocka_unit_test(test_config),
        cmocka_unit_test(test_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
