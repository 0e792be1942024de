#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "delivery/compress.h"

static unsigned char plain[400000];
static unsigned char back[400001];

static size_t
inflate_gzip(const llmlab__buf_t *buf)
{
    z_stream stream;
    size_t size;

    memset(&stream, 0, sizeof(stream));
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = buf->data;
    stream.avail_in = (uInt)buf->size;
    stream.next_out = back;
    stream.avail_out = sizeof(back);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    size = sizeof(back) - stream.avail_out;
    inflateEnd(&stream);
    return size;
}

static void
fill(size_t size, int is_noise)
{
    uint32_t seed = 7;

    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        plain[i] = is_noise ? (unsigned char)(seed >> 24)
                            : (unsigned char)"{\"a\":1}"[i % 7];
    }
}

static void
test_round_trips(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 5000, 65536, sizeof(plain)};
    llmlab__compressor_t compressor;
    llmlab__buf_t out;

    (void)state;
    for (int level = 1; level <= 9; level += 4) {
        llmlab__compressor_init(&compressor, level);
        llmlab__buf_init(&out);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            for (int noise = 0; noise < 2; noise++) {
                fill(sizes[i], noise);
                assert_true(
                    llmlab__compress(&compressor, plain, sizes[i], &out));
                assert_int_equal(inflate_gzip(&out), sizes[i]);
                assert_memory_equal(plain, back, sizes[i]);
            }
        }
        llmlab__buf_cleanup(&out);
        llmlab__compressor_cleanup(&compressor);
    }
}

static void
test_an_unused_one_costs_nothing(void **state)
{
    llmlab__compressor_t compressor;

    (void)state;
    llmlab__compressor_init(&compressor, 1);
    llmlab__compressor_cleanup(&compressor);
    llmlab__compressor_cleanup(&compressor);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_an_unused_one_costs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
