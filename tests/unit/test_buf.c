#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void
test_appends_grow(void **state)
{
    llmlab__buf_t buf;

    (void)state;
    llmlab__buf_init(&buf);
    for (int i = 0; i < 1000; i++) {
        llmlab__buf_printf(&buf, "%03d", i);
    }
    llmlab__buf_text(&buf, "end");
    llmlab__buf_append(&buf, NULL, 0);
    assert_false(buf.failed);
    assert_int_equal(buf.size, 3003);
    assert_memory_equal(buf.data, "000001002", 9);
    assert_memory_equal(buf.data + 2997, "999end", 6);
    llmlab__buf_clear(&buf);
    assert_int_equal(buf.size, 0);
    assert_true(buf.capacity >= 3003);
    llmlab__buf_cleanup(&buf);
    assert_null(buf.data);
}

static void
test_a_failure_sticks_until_cleared(void **state)
{
    llmlab__buf_t buf;

    (void)state;
    llmlab__buf_init(&buf);
    llmlab__buf_text(&buf, "a");
    assert_null(llmlab__buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    llmlab__buf_text(&buf, "b");
    assert_int_equal(buf.size, 1);
    llmlab__buf_clear(&buf);
    llmlab__buf_text(&buf, "c");
    assert_false(buf.failed);
    assert_memory_equal(buf.data, "c", 1);
    llmlab__buf_cleanup(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends_grow),
        cmocka_unit_test(test_a_failure_sticks_until_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
