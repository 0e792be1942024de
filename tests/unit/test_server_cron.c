/* llmlab-test: link=llmlab_server_core
 *
 * Schedules: what is one, and when it is due next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "services/cron.h"

static int64_t
seconds(const char *text)
{
    int64_t ns;

    assert_int_equal(llmlab__time_parse(text, strlen(text), &ns), 0);
    return ns / 1000000000;
}

static void
test_next(void **state)
{
    static const char *const cases[][3] = {
        {"* * * * *", "2026-03-01T10:00:59Z", "2026-03-01T10:01:00Z"},
        {"* * * * *", "2026-03-01T10:01:00Z", "2026-03-01T10:02:00Z"},
        {"7 * * * *", "2026-03-01T23:07:00Z", "2026-03-02T00:07:00Z"},
        {"*/15 * * * *", "2026-03-01T10:01:00Z", "2026-03-01T10:15:00Z"},
        {"5/20 * * * *", "2026-03-01T10:26:00Z", "2026-03-01T10:45:00Z"},
        {"0 3,15 * * *", "2026-03-01T04:00:00Z", "2026-03-01T15:00:00Z"},
        {"30 9-17/4 * * *", "2026-03-01T10:00:00Z", "2026-03-01T13:30:00Z"},
        {"0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"},
        {"0 0 31 * *", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"},
        {"0 0 * * 7", "2026-11-24T00:00:00Z", "2026-11-29T00:00:00Z"},
        {"0 0 * * 0", "2026-11-24T00:00:00Z", "2026-11-29T00:00:00Z"},
        {"0 0 * * 1-5", "2026-11-27T00:00:00Z", "2026-11-30T00:00:00Z"},
        /* Either day does when both are restricted. */
        {"0 0 13 * 5", "2026-11-24T00:00:00Z", "2026-11-27T00:00:00Z"},
        {"0 0 13 * 5", "2026-11-10T00:00:00Z", "2026-11-13T00:00:00Z"},
        {"@daily", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
        {"@monthly", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
        {"@weekly", "2026-11-24T00:00:00Z", "2026-11-29T00:00:00Z"},
        {"@hourly", "1969-12-31T23:10:00Z", "1970-01-01T00:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        llmlab__cron_t cron;

        if (!llmlab__cron_parse(&cron, cases[i][0])) {
            fail_msg("%s is refused", cases[i][0]);
        }
        if (llmlab__cron_next(&cron, seconds(cases[i][1])) !=
            seconds(cases[i][2])) {
            fail_msg("%s after %s", cases[i][0], cases[i][1]);
        }
    }
}

static void
test_never(void **state)
{
    llmlab__cron_t cron;

    (void)state;
    assert_true(llmlab__cron_parse(&cron, "0 0 31 2 *"));
    assert_true(llmlab__cron_next(&cron, 0) == INT64_MAX);
}

static void
test_no_schedules(void **state)
{
    static const char *const bad[] = {"",
                                      "*",
                                      "* * * *",
                                      "* * * * * *",
                                      "60 * * * *",
                                      "* 24 * * *",
                                      "* * 0 * *",
                                      "* * 32 * *",
                                      "* * * 0 *",
                                      "* * * 13 *",
                                      "* * * * 8",
                                      "a * * * *",
                                      "5-3 * * * *",
                                      "*/0 * * * *",
                                      "1, * * * *",
                                      "1-* * * * *",
                                      "-1 * * * *",
                                      "@never",
                                      "1000 * * * *"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        llmlab__cron_t cron;

        if (llmlab__cron_parse(&cron, bad[i])) {
            fail_msg("\"%s\" is taken for a schedule", bad[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_no_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
