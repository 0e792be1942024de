#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pricing/windows.h"

#define MONDAY INT64_C(1786924800) /* 2026-08-17T00:00:00Z */

static llmlab__window_t
window(const char *hours, unsigned days, const char *zone)
{
    llmlab__window_t window = {.days = (uint16_t)days};

    assert_true(llmlab__window_hours(hours, &window));
    assert_true(llmlab__window_zone(zone, &window.zone));
    return window;
}

static bool
holds(const llmlab__window_t *w, int day, int hour, int minute, int second)
{
    return llmlab__window_holds(w, MONDAY + day * INT64_C(86400) + hour * 3600 +
                                       minute * 60 + second);
}

static void
test_start_is_inside_end_is_outside(void **state)
{
    llmlab__window_t w = window("04:00-06:00", LLMLAB__EVERY_DAY, "UTC");

    (void)state;
    assert_false(holds(&w, 0, 3, 59, 59));
    assert_true(holds(&w, 0, 4, 0, 0));
    assert_true(holds(&w, 0, 5, 59, 59));
    assert_false(holds(&w, 0, 6, 0, 0));
}

static void
test_a_window_may_pass_midnight(void **state)
{
    llmlab__window_t w = window("16:30-00:30", LLMLAB__EVERY_DAY, "UTC");

    (void)state;
    assert_true(holds(&w, 0, 16, 30, 0));
    assert_true(holds(&w, 0, 23, 59, 59));
    assert_true(holds(&w, 1, 0, 29, 59));
    assert_false(holds(&w, 1, 0, 30, 0));
    assert_false(holds(&w, 1, 16, 29, 59));
}

static void
test_equal_times_are_the_whole_day(void **state)
{
    llmlab__window_t w = window("00:00-24:00", 1u << 2, "UTC");

    (void)state;
    assert_true(holds(&w, 2, 0, 0, 0));
    assert_true(holds(&w, 2, 23, 59, 59));
    assert_false(holds(&w, 3, 0, 0, 0));
    assert_false(holds(&w, 1, 23, 59, 59));
}

static void
test_the_weekday_is_that_of_the_zone(void **state)
{
    llmlab__window_t ahead = window("00:00-00:00", 1u << 5, "Asia/Shanghai");
    llmlab__window_t behind = window("00:00-00:00", 1u << 5, "-05:00");

    (void)state;
    assert_false(holds(&ahead, 4, 15, 59, 59));
    assert_true(holds(&ahead, 4, 16, 0, 0));
    assert_true(holds(&ahead, 5, 15, 59, 59));
    assert_false(holds(&ahead, 5, 16, 0, 0));
    assert_false(holds(&behind, 5, 4, 59, 59));
    assert_true(holds(&behind, 5, 5, 0, 0));
}

static void
test_instants_before_1970_have_weekdays(void **state)
{
    llmlab__window_t wednesday = window("00:00-00:00", 1u << 2, "UTC");

    (void)state;
    assert_true(llmlab__window_holds(&wednesday, -1)); /* 1969-12-31 */
    assert_true(llmlab__window_holds(&wednesday, -86400));
    assert_false(llmlab__window_holds(&wednesday, -86401));
    assert_false(llmlab__window_holds(&wednesday, 0));
}

static void
test_refuses_what_is_no_time(void **state)
{
    static const char *const hours[] = {"",
                                        "04:00",
                                        "4:00-6:00",
                                        "04:00-06:0",
                                        "04:00-06:000",
                                        "25:00-01:00",
                                        "04:60-05:00",
                                        "04.00-05.00",
                                        "24:01-01:00",
                                        "04:00_06:00"};
    static const char *const zones[] = {"",       "Europe/Berlin", "+5:30",
                                        "+15:00", "+05:300",       "asia"};
    llmlab__window_t w;
    int16_t minutes;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
        assert_false(llmlab__window_hours(hours[i], &w));
    }
    for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        assert_false(llmlab__window_zone(zones[i], &minutes));
    }
    assert_true(llmlab__window_zone("+05:30", &minutes));
    assert_int_equal(minutes, 330);
    assert_int_equal(llmlab__window_day("Mon"), 0);
    assert_int_equal(llmlab__window_day("sun"), 1u << 6);
}

static void
test_reads_and_writes_dates(void **state)
{
    char text[16];
    uint16_t day;
    int64_t time_s;

    (void)state;
    assert_true(llmlab__date_parse("2026-08-17", &day));
    assert_int_equal(day, MONDAY / 86400);
    llmlab__date_format(day, text);
    assert_string_equal(text, "2026-08-17");
    assert_true(llmlab__instant_parse("2026-08-17T16:00:00Z", &time_s));
    assert_int_equal(time_s, MONDAY + 16 * 3600);
    assert_true(llmlab__instant_parse("2026-08-17", &time_s));
    assert_int_equal(time_s, MONDAY);
    assert_false(llmlab__date_parse("2026-02-30", &day));
    assert_false(llmlab__date_parse("2026-08-17T00:00:00Z", &day));
    assert_false(llmlab__date_parse("1969-12-31", &day));
    assert_false(llmlab__instant_parse("yesterday", &time_s));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_is_inside_end_is_outside),
        cmocka_unit_test(test_a_window_may_pass_midnight),
        cmocka_unit_test(test_equal_times_are_the_whole_day),
        cmocka_unit_test(test_the_weekday_is_that_of_the_zone),
        cmocka_unit_test(test_instants_before_1970_have_weekdays),
        cmocka_unit_test(test_refuses_what_is_no_time),
        cmocka_unit_test(test_reads_and_writes_dates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
