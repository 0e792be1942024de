#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pricing/names.h"

static void
test_finds_the_dates_that_providers_write(void **state)
{
    static const struct {
        const char *name;
        size_t size;
    } names[] = {
        {"gpt-4o-2024-05-13", 11},
        {"claude-opus-4-20250514", 9},
        {"claude-sonnet-4-5@20250929", 9},
        {"gpt-4-0613", 5},
        {"mistral-large-2411", 5},
        {"gemini-2.5-pro-preview-05-06", 6},
        {"gemini-2.5-flash-preview-09-2025", 8},
        {"gpt-3.5-turbo-instruct:20230824-v2", 12},
        {"gpt-4o", 0},
        {"gpt-4o-2024-13-01", 0},
        {"gpt-4o-2024-00-10", 0},
        {"gpt-4o-20241301", 0},
        {"gpt-4o-2024-1-1", 0},
        {"model-9999", 0},
        {"model-0000", 0},
        {"claude-opus-4-6", 0},
        {"llama-3.3-70b", 0},
        {"-2024-05-13", 6}, /* never the whole name */
        {"", 0},
        {"-", 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(
            llmlab__name_date(names[i].name, strlen(names[i].name), false),
            names[i].size);
    }
}

static void
test_a_version_of_three_digits_counts_where_it_is_told(void **state)
{
    const char *name = "gemini-2.5-flash-001";

    (void)state;
    assert_int_equal(llmlab__name_date(name, strlen(name), true), 4);
    assert_int_equal(llmlab__name_date(name, strlen(name), false), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_dates_that_providers_write),
        cmocka_unit_test(
            test_a_version_of_three_digits_counts_where_it_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
