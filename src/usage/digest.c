#include "usage/digest.h"

#include <stdio.h>

#include <sodium.h>

static void
begin(crypto_generichash_blake2b_state *state, char tag)
{
    const unsigned char byte = (unsigned char)tag;

    (void)crypto_generichash_blake2b_init(state, NULL, 0, LLMLAB__DIGEST_SIZE);
    (void)crypto_generichash_blake2b_update(state, &byte, 1);
}

static void
update(crypto_generichash_blake2b_state *state, const void *bytes, size_t size)
{
    (void)crypto_generichash_blake2b_update(state, bytes, size);
}

static llmlab__digest_t
end(crypto_generichash_blake2b_state *state)
{
    llmlab__digest_t out;

    (void)crypto_generichash_blake2b_final(state, out.bytes, sizeof(out.bytes));
    return out;
}

llmlab__digest_t
llmlab__digest_of(char tag, const void *a, size_t a_size, const void *b,
                  size_t b_size)
{
    crypto_generichash_blake2b_state state;

    begin(&state, tag);
    update(&state, a, a_size);
    update(&state, b, b_size);
    return end(&state);
}

void
llmlab__digest_add(llmlab__digest_t *sum, const llmlab__digest_t *part)
{
    unsigned carry = 0;

    for (size_t i = 0; i < sizeof(sum->bytes); i++) {
        carry += (unsigned)sum->bytes[i] + part->bytes[i];
        sum->bytes[i] = (unsigned char)(carry & 0xff);
        carry >>= 8;
    }
}

/* --- texts --------------------------------------------------------------- */

/* One piece of a text at a time: a run without escapes, or one escape. */
typedef struct pieces_s {
    const char *at;
    const char *end;
    char decoded[8];
} pieces_t;

static size_t
escape_size(const char *at, size_t left)
{
    if (at[1] != 'u') {
        return 2;
    }
    /* The halves of a surrogate pair are one character. */
    if (left >= 12 && (at[2] == 'd' || at[2] == 'D') &&
        strchr("89abAB", at[3]) != NULL && at[6] == '\\' && at[7] == 'u') {
        return 12;
    }
    return 6;
}

static bool
next_piece(pieces_t *pieces, const char **out, size_t *size)
{
    size_t left = (size_t)(pieces->end - pieces->at);
    const char *escape;
    llmlab__json_text_t text;

    if (left == 0) {
        return false;
    }
    escape = memchr(pieces->at, '\\', left);
    if (escape != pieces->at) {
        *out = pieces->at;
        *size = escape != NULL ? (size_t)(escape - pieces->at) : left;
        pieces->at += *size;
        return true;
    }
    text.data = pieces->at;
    text.size = escape_size(pieces->at, left);
    text.escaped = true;
    *size =
        llmlab__json_unescape(&text, pieces->decoded, sizeof(pieces->decoded));
    *out = pieces->decoded;
    pieces->at += text.size;
    return true;
}

static uint64_t
decoded_size(const llmlab__json_text_t *text)
{
    pieces_t pieces = {.at = text->data, .end = text->data + text->size};
    const char *bytes;
    size_t size;
    uint64_t total = 0;

    if (!text->escaped) {
        return text->size;
    }
    while (next_piece(&pieces, &bytes, &size)) {
        total += size;
    }
    return total;
}

static void
put_size(unsigned char out[8], uint64_t size)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (unsigned char)(size >> (8 * i) & 0xff);
    }
}

/* What of a run of bytes, which stands at `at`, lies in [first, last). */
static void
update_window(crypto_generichash_blake2b_state *state, const char *bytes,
              size_t size, uint64_t at, uint64_t first, uint64_t last)
{
    uint64_t from = at > first ? at : first;
    uint64_t to = at + size < last ? at + size : last;

    if (from < to) {
        update(state, bytes + (from - at), (size_t)(to - from));
    }
}

