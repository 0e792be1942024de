#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/pricing.h>

static llmlab_money_t
parse(const char *text, int *inexact)
{
    llmlab_money_t money = {0, 0};

    assert_int_equal(llmlab_money_parse(&money, text, strlen(text), inexact),
                     LLMLAB_OK);
    return money;
}

/* The amount of text, written again. */
static void
assert_reads_as(const char *text, const char *expected, int expected_inexact)
{
    char buf[LLMLAB_MONEY_TEXT];
    int inexact = -1;
    size_t size = llmlab_money_format(parse(text, &inexact), buf);

    assert_string_equal(buf, expected);
    assert_int_equal(size, strlen(expected));
    assert_int_equal(inexact, expected_inexact);
}

static void
test_reads_and_writes_exact_decimals(void **state)
{
    (void)state;
    assert_reads_as("0", "0", 0);
    assert_reads_as("0.0", "0", 0);
    assert_reads_as("0e99999999999999999999", "0", 0);
    assert_reads_as("54.40", "54.4", 0);
    assert_reads_as("0.0001182", "0.0001182", 0);
    assert_reads_as("1.5e-05", "0.000015", 0);
    assert_reads_as("1.5E+3", "1500", 0);
    assert_reads_as("0012.5", "12.5", 0);
    assert_reads_as("100000000", "100000000", 0);
    assert_reads_as("1e-15", "0.000000000000001", 0);
    assert_reads_as("0.00000000000000000001e20", "1", 0);
    assert_reads_as("123456789012345678901234e-15", "123456789.012345678901234",
                    0);
}

static void
test_rounds_finer_digits_half_even(void **state)
{
    (void)state;
    assert_reads_as("0.5e-15", "0", 1);
    assert_reads_as("1.5e-15", "0.000000000000002", 1);
    assert_reads_as("2.5e-15", "0.000000000000002", 1);
    assert_reads_as("2.50000000000000000001e-15", "0.000000000000003", 1);
    assert_reads_as("2.4999999999999999999e-15", "0.000000000000002", 1);
    assert_reads_as("2.6e-15", "0.000000000000003", 1);
    assert_reads_as("2.0000000000000000001e-15", "0.000000000000002", 1);
    assert_reads_as("0.05e-15", "0", 1);
    assert_reads_as("9e-17", "0", 1);
    assert_reads_as("1e-99999999999999999999", "0", 1);
    assert_reads_as("3.0001999999999996E-7", "0.00000030002", 1);
}

static void
test_holds_the_largest_amount(void **state)
{
    const char *largest = "340282366920938463463374.607431768211455";
    llmlab_money_t money;

    (void)state;
    assert_reads_as(largest, largest, 0);
    assert_int_equal(
        llmlab_money_parse(&money, "340282366920938463463374.607431768211456",
                           40, NULL),
        LLMLAB_EOVERFLOW);
    assert_int_equal(
        llmlab_money_parse(&money, "340282366920938463463374.6074317682114555",
                           41, NULL),
        LLMLAB_EOVERFLOW);
    assert_int_equal(llmlab_money_parse(&money, "1e24", 4, NULL),
                     LLMLAB_EOVERFLOW);
    assert_int_equal(
        llmlab_money_parse(&money, "1e99999999999999999999", 22, NULL),
        LLMLAB_EOVERFLOW);
}

static void
test_refuses_what_is_no_amount(void **state)
{
    static const char *const texts[] = {
        "",    "-1",   "-0",    "+1",   ".5",    "5.",    "1e", "1e+",
        "1.e", "NaN",  "inf",   "0x10", "1,5",   " 1",    "1 ", "1.2.3",
        "e5",  "1e5x", "1e1.5", "--1",  "1e--5", "1_000", ".",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        llmlab_money_t money = {7, 7};

        assert_int_equal(
            llmlab_money_parse(&money, texts[i], strlen(texts[i]), NULL),
            LLMLAB_EPARSE);
        assert_int_equal(money.low, 7);
    }
    assert_int_equal(llmlab_money_parse(NULL, "1", 1, NULL), LLMLAB_EINVAL);
}

static void
test_adds_until_it_overflows(void **state)
{
    llmlab_money_t sum = parse("0.1", NULL);
    llmlab_money_t most = {UINT64_MAX, UINT64_MAX};
    char buf[LLMLAB_MONEY_TEXT];

    (void)state;
    assert_int_equal(llmlab_money_add(&sum, parse("0.2", NULL)), LLMLAB_OK);
    llmlab_money_format(sum, buf);
    assert_string_equal(buf, "0.3");
    assert_int_equal(llmlab_money_add(&sum, most), LLMLAB_EOVERFLOW);
    llmlab_money_format(sum, buf);
    assert_string_equal(buf, "0.3");
    assert_int_equal(llmlab_money_add(NULL, most), LLMLAB_EINVAL);
}

static void
test_nano_rounds_half_even_once(void **state)
{
    llmlab_money_t most = {UINT64_MAX, UINT64_MAX};
    int64_t nano;

    (void)state;
    assert_int_equal(llmlab_money_nano(parse("1.0000000005", NULL), &nano),
                     LLMLAB_OK);
    assert_int_equal(nano, 1000000000);
    assert_int_equal(llmlab_money_nano(parse("1.0000000015", NULL), &nano),
                     LLMLAB_OK);
    assert_int_equal(nano, 1000000002);
    assert_int_equal(
        llmlab_money_nano(parse("9223372036.854775807", NULL), &nano),
        LLMLAB_OK);
    assert_true(nano == INT64_MAX);
    assert_int_equal(
        llmlab_money_nano(parse("9223372036.854775808", NULL), &nano),
        LLMLAB_EOVERFLOW);
    assert_int_equal(llmlab_money_nano(most, &nano), LLMLAB_EOVERFLOW);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_writes_exact_decimals),
        cmocka_unit_test(test_rounds_finer_digits_half_even),
        cmocka_unit_test(test_holds_the_largest_amount),
        cmocka_unit_test(test_refuses_what_is_no_amount),
        cmocka_unit_test(test_adds_until_it_overflows),
        cmocka_unit_test(test_nano_rounds_half_even_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
