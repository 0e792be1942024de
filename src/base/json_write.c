#include "base/json_write.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)

/* Strings are written in pieces, so that the worst case of escapes (six bytes
 * for one) is never reserved for all of a long text. The last character or
 * word of a piece may run over it by seven bytes. */
#define PIECE             ((size_t)1024)
#define PIECE_ROOM(limit) (6 * (limit) + 8)

static void
put_byte(llmlab__json_out_t *out, char byte)
{
    unsigned char *at = llmlab__buf_reserve(out->buf, 1);

    if (at != NULL) {
        *at = (unsigned char)byte;
        out->buf->size++;
    }
}

static void
begin_value(llmlab__json_out_t *out)
{
    if (out->comma) {
        put_byte(out, ',');
    }
    out->comma = true;
}

static void
open_container(llmlab__json_out_t *out, char bracket)
{
    begin_value(out);
    put_byte(out, bracket);
    out->comma = false;
}

static void
close_container(llmlab__json_out_t *out, char bracket)
{
    put_byte(out, bracket);
    out->comma = true;
}

void
llmlab__json_begin_object(llmlab__json_out_t *out)
{
    open_container(out, '{');
}

void
llmlab__json_end_object(llmlab__json_out_t *out)
{
    close_container(out, '}');
}

void
llmlab__json_begin_array(llmlab__json_out_t *out)
{
    open_container(out, '[');
}

void
llmlab__json_end_array(llmlab__json_out_t *out)
{
    close_container(out, ']');
}

void
llmlab__json_put_raw(llmlab__json_out_t *out, const char *json, size_t size)
{
    unsigned char *at = llmlab__buf_reserve(out->buf, size + 1);

    if (at == NULL) {
        return;
    }
    if (out->comma) {
        *at++ = ',';
        out->buf->size++;
    }
    memcpy(at, json, size);
    out->buf->size += size;
    out->comma = true;
}

void
llmlab__json_key_raw(llmlab__json_out_t *out, const char *quoted, size_t size)
{
    llmlab__json_put_raw(out, quoted, size);
    out->comma = false;
}

void
llmlab__json_key_n(llmlab__json_out_t *out, const char *key, size_t size)
{
    llmlab__json_put_string(out, key, size);
    put_byte(out, ':');
    out->comma = false;
}

/* Do all eight bytes go into JSON as they are? Wrong only towards "no": a
 * borrow may flag a byte beside a true hit. */
static int
is_plain(uint64_t w)
{
    uint64_t control = (w - ONES * 0x20) & ~w;
    uint64_t quote = w ^ ONES * '"';
    uint64_t slash = w ^ ONES * '\\';

    quote = (quote - ONES) & ~quote;
    slash = (slash - ONES) & ~slash;
    return ((control | quote | slash | w) & TOPS) == 0;
}

