/* Whoever can write the file must not be able to change what calls cost: only
 * who holds the key can, within bounds, until a date, and never backwards. */
#include "pricing/signed.h"

#include <sodium.h>

#include "base/clock.h"
#include "base/status.h"
#include "pricing/compare.h"
#include "pricing/price_file.h"
#include "pricing/read_file.h"
#include "pricing/windows.h"

#define DEPTH_MAX 32
#define NS_PER_S  INT64_C(1000000000)

static bool
from_hex(unsigned char *out, size_t size, const char *hex)
{
    size_t length = hex != NULL ? strlen(hex) : 0;
    size_t read = 0;

    return length == size * 2 &&
           sodium_hex2bin(out, size, hex, length, NULL, &read, NULL) == 0 &&
           read == size;
}

static llmlab_status_t
check_signature(const char *prices, const char *signature,
                const char *public_key)
{
    unsigned char key[crypto_sign_PUBLICKEYBYTES];
    unsigned char mark[crypto_sign_BYTES];

    if (sodium_init() < 0) {
        return llmlab__fail(LLMLAB_EINTERNAL, "libsodium does not start");
    }
    if (!from_hex(key, sizeof(key), public_key)) {
        return llmlab__fail(LLMLAB_EINVAL,
                            "the public key is not %zu hex "
                            "digits",
                            sizeof(key) * 2);
    }
    if (prices == NULL || !from_hex(mark, sizeof(mark), signature)) {
        return llmlab__fail(LLMLAB_EPARSE, "no signed price file");
    }
    if (crypto_sign_verify_detached(mark, (const unsigned char *)prices,
                                    strlen(prices), key) != 0) {
        return llmlab__fail(LLMLAB_EAUTH, "the signature does not fit");
    }
    return LLMLAB_OK;
}

/* A signed file without an end, or an older one than is in use, would let a
 * replay bring old prices back. */
static llmlab_status_t
check_dates(const cJSON *root, const char *above, int64_t now_s)
{
    const char *version =
        llmlab__json_dom_string(llmlab__json_dom_get(root, "version"));
    const char *expires =
        llmlab__json_dom_string(llmlab__json_dom_get(root, "expires"));
    int64_t version_s;
    int64_t above_s;
    int64_t end_s;

    if (version == NULL || !llmlab__instant_parse(version, &version_s)) {
        return llmlab__fail(LLMLAB_EPARSE, "version: is no date or UTC time");
    }
    if (expires == NULL || !llmlab__instant_parse(expires, &end_s)) {
        return llmlab__fail(LLMLAB_EPARSE, "expires: is no date or UTC time");
    }
    if (end_s <= now_s) {
        return llmlab__fail(LLMLAB_EAUTH, "the prices expired on %.32s",
                            expires);
    }
    if (above != NULL &&
        (!llmlab__instant_parse(above, &above_s) || version_s <= above_s)) {
        return llmlab__fail(LLMLAB_EAUTH, "version %.32s is not above %.32s",
                            version, above);
    }
    return LLMLAB_OK;
}

static void
count_beyond(void *context, const llmlab__rate_change_t *change)
{
    if (llmlab__change_is_beyond(change)) {
        ++*(unsigned *)context;
    }
}

