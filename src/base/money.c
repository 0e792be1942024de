/* Decimal text to 128-bit femto-USD and back. No step goes through a float. */
#include <stdbool.h>
#include <string.h>

#include "base/money.h"
#include "base/u128.h"

/* 10^38 is the largest power of ten below 2^128: more digits cannot fit. */
#define DIGITS_MAX 39

/* A number with more digits than this does not fit into memory. Ten times it,
 * and sums of it with positions, stay inside int64. */
#define POSITION_MAX INT64_C(100000000000000000)

llmlab_status_t
llmlab_money_add(llmlab_money_t *sum, llmlab_money_t amount)
{
    llmlab__u128_t total;

    if (sum == NULL) {
        return LLMLAB_EINVAL;
    }
    if (llmlab__u128_add(&total, llmlab__u128_of(*sum),
                         llmlab__u128_of(amount))) {
        return LLMLAB_EOVERFLOW;
    }
    *sum = llmlab__money_of(total);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_money_nano(llmlab_money_t amount, int64_t *out)
{
    const llmlab__u128_t femto_per_nano = 1000000;
    llmlab__u128_t nano;

    if (out == NULL) {
        return LLMLAB_EINVAL;
    }
    nano = llmlab__u128_div_even(llmlab__u128_of(amount), femto_per_nano);
    if (nano > (llmlab__u128_t)INT64_MAX) {
        return LLMLAB_EOVERFLOW;
    }
    *out = (int64_t)nano;
    return LLMLAB_OK;
}

/* Write the digits of value, at least width of them; returns their number. */
static size_t
put_digits(char *out, llmlab__u128_t value, size_t width)
{
    char reversed[DIGITS_MAX];
    uint64_t low;
    size_t count = 0;
    size_t i;

    /* A division of 128 bits is dear, and all but never needed. */
    while (value >> 64 != 0) {
        reversed[count++] = (char)('0' + (int)(value % 10));
        value /= 10;
    }
    for (low = (uint64_t)value; low != 0 || count < width; low /= 10) {
        reversed[count++] = (char)('0' + (int)(low % 10));
    }
    for (i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}

size_t
llmlab_money_format(llmlab_money_t amount, char buf[LLMLAB_MONEY_TEXT])
{
    llmlab__u128_t value = llmlab__u128_of(amount);
    uint64_t fraction = (uint64_t)(value % LLMLAB__FEMTO);
    size_t size = put_digits(buf, value / LLMLAB__FEMTO, 1);

    if (fraction != 0) {
        buf[size++] = '.';
        size += put_digits(buf + size, fraction, 15);
        while (buf[size - 1] == '0') {
            size--;
        }
    }
    buf[size] = '\0';
    return size;
}

/* The parts of "12.5e-3": where its digits are and where the point would
 * stand, counted in digits from the first. */
typedef struct decimal_s {
    const char *digits; /* may hold one '.' */
    const char *end;
    int64_t point;
} decimal_t;

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent, saturated; false unless it reaches to end exactly. */
static bool
scan_exponent(const char *at, const char *end, int64_t *out)
{
    bool negative = at < end && *at == '-';
    int64_t value = 0;

    if (at < end && (*at == '-' || *at == '+')) {
        at++;
    }
    if (at == end) {
        return false;
    }
    for (; at < end; at++) {
        if (!is_digit(*at)) {
            return false;
        }
        if (value < POSITION_MAX) {
            value = value * 10 + (*at - '0');
        }
    }
    *out = negative ? -value : value;
    return true;
}

static bool
scan_decimal(decimal_t *out, const char *text, size_t size)
{
    const char *end = text + size;
    const char *at = text;
    int64_t exponent = 0;

    while (at < end && is_digit(*at)) {
        at++;
    }
    if (at == text) {
        return false;
    }
    out->digits = text;
    out->point = at - text;
    if (at < end && *at == '.') {
        const char *fraction = ++at;

        while (at < end && is_digit(*at)) {
            at++;
        }
        if (at == fraction) {
            return false;
        }
    }
    out->end = at;
    if (at < end) {
        if ((*at != 'e' && *at != 'E') ||
            !scan_exponent(at + 1, end, &exponent)) {
            return false;
        }
    }
    out->point += exponent;
    return true;
}

/* The integer that the first count digits make (zeros follow the last), and
 * what the digits after them are: 0 nothing, 1 below a half, 2 a half, 3
 * above. Leading zeros are gone, so that count tells the size. */
static llmlab_status_t
round_digits(const decimal_t *decimal, int64_t count, llmlab__u128_t *out,
             int *rest)
{
    const char *at = decimal->digits;
    llmlab__u128_t value = 0;

    *rest = 0;
    for (; at < decimal->end; at++) {
        if (*at == '.') {
            continue;
        }
        if (count > 0) {
            if (llmlab__u128_mul(&value, value, 10) ||
                llmlab__u128_add(&value, value, (llmlab__u128_t)(*at - '0'))) {
                return LLMLAB_EOVERFLOW;
            }
        } else if (count == 0) {
            *rest = *at > '5' ? 3 : *at == '5' ? 2 : *at > '0' ? 1 : 0;
        } else if (*at != '0') {
            *rest |= 1; /* nothing: below a half; a half: above */
        }
        count--;
    }
    for (; count > 0; count--) {
        if (llmlab__u128_mul(&value, value, 10)) {
            return LLMLAB_EOVERFLOW;
        }
    }
    *out = value;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_money_parse(llmlab_money_t *out, const char *text, size_t size,
                   int *inexact)
{
    return llmlab__money_parse_scaled(out, text, size, 0, inexact);
}

llmlab_status_t
llmlab__money_parse_scaled(llmlab_money_t *out, const char *text, size_t size,
                           int exponent, int *inexact)
{
    const int64_t femto_digits = 15;
    llmlab__u128_t value = 0;
    decimal_t decimal;
    int64_t count;
    int rest = 0;

    if (out == NULL || (text == NULL && size != 0)) {
        return LLMLAB_EINVAL;
    }
    if (size == 0 || !scan_decimal(&decimal, text, size)) {
        return LLMLAB_EPARSE;
    }
    count = decimal.point + femto_digits + exponent;
    while (decimal.digits < decimal.end &&
           (*decimal.digits == '0' || *decimal.digits == '.')) {
        count -= *decimal.digits == '0';
        decimal.digits++;
    }
    if (decimal.digits < decimal.end) {
        if (count > DIGITS_MAX ||
            round_digits(&decimal, count, &value, &rest) != LLMLAB_OK) {
            return LLMLAB_EOVERFLOW;
        }
        if ((rest == 3 || (rest == 2 && (value & 1) != 0)) &&
            llmlab__u128_add(&value, value, 1)) {
            return LLMLAB_EOVERFLOW;
        }
    }
    *out = llmlab__money_of(value);
    if (inexact != NULL) {
        *inexact = rest != 0;
    }
    return LLMLAB_OK;
}
