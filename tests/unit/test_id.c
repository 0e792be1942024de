#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ctype.h>

#include "base/clock.h"
#include "base/id.h"

static void
test_hex_goes_both_ways(void **state)
{
    char text[17] = "";
    uint64_t value;

    (void)state;
    llmlab__hex64(UINT64_C(0x0123456789abcdef), text);
    assert_string_equal(text, "0123456789abcdef");
    assert_int_equal(llmlab__unhex64("0123456789ABCdef", &value), 0);
    assert_true(value == UINT64_C(0x0123456789abcdef));
    assert_int_equal(llmlab__unhex64("0123456789abcdeg", &value), -1);
    assert_int_equal(llmlab__unhex64("0123456789 bcdef", &value), -1);
}

static void
test_seeds_differ(void **state)
{
    llmlab__rng_t a;
    llmlab__rng_t b;

    (void)state;
    llmlab__rng_seed(&a);
    llmlab__rng_seed(&b);
    assert_true(llmlab__rng_next(&a) != llmlab__rng_next(&b));
    assert_true(llmlab__rng_next(&a) != llmlab__rng_next(&a));
}

/* The generator's published first outputs for the state 1, 2, 3, 4. */
static void
test_generator_is_xoshiro256(void **state)
{
    llmlab__rng_t rng = {{1, 2, 3, 4}};

    (void)state;
    assert_true(llmlab__rng_next(&rng) == UINT64_C(11520));
    assert_true(llmlab__rng_next(&rng) == UINT64_C(0));
    assert_true(llmlab__rng_next(&rng) == UINT64_C(1509978240));
    assert_true(llmlab__rng_next(&rng) == UINT64_C(1215971899390074240));
}

static void
test_uuid_is_version_7(void **state)
{
    char text[37];
    char later[37];
    uint64_t ms;

    (void)state;
    llmlab__uuid7(text);
    assert_int_equal(strlen(text), 36);
    for (int i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            assert_int_equal(text[i], '-');
        } else {
            assert_true(isxdigit((unsigned char)text[i]));
        }
    }
    assert_int_equal(text[14], '7');
    assert_non_null(strchr("89ab", text[19]));
    memcpy(later, text, 8);
    memcpy(later + 8, text + 9, 4);
    memcpy(later + 12, "0000", 4);
    assert_int_equal(llmlab__unhex64(later, &ms), 0);
    ms >>= 16;
    assert_true((uint64_t)(llmlab__clock_real_ns() / 1000000) - ms < 60000);
    llmlab__uuid7(later);
    assert_string_not_equal(text, later);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex_goes_both_ways),
        cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_generator_is_xoshiro256),
        cmocka_unit_test(test_uuid_is_version_7),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
