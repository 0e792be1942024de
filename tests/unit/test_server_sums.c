/* llmlab-test: link=llmlab_server_core */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/ingest_fields.h"
#include "store/usage_sums.h"

static void
test_carries_exactly(void **state)
{
    llmlab__sums_t sums = {{0}};
    llmlab__sums_t call = {{0}};

    (void)state;
    call.of[LLMLAB__SUM_COST_NANO] = INT64_C(20000) * 1000000000;
    call.of[LLMLAB__SUM_COST_REST] = 999999;
    for (int i = 0; i < 501; i++) {
        assert_true(llmlab__sums_add(&sums, &call));
    }
    /* 501 x 20,000.000000000999999 = 10,020,000.000000500999499 */
    assert_int_equal(sums.of[LLMLAB__SUM_COST_NANO],
                     INT64_C(10020000000000500));
    assert_int_equal(sums.of[LLMLAB__SUM_COST_REST], 999499);
    for (int i = 0; i < 501; i++) {
        llmlab__sums_subtract(&sums, &call);
    }
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        assert_int_equal(sums.of[i], 0);
    }
}

static void
test_overflow_changes_nothing(void **state)
{
    llmlab__sums_t sums = {{0}};
    llmlab__sums_t more = {{0}};
    llmlab__sums_t before;

    (void)state;
    sums.of[LLMLAB__SUM_COST_NANO] = INT64_MAX;
    sums.of[LLMLAB__SUM_COST_REST] = 999999;
    sums.of[LLMLAB__SUM_CALLS] = 5;
    more.of[LLMLAB__SUM_COST_REST] = 1;
    more.of[LLMLAB__SUM_CALLS] = 1;
    before = sums;
    assert_false(llmlab__sums_add(&sums, &more));
    assert_memory_equal(&sums, &before, sizeof(sums));
}

static void
test_money(void **state)
{
    static const char *const texts[] = {
        "0",        "0.000000000000001",
        "20000",    "9223.372036854775808",
        "10000000", "9223372036.854775807999999"};
    int64_t nano;
    int64_t rest;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        llmlab_money_t money;
        char text[LLMLAB_MONEY_TEXT];

        assert_int_equal(
            llmlab_money_parse(&money, texts[i], strlen(texts[i]), NULL),
            LLMLAB_OK);
        assert_true(llmlab__money_split(money, &nano, &rest));
        assert_in_range(rest, 0, 999999);
        (void)llmlab_money_format(llmlab__money_join(nano, rest), text);
        assert_string_equal(text, texts[i]);
    }
    {
        llmlab_money_t money;

        assert_int_equal(
            llmlab_money_parse(&money, "9223372036.854775808", 20, NULL),
            LLMLAB_OK);
        assert_false(llmlab__money_split(money, &nano, &rest));
    }
}

static void
sums_of(const char *usage, llmlab__sums_t *sums)
{
    llmlab__text_t text = {usage, strlen(usage)};

    memset(sums, 0, sizeof(*sums));
    llmlab__usage_text_sums(text, sums);
}

static void
test_classes_are_disjoint(void **state)
{
    llmlab__sums_t sums;

    (void)state;
    sums_of("{\"input_tokens\":100,\"cache_read_tokens\":60,"
            "\"cache_write_5m_tokens\":10,\"cache_write_1h_tokens\":5,"
            "\"cache_write_tokens\":15,\"input_audio_tokens\":7,"
            "\"output_tokens\":50,\"reasoning_tokens\":20,"
            "\"web_search_requests\":3,\"unknown\":[1]}",
            &sums);
    assert_int_equal(sums.of[LLMLAB__SUM_INPUT_TEXT], 18);
    assert_int_equal(sums.of[LLMLAB__SUM_INPUT_CACHE_READ], 60);
    assert_int_equal(sums.of[LLMLAB__SUM_INPUT_CACHE_WRITE], 10);
    assert_int_equal(sums.of[LLMLAB__SUM_INPUT_CACHE_WRITE_1H], 5);
    assert_int_equal(sums.of[LLMLAB__SUM_INPUT_AUDIO], 7);
    assert_int_equal(sums.of[LLMLAB__SUM_OUTPUT_TEXT], 30);
    assert_int_equal(sums.of[LLMLAB__SUM_OUTPUT_REASONING], 20);
    assert_int_equal(sums.of[LLMLAB__SUM_WEB_SEARCHES], 3);
    assert_int_equal(llmlab__sums_input(&sums), 100);
    assert_int_equal(llmlab__sums_output(&sums), 50);
    /* Parts that exceed their total do not make more of it. */
    sums_of("{\"input_tokens\":10,\"cache_read_tokens\":30,"
            "\"input_audio_tokens\":5}",
            &sums);
    assert_int_equal(llmlab__sums_input(&sums), 10);
    assert_int_equal(sums.of[LLMLAB__SUM_INPUT_CACHE_READ], 10);
    sums_of("{\"cache_write_tokens\":3,\"input_tokens\":9}", &sums);
    assert_int_equal(sums.of[LLMLAB__SUM_INPUT_CACHE_WRITE], 3);
}

static void
test_milliseconds(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *why;
    } cases[] = {{"0", 0, NULL},
                 {"812.4", 812400000, NULL},
                 {"0.000001", 1, NULL},
                 {"1.5e3", 1500000000, NULL},
                 {"12.3456789", 12345678, NULL},
                 {"-1", 0, "range"},
                 {"1e300", 0, "range"},
                 {"99999999999999999999", 0, "range"},
                 {"\"1\"", 0, "type"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab__json_t json;
        int64_t ns = 0;
        const char *why;

        llmlab__json_init(&json, cases[i].text, strlen(cases[i].text));
        why = llmlab__field_ms(&json, &ns);
        if (cases[i].why == NULL) {
            assert_null(why);
            assert_int_equal(ns, cases[i].ns);
        } else {
            assert_non_null(why);
            assert_string_equal(why, cases[i].why);
        }
        assert_true(llmlab__json_at_end(&json));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carries_exactly),
        cmocka_unit_test(test_overflow_changes_nothing),
        cmocka_unit_test(test_money),
        cmocka_unit_test(test_classes_are_disjoint),
        cmocka_unit_test(test_milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
