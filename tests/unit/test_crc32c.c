#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"

/* The vectors of RFC 3720, appendix B.4. */
static void
test_published_vectors(void **state)
{
    unsigned char bytes[32];

    (void)state;
    assert_int_equal(llmlab__crc32c(0, "123456789", 9), 0xE3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(llmlab__crc32c(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof(bytes));
    assert_int_equal(llmlab__crc32c(0, bytes, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)i;
    }
    assert_int_equal(llmlab__crc32c(0, bytes, 32), 0x46DD794E);
    assert_int_equal(llmlab__crc32c(0, bytes, 0), 0);
}

static void
test_both_ways_agree_in_pieces(void **state)
{
    unsigned char bytes[300];
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(seed >> 24);
    }
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        uint32_t whole = llmlab__crc32c_portable(0, bytes, sizeof(bytes));
        uint32_t piece = llmlab__crc32c(0, bytes, cut);

        assert_int_equal(piece, llmlab__crc32c_portable(0, bytes, cut));
        assert_int_equal(
            llmlab__crc32c(piece, bytes + cut, sizeof(bytes) - cut), whole);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_both_ways_agree_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
