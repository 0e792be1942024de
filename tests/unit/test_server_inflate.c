/* llmlab-test: link=llmlab_server_core */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/inflate.h"

/* size bytes of text as one gzip member; the caller frees. */
static unsigned char *
gzip(const void *text, size_t size, size_t *out_size)
{
    z_stream stream = {0};
    unsigned char *out = malloc(size + 1024);

    assert_int_equal(
        deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
        Z_OK);
    stream.next_in = (z_const Bytef *)text;
    stream.avail_in = (uInt)size;
    stream.next_out = out;
    stream.avail_out = (uInt)size + 1024;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *out_size = stream.total_out;
    (void)deflateEnd(&stream);
    return out;
}

static void
test_any_split(void **state)
{
    char text[5000];
    size_t size;
    unsigned char *packed;
    llmlab__inflate_t inflate = {0};
    llmlab__buf_t out;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('a' + i * 31 % 26);
    }
    packed = gzip(text, sizeof(text), &size);
    llmlab__buf_init(&out);
    for (size_t step = 1; step <= size; step += 1 + step / 3) {
        llmlab__buf_clear(&out);
        llmlab__inflate_begin(&inflate, sizeof(text));
        for (size_t at = 0; at < size; at += step) {
            size_t left = size - at < step ? size - at : step;

            (void)llmlab__inflate_feed(&inflate, packed + at, left, &out);
        }
        assert_int_equal(inflate.status, LLMLAB__INFLATE_DONE);
        assert_int_equal(out.size, sizeof(text));
        assert_memory_equal(out.data, text, sizeof(text));
    }
    llmlab__inflate_cleanup(&inflate);
    llmlab__buf_cleanup(&out);
    free(packed);
}

static void
test_limit(void **state)
{
    size_t zeroes_size = 10 << 20;
    char *zeroes = calloc(1, zeroes_size);
    size_t size;
    unsigned char *packed = gzip(zeroes, zeroes_size, &size);
    llmlab__inflate_t inflate = {0};
    llmlab__buf_t out;

    (void)state;
    llmlab__buf_init(&out);
    llmlab__inflate_begin(&inflate, 100000);
    assert_int_equal(llmlab__inflate_feed(&inflate, packed, size, &out),
                     LLMLAB__INFLATE_TOO_BIG);
    assert_true(out.capacity < 1 << 20);
    /* The fault stays. */
    assert_int_equal(llmlab__inflate_feed(&inflate, packed, size, &out),
                     LLMLAB__INFLATE_TOO_BIG);
    /* Exactly at the limit is well. */
    llmlab__buf_clear(&out);
    llmlab__inflate_begin(&inflate, zeroes_size);
    assert_int_equal(llmlab__inflate_feed(&inflate, packed, size, &out),
                     LLMLAB__INFLATE_DONE);
    llmlab__buf_clear(&out);
    llmlab__inflate_begin(&inflate, zeroes_size - 1);
    assert_int_equal(llmlab__inflate_feed(&inflate, packed, size, &out),
                     LLMLAB__INFLATE_TOO_BIG);
    llmlab__inflate_cleanup(&inflate);
    llmlab__buf_cleanup(&out);
    free(packed);
    free(zeroes);
}

static void
test_damage(void **state)
{
    size_t size;
    unsigned char *packed = gzip("some text", 9, &size);
    llmlab__inflate_t inflate = {0};
    llmlab__buf_t out;

    (void)state;
    llmlab__buf_init(&out);
    for (size_t cut = 0; cut < size; cut++) {
        llmlab__buf_clear(&out);
        llmlab__inflate_begin(&inflate, 1000);
        assert_int_equal(llmlab__inflate_feed(&inflate, packed, cut, &out),
                         LLMLAB__INFLATE_MORE);
    }
    for (size_t at = 0; at < size; at++) {
        llmlab__buf_clear(&out);
        packed[at] ^= 0x55;
        llmlab__inflate_begin(&inflate, 1000);
        (void)llmlab__inflate_feed(&inflate, packed, size, &out);
        /* Time and system in the header are free to be anything. */
        assert_true(inflate.status != LLMLAB__INFLATE_DONE ||
                    memcmp(out.data, "some text", 9) == 0);
        packed[at] ^= 0x55;
    }
    llmlab__inflate_begin(&inflate, 1000);
    llmlab__buf_clear(&out);
    (void)llmlab__inflate_feed(&inflate, packed, size, &out);
    assert_int_equal(llmlab__inflate_feed(&inflate, "x", 1, &out),
                     LLMLAB__INFLATE_BAD);
    llmlab__inflate_cleanup(&inflate);
    llmlab__buf_cleanup(&out);
    free(packed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
