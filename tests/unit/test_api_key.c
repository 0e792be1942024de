#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/api_key.h"

static void
test_made_keys_are_whole(void **state)
{
    char key[LLMLAB__API_KEY_SIZE + 1];
    char other[LLMLAB__API_KEY_SIZE + 1];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        llmlab__api_key_make(key);
        assert_int_equal(strlen(key), LLMLAB__API_KEY_SIZE);
        assert_true(llmlab__api_key_check(key, strlen(key)));
        llmlab__api_key_make(other);
        assert_string_not_equal(key, other);
    }
}

static void
test_every_changed_character_is_noticed(void **state)
{
    char key[LLMLAB__API_KEY_SIZE + 1];

    (void)state;
    llmlab__api_key_make(key);
    for (size_t i = 0; i < LLMLAB__API_KEY_SIZE; i++) {
        char kept = key[i];

        key[i] = kept == 'a' ? 'b' : 'a';
        assert_false(llmlab__api_key_check(key, LLMLAB__API_KEY_SIZE));
        key[i] = '\0';
        assert_false(llmlab__api_key_check(key, LLMLAB__API_KEY_SIZE));
        key[i] = (char)0xFF;
        assert_false(llmlab__api_key_check(key, LLMLAB__API_KEY_SIZE));
        key[i] = kept;
    }
    assert_true(llmlab__api_key_check(key, LLMLAB__API_KEY_SIZE));
}

static void
test_other_forms_are_refused(void **state)
{
    char key[LLMLAB__API_KEY_SIZE + 1];

    (void)state;
    llmlab__api_key_make(key);
    for (size_t size = 0; size < LLMLAB__API_KEY_SIZE; size++) {
        assert_false(llmlab__api_key_check(key, size));
    }
    assert_false(llmlab__api_key_check(key, LLMLAB__API_KEY_SIZE + 1));
    assert_false(llmlab__api_key_check(NULL, 0));
    assert_false(llmlab__api_key_check(NULL, LLMLAB__API_KEY_SIZE));
    /* A key of fixed digits keeps the format from drifting: its check digits
     * were computed by another program. */
    assert_true(llmlab__api_key_check("llmlab_sk_000000000000000000000000000000"
                                      "3BhUX8",
                                      46));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_keys_are_whole),
        cmocka_unit_test(test_every_changed_character_is_noticed),
        cmocka_unit_test(test_other_forms_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