/* The length of the well-formed UTF-8 sequence at text, or 0. */
static size_t
utf8_sequence(const unsigned char *text, size_t size)
{
    unsigned char first = text[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t length;

    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : 0x80;  /* no overlong forms */
        high = first == 0xed ? 0x9f : 0xbf; /* no surrogates */
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = first == 0xf0 ? 0x90 : 0x80;
        high = first == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (size < length || text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static unsigned char *
put_control(unsigned char *at, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] = "btn?fr"; /* U+0008 to U+000D */

    *at++ = '\\';
    if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        *at++ = (unsigned char)letters[c - 0x08];
        return at;
    }
    memcpy(at, "u00", 3);
    at[3] = (unsigned char)digits[c >> 4];
    at[4] = (unsigned char)digits[c & 15];
    return at + 5;
}

/* Writes one character, escaped where JSON wants it; *size is what it took. */
static unsigned char *
put_character(unsigned char *at, const unsigned char *text, size_t left,
              size_t *size)
{
    unsigned char c = text[0];

    *size = 1;
    if (c < 0x20) {
        return put_control(at, c);
    }
    if (c == '"' || c == '\\') {
        *at++ = '\\';
        *at++ = c;
        return at;
    }
    if (c < 0x80) {
        *at++ = c;
        return at;
    }
    *size = utf8_sequence(text, left);
    if (*size == 0) {
        *size = 1;
        memcpy(at, "\xef\xbf\xbd", 3); /* U+FFFD */
        return at + 3;
    }
    memcpy(at, text, *size);
    return at + *size;
}

/* Writes at least limit bytes of text, whole characters; returns how many. The
 * room for them was reserved. */
static size_t
put_piece(llmlab__buf_t *buf, const unsigned char *text, size_t size,
          size_t limit)
{
    unsigned char *start = buf->data + buf->size;
    unsigned char *at = start;
    size_t done = 0;

    while (done < limit) {
        size_t taken;
        uint64_t w;

        while (size - done >= sizeof(w) && done < limit) {
            memcpy(&w, text + done, sizeof(w));
            if (!is_plain(w)) {
                break;
            }
            memcpy(at, &w, sizeof(w));
            at += sizeof(w);
            done += sizeof(w);
        }
        if (done >= limit) {
            break;
        }
        at = put_character(at, text + done, size - done, &taken);
        done += taken;
    }
    buf->size += (size_t)(at - start);
    return done;
}

void
llmlab__json_put_string(llmlab__json_out_t *out, const char *text, size_t size)
{
    const unsigned char *from = (const unsigned char *)text;
    llmlab__buf_t *buf = out->buf;
    size_t limit = size < PIECE ? size : PIECE;
    unsigned char *at;

    if (text == NULL) {
        llmlab__json_put_null(out);
        return;
    }
    /* Room for the comma and the quotes, too: most strings are one piece. */
    at = llmlab__buf_reserve(buf, PIECE_ROOM(limit) + 3);
    if (at == NULL) {
        return;
    }
    if (out->comma) {
        *at++ = ',';
        buf->size++;
    }
    *at = '"';
    buf->size++;
    out->comma = true;
    while (size > 0) {
        size_t done = put_piece(buf, from, size, limit);

        from += done;
        size -= done;
        limit = size < PIECE ? size : PIECE;
        if (size > 0 &&
            llmlab__buf_reserve(buf, PIECE_ROOM(limit) + 1) == NULL) {
            return;
        }
    }
    buf->data[buf->size++] = '"';
}

void
llmlab__json_put_text(llmlab__json_out_t *out, const char *text)
{
    llmlab__json_put_string(out, text, text != NULL ? strlen(text) : 0);
}

/* Digits of value, ending before end; returns where they begin. */
static char *
digits_before(char *end, uint64_t value)
{
    static const char pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";

    while (value >= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, pairs + 2 * value, 2);
    } else {
        *--end = (char)('0' + value);
    }
    return end;
}

void
llmlab__json_put_uint(llmlab__json_out_t *out, uint64_t value)
{
    char text[24];
    char *end = text + sizeof(text);
    char *at = digits_before(end, value);

    llmlab__json_put_raw(out, at, (size_t)(end - at));
}

void
llmlab__json_put_int(llmlab__json_out_t *out, int64_t value)
{
    char text[24];
    char *end = text + sizeof(text);
    char *at;

    if (value >= 0) {
        llmlab__json_put_uint(out, (uint64_t)value);
        return;
    }
    at = digits_before(end, -(uint64_t)value);
    *--at = '-';
    llmlab__json_put_raw(out, at, (size_t)(end - at));
}

/* "%g" in the C locale, whatever the host's is: 15 digits where they read back
 * the same, else as many as needed. */
static void
shortest(char *text, size_t capacity, double value)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, capacity, "%.*g", precision, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    if (plain != (locale_t)0) {
        uselocale(before);
        freelocale(plain);
    }
}

void
llmlab__json_put_double(llmlab__json_out_t *out, double value)
{
    char text[64];

    if (!isfinite(value)) {
        llmlab__json_put_null(out);
        return;
    }
    /* Whole numbers up to 2^53 are exact as integers. */
    if (value > -9007199254740992.0 && value < 9007199254740992.0 &&
        value == (double)(int64_t)value && !(value == 0 && signbit(value))) {
        llmlab__json_put_int(out, (int64_t)value);
        return;
    }
    shortest(text, sizeof(text), value);
    llmlab__json_put_raw(out, text, strlen(text));
}

void
llmlab__json_put_bool(llmlab__json_out_t *out, bool value)
{
    if (value) {
        llmlab__json_put_raw(out, "true", 4);
    } else {
        llmlab__json_put_raw(out, "false", 5);
    }
}

void
llmlab__json_put_null(llmlab__json_out_t *out)
{
    llmlab__json_put_raw(out, "null", 4);
}