llmlab__digest_t
llmlab__digest_text(llmlab__digester_t *digester,
                    const llmlab__json_text_t *text)
{
    pieces_t pieces = {.at = text->data, .end = text->data + text->size};
    uint64_t total = decoded_size(text);
    bool cut = total > digester->text_max;
    uint64_t half = cut ? digester->text_max / 2 : total;
    crypto_generichash_blake2b_state state;
    unsigned char length[8];
    const char *bytes;
    size_t size;
    uint64_t at = 0;

    digester->text_bytes += cut ? 2 * half : total;
    begin(&state, cut ? 'S' : 's');
    if (cut) {
        put_size(length, total);
        update(&state, length, sizeof(length));
    }
    while (next_piece(&pieces, &bytes, &size)) {
        update_window(&state, bytes, size, at, 0, half);
        if (cut) {
            update_window(&state, bytes, size, at, total - half, total);
        }
        at += size;
    }
    return end(&state);
}

/* --- values -------------------------------------------------------------- */

bool
llmlab__digest_skips(const llmlab__json_text_t *key)
{
    return llmlab__json_key_is(key, "cache_control") ||
           llmlab__json_key_is(key, "cachePoint");
}

static llmlab__digest_t
digest_number(const llmlab__json_text_t *number)
{
    char text[24];
    int64_t integer;

    if (llmlab__json_int(number, &integer) != 0) {
        return llmlab__digest_of('n', number->data, number->size, NULL, 0);
    }
    return llmlab__digest_of(
        'n', text,
        (size_t)snprintf(text, sizeof(text), "%lld", (long long)integer), NULL,
        0);
}

llmlab__digest_t
llmlab__digest_member(llmlab__digester_t *digester,
                      const llmlab__json_text_t *key,
                      const llmlab__digest_t *value)
{
    llmlab__digest_t name = llmlab__digest_text(digester, key);

    return llmlab__digest_of('m', name.bytes, sizeof(name.bytes), value->bytes,
                             sizeof(value->bytes));
}

static llmlab__digest_t
digest_object(llmlab__digester_t *digester)
{
    llmlab__digest_t sum = {{0}};
    llmlab__json_text_t key;

    while (llmlab__json_next_key(&digester->json, &key)) {
        llmlab__digest_t value;

        if (llmlab__digest_skips(&key)) {
            llmlab__json_skip(&digester->json);
            continue;
        }
        value = llmlab__digest_value(digester);
        value = llmlab__digest_member(digester, &key, &value);
        llmlab__digest_add(&sum, &value);
    }
    return llmlab__digest_of('o', sum.bytes, sizeof(sum.bytes), NULL, 0);
}

static llmlab__digest_t
digest_array(llmlab__digester_t *digester)
{
    llmlab__digest_t chain = {{0}};

    while (llmlab__json_next_element(&digester->json)) {
        llmlab__digest_t value = llmlab__digest_value(digester);

        chain = llmlab__digest_of('e', chain.bytes, sizeof(chain.bytes),
                                  value.bytes, sizeof(value.bytes));
    }
    return llmlab__digest_of('a', chain.bytes, sizeof(chain.bytes), NULL, 0);
}

llmlab__digest_t
llmlab__digest_value(llmlab__digester_t *digester)
{
    llmlab__json_t *json = &digester->json;
    llmlab__json_text_t text;
    bool truth;

    if (llmlab__json_string(json, &text)) {
        return llmlab__digest_text(digester, &text);
    }
    if (llmlab__json_number(json, &text)) {
        return digest_number(&text);
    }
    if (llmlab__json_enter_object(json)) {
        return digest_object(digester);
    }
    if (llmlab__json_enter_array(json)) {
        return digest_array(digester);
    }
    if (llmlab__json_bool(json, &truth)) {
        return llmlab__digest_of(truth ? 't' : 'f', NULL, 0, NULL, 0);
    }
    (void)llmlab__json_null(json);
    return llmlab__digest_of('z', NULL, 0, NULL, 0);
}
