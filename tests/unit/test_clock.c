#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/clock.h"

static int64_t
parsed(const char *text)
{
    int64_t ns = -1;

    assert_int_equal(llmlab__time_parse(text, strlen(text), &ns), 0);
    return ns;
}

static void
test_times_are_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("1970-01-01"), 0);
    assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parsed("1969-12-31T23:59:59.5Z"), -500000000);
    assert_int_equal(parsed("2026-08-21T07:09:40.123456789Z"),
                     INT64_C(1787296180123456789));
    assert_int_equal(parsed("2026-08-21T09:09:40.1234567891+02:00"),
                     INT64_C(1787296180123456789));
    assert_int_equal(parsed("2026-08-21 01:39:40-05:30"),
                     INT64_C(1787296180000000000));
    assert_int_equal(parsed("2000-02-29"), INT64_C(951782400000000000));
    assert_int_equal(parsed("2016-12-31T23:59:60Z"),
                     parsed("2017-01-01T00:00:00Z"));
}

static void
test_what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "1900-02-29",
        "2026-04-31",
        "2026-08-21T",
        "2026-08-21T07:09:40",
        "2026-08-21T07:09Z",
        "2026-08-21T24:00:00Z",
        "2026-08-21T07:60:00Z",
        "2026-08-21T07:09:61Z",
        "2026-08-21T07:09:40.Z",
        "2026-08-21T07:09:40Zx",
        "2026-08-21T07:09:40+24:00",
        "2026-08-21T07:09:40+0200",
        "2026-08-2107:09:40Z",
        " 2026-08-21",
        "9999-12-31T23:59:59Z", /* beyond int64 nanoseconds */
        "0001-01-01T00:00:00Z",
    };
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(llmlab__time_parse(bad[i], strlen(bad[i]), &ns), -1);
    }
}

static void
test_times_are_written(void **state)
{
    char text[LLMLAB__TIME_TEXT];

    (void)state;
    assert_int_equal(llmlab__time_format(INT64_C(1787296180123456789), text),
                     30);
    assert_string_equal(text, "2026-08-21T07:09:40.123456789Z");
    llmlab__time_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
    llmlab__time_format(INT64_MAX, text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775807Z");
    assert_int_equal(parsed(text), INT64_MAX);
    llmlab__time_format(INT64_MIN, text);
    assert_string_equal(text, "1677-09-21T00:12:43.145224192Z");
}

static void
test_days_and_dates_agree(void **state)
{
    int64_t expected = llmlab__days_from_civil(-401, 1, 1);

    (void)state;
    for (int64_t year = -401; year <= 2801; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            int64_t days = llmlab__days_from_civil(year, month, 1);
            int64_t y;
            unsigned m;
            unsigned d;

            assert_int_equal(days, expected);
            for (;;) {
                llmlab__civil_from_days(expected, &y, &m, &d);
                if (y != year || m != month) {
                    break;
                }
                assert_int_equal(d, expected - days + 1);
                expected++;
            }
            assert_in_range(expected - days, 28, 31);
        }
    }
}

static void
test_offset_carries_monotonic_to_unix(void **state)
{
    int64_t offset = llmlab__clock_offset_ns();
    int64_t difference =
        llmlab__clock_mono_ns() + offset - llmlab__clock_real_ns();

    (void)state;
    assert_true(llabs(difference) < INT64_C(1000000000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_read),
        cmocka_unit_test(test_what_is_no_time_is_refused),
        cmocka_unit_test(test_times_are_written),
        cmocka_unit_test(test_days_and_dates_agree),
        cmocka_unit_test(test_offset_carries_monotonic_to_unix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
