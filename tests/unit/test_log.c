#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

struct seen {
    int lines;
    llmlab_log_level_t level;
    char line[600];
};

static void
keep(llmlab_log_level_t level, const char *line, void *payload)
{
    struct seen *seen = payload;

    seen->lines++;
    seen->level = level;
    strncpy(seen->line, line, sizeof(seen->line) - 1);
}

static void
test_lines_reach_the_host(void **state)
{
    struct seen seen = {0};
    llmlab__log_t log = {keep, &seen, LLMLAB_LOG_INFO};
    char text[1000];

    (void)state;
    llmlab__log(&log, LLMLAB_LOG_DEBUG, "no");
    assert_int_equal(seen.lines, 0);
    llmlab__log(&log, LLMLAB_LOG_ERROR, "%s %d", "yes", 1);
    assert_int_equal(seen.lines, 1);
    assert_int_equal(seen.level, LLMLAB_LOG_ERROR);
    assert_string_equal(seen.line, "yes 1");
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    llmlab__log(&log, LLMLAB_LOG_ERROR, "%s", text);
    assert_int_equal(strlen(seen.line), 511);
    llmlab__log(NULL, LLMLAB_LOG_INFO, "below the default level");
}

static void
test_limit_counts_what_it_holds_back(void **state)
{
    llmlab__log_limit_t limit = {0};
    uint64_t skipped = 99;

    (void)state;
    assert_int_equal(
        llmlab__log_allowed(&limit, INT64_C(3600000000000), &skipped), 1);
    assert_int_equal(skipped, 0);
    assert_int_equal(
        llmlab__log_allowed(&limit, INT64_C(3600000000000), &skipped), 0);
    assert_int_equal(
        llmlab__log_allowed(&limit, INT64_C(3600000000000), &skipped), 0);
    atomic_store(&limit.next_ns, 0);
    assert_int_equal(llmlab__log_allowed(&limit, 1, &skipped), 1);
    assert_int_equal(skipped, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_reach_the_host),
        cmocka_unit_test(test_limit_counts_what_it_holds_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