static llmlab_status_t
check_row(llmlab__price_ref_t new, const llmlab__price_table_t *before)
{
    const char *key = llmlab__price_ref_key(new);
    llmlab__price_ref_t old = {before, NULL};
    unsigned beyond = 0;

    old.row = llmlab__table_find(before, key, strlen(key), NULL);
    if (old.row == NULL || llmlab__price_knows(old, new)) {
        return LLMLAB_OK;
    }
    (void)llmlab__price_compare(old, old.row->period_count - 1u, new,
                                count_beyond, &beyond);
    if (beyond > 0) {
        return llmlab__fail(LLMLAB_EAUTH, "%.80s: a change beyond %d times",
                            key, LLMLAB__CHANGE_MAX);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
check_discounts(const llmlab_price_book_t *book)
{
    size_t i;

    for (i = 0; i < book->discount_count; i++) {
        const llmlab__discount_t *discount = &book->discounts[i];

        if ((uint64_t)discount->numerator * LLMLAB__CHANGE_MAX <
            discount->denominator) {
            return llmlab__fail(LLMLAB_EAUTH, "a discount beyond %d times",
                                LLMLAB__CHANGE_MAX);
        }
    }
    return LLMLAB_OK;
}

static llmlab_status_t
check_bounds(const llmlab_price_book_t *book)
{
    llmlab_status_t status = check_discounts(book);
    uint32_t i;

    for (i = 0; i < book->table.row_count && status == LLMLAB_OK; i++) {
        llmlab__price_ref_t new = {&book->table, &book->table.rows[i]};

        if (llmlab__price_is_absurd(new)) {
            return llmlab__fail(LLMLAB_EAUTH,
                                "%.80s: a rate above 0.001 USD a token",
                                llmlab__price_ref_key(new));
        }
        status = check_row(new, llmlab__price_table_builtin());
    }
    return status;
}

llmlab_status_t
llmlab__price_book_check_change(const llmlab_price_book_t *book,
                                const llmlab_price_book_t *present)
{
    const llmlab__price_table_t *builtin = llmlab__price_table_builtin();
    llmlab_status_t status = LLMLAB_OK;
    uint32_t i;

    for (i = 0;
         present != NULL && i < book->table.row_count && status == LLMLAB_OK;
         i++) {
        llmlab__price_ref_t new = {&book->table, &book->table.rows[i]};
        const char *key = llmlab__price_ref_key(new);

        if (llmlab__table_find(builtin, key, strlen(key), NULL) == NULL) {
            status = check_row(new, &present->table);
        }
    }
    return status;
}

/* The signed text's dates, then its prices. */
static llmlab_status_t
take_prices(llmlab_price_book_t **out, const char *prices, const char *above,
            int64_t now_s)
{
    llmlab_price_book_t *book = NULL;
    cJSON *root = NULL;
    llmlab_status_t status =
        llmlab__json_dom_parse(&root, prices, strlen(prices), DEPTH_MAX);

    if (status == LLMLAB_OK) {
        status = check_dates(root, above, now_s);
    }
    cJSON_Delete(root);
    if (status == LLMLAB_OK) {
        status = llmlab_price_book_parse(&book, prices, strlen(prices));
    }
    if (status == LLMLAB_OK) {
        status = check_bounds(book);
    }
    if (status != LLMLAB_OK) {
        llmlab_price_book_destroy(book);
        return status;
    }
    *out = book;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__price_book_parse_signed(llmlab_price_book_t **out, const char *text,
                                size_t size, const char *public_key,
                                const char *above, int64_t now_s)
{
    cJSON *root = NULL;
    llmlab_status_t status;
    const char *prices;

    *out = NULL;
    status = llmlab__json_dom_parse(&root, text, size, DEPTH_MAX);
    if (status != LLMLAB_OK) {
        return status;
    }
    prices = llmlab__json_dom_string(llmlab__json_dom_get(root, "prices"));
    status = check_signature(
        prices,
        llmlab__json_dom_string(llmlab__json_dom_get(root, "signature")),
        public_key);
    if (status == LLMLAB_OK) {
        status = take_prices(out, prices, above, now_s);
    }
    cJSON_Delete(root);
    return status;
}

llmlab_status_t
llmlab_price_book_load_signed(llmlab_price_book_t **out, const char *path,
                              const char *public_key, const char *above)
{
    llmlab_status_t status;
    llmlab__buf_t buf;

    if (out == NULL || path == NULL || public_key == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "no path, key, or place to put it");
    }
    *out = NULL;
    llmlab__buf_init(&buf);
    status = llmlab__price_file_read(&buf, path);
    if (status == LLMLAB_OK) {
        status = llmlab__price_book_parse_signed(
            out, (const char *)buf.data, buf.size, public_key, above,
            llmlab__clock_real_ns() / NS_PER_S);
        if (status != LLMLAB_OK) {
            llmlab__price_file_blame(path, status);
        }
    }
    llmlab__buf_cleanup(&buf);
    return status;
}
