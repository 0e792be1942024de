/* llmlab-test: link=llmlab_server_core */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "services/time_range.h"
#include "services/timezone.h"

static void
test_fixed(void **state)
{
    llmlab__zone_t zone;

    (void)state;
    assert_int_equal(llmlab__zone_open(&zone, "UTC"), LLMLAB_OK);
    assert_int_equal(llmlab__zone_offset(&zone, 0), 0);
    assert_int_equal(llmlab__zone_open(&zone, "+05:45"), LLMLAB_OK);
    assert_int_equal(llmlab__zone_offset(&zone, 1700000000), 20700);
    assert_int_equal(llmlab__zone_day_start(&zone, 20000),
                     INT64_C(20000) * 86400 - 20700);
    assert_int_equal(llmlab__zone_open(&zone, "-0330"), LLMLAB_OK);
    assert_int_equal(llmlab__zone_offset(&zone, 0), -12600);
}

static void
test_bad_names(void **state)
{
    static const char *const bad[] = {"",
                                      "Mars/Olympus",
                                      "../../etc/passwd",
                                      "/etc/passwd",
                                      "+99:00",
                                      "+5",
                                      "+05:4",
                                      "+05:99",
                                      "a\nb",
                                      "Europe",
                                      "zone.tab",
                                      "tzdata.zi",
                                      "Europe/",
                                      ".",
                                      "posixrules/x"};
    llmlab__zone_t zone;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (llmlab__zone_open(&zone, bad[i]) == LLMLAB_OK) {
            fail_msg("%s is no zone", bad[i]);
        }
    }
}

/* The C library's own reading of the same files is the judge. */
static void
test_against_libc(void **state)
{
    static const char *const names[] = {
        "Europe/Berlin",       "America/New_York",  "Asia/Kathmandu",
        "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca",
        "Asia/Tehran",         "Pacific/Apia",      "America/Santiago",
        "Antarctica/Troll",    "Europe/Dublin",     "Asia/Gaza",
        "Pacific/Chatham",     "Asia/Kolkata",      "Africa/Cairo"};

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        (void)printf("SKIP test_against_libc: no tzdata is here\n");
        skip();
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        llmlab__zone_t zone;

        assert_int_equal(llmlab__zone_open(&zone, names[i]), LLMLAB_OK);
        (void)setenv("TZ", names[i], 1);
        tzset();
        /* 1971 to 2060 in steps that meet every hour of the day. */
        for (int64_t t = 31536000; t < INT64_C(2840140800); t += 25237) {
            time_t seconds = (time_t)t;
            struct tm local;

            (void)localtime_r(&seconds, &local);
            if (llmlab__zone_offset(&zone, t) != local.tm_gmtoff) {
                fail_msg("%s at %lld: %d, not %ld", names[i], (long long)t,
                         llmlab__zone_offset(&zone, t), local.tm_gmtoff);
            }
        }
        /* Each day begins where the one before ends, in its own date. */
        for (int64_t day = 18000; day < 23000; day++) {
            int64_t start = llmlab__zone_day_start(&zone, day);
            time_t seconds = (time_t)start;
            time_t before = (time_t)start - 1;
            struct tm local;
            struct tm last;

            (void)localtime_r(&seconds, &local);
            (void)localtime_r(&before, &last);
            assert_int_equal(llmlab__days_from_civil(local.tm_year + 1900,
                                                     (unsigned)local.tm_mon + 1,
                                                     (unsigned)local.tm_mday),
                             day);
            assert_true(llmlab__days_from_civil(last.tm_year + 1900,
                                                (unsigned)last.tm_mon + 1,
                                                (unsigned)last.tm_mday) < day);
        }
    }
    (void)unsetenv("TZ");
    tzset();
}

static void
test_ranges(void **state)
{
    llmlab__range_texts_t texts = {.start_date = "2026-03-29",
                                   .end_date = "2026-03-29",
                                   .tz = "Europe/Berlin"};
    llmlab__time_range_t range;
    llmlab__problem_t problem;

    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        skip();
    }
    assert_true(llmlab__time_range_read(&range, &texts, 0, &problem));
    assert_int_equal(range.end - range.start, 23 * 3600);
    texts.start_date = texts.end_date = "2026-10-25";
    assert_true(llmlab__time_range_read(&range, &texts, 0, &problem));
    assert_int_equal(range.end - range.start, 25 * 3600);
    texts.end_date = "2026-10-24";
    assert_false(llmlab__time_range_read(&range, &texts, 0, &problem));
    assert_int_equal(problem.status, 400);
    assert_string_equal(problem.field, "end_date");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
