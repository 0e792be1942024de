#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/json_write.h"
#include "pricing/signed.h"

#define NOW INT64_C(1798761600) /* 2027-01-01 */

static char public_hex[crypto_sign_PUBLICKEYBYTES * 2 + 1];
static unsigned char secret_key[crypto_sign_SECRETKEYBYTES];

static int
make_key(void **state)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];

    (void)state;
    if (sodium_init() < 0 || crypto_sign_keypair(public_key, secret_key) != 0) {
        return -1;
    }
    sodium_bin2hex(public_hex, sizeof(public_hex), public_key,
                   sizeof(public_key));
    return 0;
}

static void
sign(llmlab__buf_t *out, const char *prices)
{
    unsigned char mark[crypto_sign_BYTES];
    char hex[crypto_sign_BYTES * 2 + 1];
    llmlab__json_out_t json;

    crypto_sign_detached(mark, NULL, (const unsigned char *)prices,
                         strlen(prices), secret_key);
    sodium_bin2hex(hex, sizeof(hex), mark, sizeof(mark));
    llmlab__buf_clear(out);
    llmlab__json_out_init(&json, out);
    llmlab__json_begin_object(&json);
    llmlab__json_key(&json, "llmlab_signed_prices");
    llmlab__json_put_int(&json, 1);
    llmlab__json_key(&json, "prices");
    llmlab__json_put_text(&json, prices);
    llmlab__json_key(&json, "signature");
    llmlab__json_put_text(&json, hex);
    llmlab__json_end_object(&json);
}

static const char *
file_of(char *out, size_t size, const char *version, const char *expires,
        const char *input)
{
    snprintf(out, size,
             "{\"llmlab_prices\":1,\"version\":\"%s\",\"expires\":\"%s\","
             "\"models\":{\"gpt-4o\":{\"provider\":\"openai\","
             "\"rates\":{\"input\":\"%s\",\"output\":\"10\"}}}}",
             version, expires, input);
    return out;
}

/* detail NULL: taken. */
static void
assert_taken(const llmlab__buf_t *file, const char *key, const char *above,
             llmlab_status_t status, const char *detail)
{
    llmlab_price_book_t *book = NULL;

    assert_int_equal(
        llmlab__price_book_parse_signed(&book, (const char *)file->data,
                                        file->size, key, above, NOW),
        status);
    if (detail != NULL) {
        assert_string_equal(llmlab_status_detail(), detail);
        assert_null(book);
    } else {
        assert_non_null(book);
    }
    llmlab_price_book_destroy(book);
}

static void
test_takes_what_the_key_has_signed(void **state)
{
    char text[512];
    llmlab__buf_t file;
    llmlab_price_book_t *book = NULL;

    (void)state;
    llmlab__buf_init(&file);
    sign(&file, file_of(text, sizeof(text), "2026-11-01", "2027-06-01", "2"));
    assert_taken(&file, public_hex, NULL, LLMLAB_OK, NULL);
    assert_taken(&file, public_hex, "2026-10-31", LLMLAB_OK, NULL);
    assert_int_equal(
        llmlab__price_book_parse_signed(&book, (const char *)file.data,
                                        file.size, public_hex, NULL, NOW),
        LLMLAB_OK);
    assert_string_equal(llmlab_price_book_version(book), "2026-11-01");
    assert_string_equal(llmlab_price_book_version(NULL),
                        llmlab_pricing_version());
    llmlab_price_book_destroy(book);
    llmlab__buf_cleanup(&file);
}

static void
test_refuses_every_changed_byte(void **state)
{
    llmlab_price_book_t *book;
    char text[512];
    llmlab__buf_t file;
    size_t i;

    (void)state;
    llmlab__buf_init(&file);
    sign(&file, file_of(text, sizeof(text), "2026-11-01", "2027-06-01", "2"));
    for (i = 0; i < file.size; i++) {
        file.data[i] ^= 1;
        /* The hex digits A and a are one; no other byte is spare. */
        if (llmlab__price_book_parse_signed(&book, (const char *)file.data,
                                            file.size, public_hex, NULL,
                                            NOW) == LLMLAB_OK) {
            llmlab_price_book_destroy(book);
            assert_true(memchr("{}:, ", file.data[i], 5) == NULL);
            assert_in_range(i, 0, 24); /* the envelope's own mark */
        }
        file.data[i] ^= 1;
    }
    llmlab__buf_cleanup(&file);
}

static void
test_tells_why_it_refuses(void **state)
{
    char other_key[sizeof(public_hex)];
    char text[512];
    llmlab__buf_t file;

    (void)state;
    llmlab__buf_init(&file);
    memset(other_key, '1', sizeof(other_key) - 1);
    other_key[sizeof(other_key) - 1] = '\0';
    sign(&file, file_of(text, sizeof(text), "2026-11-01", "2027-06-01", "2"));
    assert_taken(&file, other_key, NULL, LLMLAB_EAUTH,
                 "the signature does not fit");
    assert_taken(&file, "abc", NULL, LLMLAB_EINVAL,
                 "the public key is not 64 hex digits");
    assert_taken(&file, public_hex, "2026-11-01", LLMLAB_EAUTH,
                 "version 2026-11-01 is not above 2026-11-01");
    sign(&file, file_of(text, sizeof(text), "2026-11-01", "2027-01-01", "2"));
    assert_taken(&file, public_hex, NULL, LLMLAB_EAUTH,
                 "the prices expired on 2027-01-01");
    sign(&file, file_of(text, sizeof(text), "2026-11-01", "never", "2"));
    assert_taken(&file, public_hex, NULL, LLMLAB_EPARSE,
                 "expires: is no date or UTC time");
    sign(&file, file_of(text, sizeof(text), "2026-11-01", "2027-06-01", "8"));
    assert_taken(&file, public_hex, NULL, LLMLAB_EAUTH,
                 "gpt-4o: a change beyond 3 times");
    sign(&file,
         file_of(text, sizeof(text), "2026-11-01", "2027-06-01", "2000"));
    assert_taken(&file, public_hex, NULL, LLMLAB_EAUTH,
                 "gpt-4o: a rate above 0.001 USD a token");
    llmlab__buf_clear(&file);
    llmlab__buf_text(&file, "{}");
    assert_taken(&file, public_hex, NULL, LLMLAB_EPARSE,
                 "no signed price file");
    llmlab__buf_cleanup(&file);
}

static void
test_loads_from_a_file(void **state)
{
    char path[] = "/tmp/llmlab-signed-XXXXXX";
    llmlab_price_book_t *book = NULL;
    char text[512];
    llmlab__buf_t file;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    llmlab__buf_init(&file);
    sign(&file, file_of(text, sizeof(text), "2026-11-01", "2200-01-01", "2"));
    assert_int_equal(write(fd, file.data, file.size), file.size);
    close(fd);
    assert_int_equal(
        llmlab_price_book_load_signed(&book, path, public_hex, NULL),
        LLMLAB_OK);
    llmlab_price_book_destroy(book);
    unlink(path);
    assert_int_equal(
        llmlab_price_book_load_signed(&book, path, public_hex, NULL),
        LLMLAB_EIO);
    assert_null(book);
    assert_int_equal(llmlab_price_book_load_signed(&book, path, NULL, NULL),
                     LLMLAB_EINVAL);
    llmlab__buf_cleanup(&file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_what_the_key_has_signed),
        cmocka_unit_test(test_refuses_every_changed_byte),
        cmocka_unit_test(test_tells_why_it_refuses),
        cmocka_unit_test(test_loads_from_a_file),
    };

    return cmocka_run_group_tests(tests, make_key, NULL);
}
