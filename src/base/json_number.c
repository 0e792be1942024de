/* JSON numbers as integers and doubles, never by way of each other. */
#include "base/json_scan.h"

#include <stdlib.h>

#include "base/json_bytes.h"

#define COUNT_MAX    ((uint64_t)INT64_MAX)
#define EXPONENT_CAP 100000 /* beyond every number that has a meaning */

/* A number as digits without leading or trailing zeros, times a power of
 * ten. */
typedef struct decimal_s {
    bool negative;
    const char *first; /* the first digit that is not zero */
    const char *last;  /* one past the last digit that is not zero */
    long exponent;     /* of the digit before last */
} decimal_t;

static void
decimal_read(decimal_t *decimal, const llmlab__json_text_t *number)
{
    const char *p = number->data;
    const char *end = p + number->size;
    long scale = 0; /* of the digit just read */
    long last_scale = 0;
    long exponent = 0;
    bool fraction = false;

    memset(decimal, 0, sizeof(*decimal));
    if (p < end && *p == '-') {
        decimal->negative = true;
        p++;
    }
    for (; p < end && (llmlab__json_is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (fraction) {
            scale--;
        } else if (decimal->first != NULL) {
            last_scale++;
        }
        if (*p != '0') {
            if (decimal->first == NULL) {
                decimal->first = p;
            }
            decimal->last = p + 1;
            last_scale = scale;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool negative = false;

        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            negative = *p == '-';
            p++;
        }
        for (; p < end && llmlab__json_is_digit(*p); p++) {
            if (exponent < EXPONENT_CAP) {
                exponent = exponent * 10 + (*p - '0');
            }
        }
        exponent = negative ? -exponent : exponent;
    }
    decimal->exponent = exponent + last_scale;
}

/* The value as an integer up to limit; 0, -1 not integral, -3 above. */
static int
decimal_integer(const decimal_t *decimal, uint64_t limit, uint64_t *out)
{
    uint64_t value = 0;

    if (decimal->first == NULL) {
        *out = 0;
        return 0;
    }
    if (decimal->exponent < 0) {
        return -1;
    }
    for (const char *p = decimal->first; p < decimal->last; p++) {
        uint64_t digit;

        if (*p == '.') {
            continue;
        }
        digit = (uint64_t)(*p - '0');
        if (value > (limit - digit) / 10) {
            return -3;
        }
        value = value * 10 + digit;
    }
    for (long i = 0; i < decimal->exponent; i++) {
        if (value > limit / 10) {
            return -3;
        }
        value *= 10;
    }
    *out = value;
    return 0;
}

int
llmlab__json_count(const llmlab__json_text_t *number, uint64_t *out)
{
    decimal_t decimal;

    decimal_read(&decimal, number);
    if (decimal.negative && decimal.first != NULL) {
        return -2;
    }
    return decimal_integer(&decimal, COUNT_MAX, out);
}

int
llmlab__json_int(const llmlab__json_text_t *number, int64_t *out)
{
    decimal_t decimal;
    uint64_t value = 0;
    int status;

    decimal_read(&decimal, number);
    status = decimal_integer(&decimal, COUNT_MAX + decimal.negative, &value);
    if (status == 0) {
        *out = decimal.negative ? (int64_t)(0 - value) : (int64_t)value;
    }
    return status;
}

double
llmlab__json_double(const llmlab__json_text_t *number)
{
    /* Digits beyond these cannot change a double, but that there are more may
     * decide a tie: a last 1 stands for them. */
    enum { DIGITS = 780 };
    char text[DIGITS + 40];
    decimal_t decimal;
    size_t size = 0;
    long exponent;
    size_t dropped = 0;

    decimal_read(&decimal, number);
    if (decimal.first == NULL) {
        return decimal.negative ? -0.0 : 0.0;
    }
    if (decimal.negative) {
        text[size++] = '-';
    }
    for (const char *p = decimal.first; p < decimal.last; p++) {
        if (*p == '.') {
            continue;
        }
        if (size < DIGITS) {
            text[size++] = *p;
        } else {
            dropped++;
        }
    }
    exponent = decimal.exponent + (long)dropped;
    if (dropped > 0) {
        text[size - 1] = '1';
    }
    /* Without a decimal point strtod() does not ask the locale. */
    text[size++] = 'e';
    if (exponent < 0) {
        text[size++] = '-';
        exponent = -exponent;
    }
    for (long power = 1000000000L; power > 0; power /= 10) {
        text[size++] = (char)('0' + exponent / power % 10);
    }
    text[size] = '\0';
    return strtod(text, NULL);
}
