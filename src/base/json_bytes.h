/* What the two JSON scanners share: looking at bytes, many at a time. */
#ifndef LLMLAB_BASE_JSON_BYTES_H
#define LLMLAB_BASE_JSON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline bool
llmlab__json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool
llmlab__json_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* -1 for anything that is no hex digit. */
static inline int
llmlab__json_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline const char *
llmlab__json_skip_space(const char *p, const char *end)
{
    while (p < end && llmlab__json_is_space(*p)) {
        p++;
    }
    return p;
}

/* The first byte at or after p that is no digit. */
static inline const char *
llmlab__json_skip_digits(const char *p, const char *end)
{
#if defined(__SSE2__)
    const __m128i zero = _mm_set1_epi8('0');
    const __m128i nine = _mm_set1_epi8(9);

    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i value = _mm_sub_epi8(bytes, zero);
        __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(value, nine), value);
        unsigned mask = (unsigned)_mm_movemask_epi8(digit) ^ 0xffffu;

        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
        p += 16;
    }
#endif
    while (p < end && llmlab__json_is_digit(*p)) {
        p++;
    }
    return p;
}

/* The first quote, backslash or control character at or after p. */
static inline const char *
llmlab__json_find_special(const char *p, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);

    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                      _mm_cmpeq_epi8(bytes, backslash)),
                         _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);

        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
        p += 16;
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);

    while (end - p >= 8) {
        uint64_t bytes;
        uint64_t quote;
        uint64_t backslash;

        memcpy(&bytes, p, sizeof(bytes));
        quote = bytes ^ (ones * '"');
        backslash = bytes ^ (ones * '\\');
        if ((((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
             ((bytes - ones * 0x20) & ~bytes)) &
            highs) {
            break;
        }
        p += 8;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) {
        p++;
    }
    return p;
}

#endif
