#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void
test_every_code_has_a_name_and_a_text(void **state)
{
    llmlab_status_t status;
    int i;

    (void)state;
    for (i = 0; llmlab_status_list(i, &status); i++) {
        assert_int_equal(status, -i);
        assert_string_not_equal(llmlab_status_name(status), "LLMLAB_UNKNOWN");
        assert_true(strlen(llmlab_status_text(status)) > 0);
    }
    assert_int_equal(-i, LLMLAB_STATUS_LAST_);
    assert_string_equal(llmlab_status_name(LLMLAB_EINVAL), "LLMLAB_EINVAL");
    assert_string_equal(llmlab_status_name((llmlab_status_t)7),
                        "LLMLAB_UNKNOWN");
    assert_string_equal(llmlab_status_name((llmlab_status_t)-99),
                        "LLMLAB_UNKNOWN");
    assert_string_equal(llmlab_status_text((llmlab_status_t)-99),
                        "unknown status");
    assert_int_equal(llmlab_status_list(-1, &status), 0);
    assert_int_equal(llmlab_status_list(0, NULL), 0);
}

static void
test_detail_is_kept_and_cut(void **state)
{
    char text[400];

    (void)state;
    assert_string_equal(llmlab_status_detail(), "");
    assert_int_equal(llmlab__fail(LLMLAB_EPARSE, "line %d", 7), LLMLAB_EPARSE);
    assert_string_equal(llmlab_status_detail(), "line 7");
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    llmlab__fail(LLMLAB_EINVAL, "%s", text);
    assert_int_equal(strlen(llmlab_status_detail()), 255);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_name_and_a_text),
        cmocka_unit_test(test_detail_is_kept_and_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
