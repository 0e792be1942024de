/* 128-bit unsigned arithmetic for money. The type is GCC's and Clang's; every
 * use goes through this file. */
#ifndef LLMLAB_BASE_U128_H
#define LLMLAB_BASE_U128_H

#include <stdbool.h>
#include <stdint.h>

#include <llmlab/pricing.h>

__extension__ typedef unsigned __int128 llmlab__u128_t;

#define LLMLAB__FEMTO UINT64_C(1000000000000000) /* femto-USD in a USD */

static inline llmlab__u128_t
llmlab__u128_of(llmlab_money_t money)
{
    return ((llmlab__u128_t)money.high << 64) | money.low;
}

static inline llmlab_money_t
llmlab__money_of(llmlab__u128_t value)
{
    llmlab_money_t money = {(uint64_t)value, (uint64_t)(value >> 64)};

    return money;
}

/* True when it does not fit; *out is then untouched. */
static inline bool
llmlab__u128_add(llmlab__u128_t *out, llmlab__u128_t a, llmlab__u128_t b)
{
    return __builtin_add_overflow(a, b, out);
}

static inline bool
llmlab__u128_mul(llmlab__u128_t *out, llmlab__u128_t a, llmlab__u128_t b)
{
    return __builtin_mul_overflow(a, b, out);
}

/* a / b rounded half-even; b > 0. */
static inline llmlab__u128_t
llmlab__u128_div_even(llmlab__u128_t a, llmlab__u128_t b)
{
    llmlab__u128_t quotient;
    llmlab__u128_t rest;

    if ((uint64_t)(a >> 64) == 0 && (uint64_t)(b >> 64) == 0) {
        quotient = (uint64_t)a / (uint64_t)b; /* ten times as fast */
        rest = (uint64_t)a % (uint64_t)b;
    } else {
        quotient = a / b;
        rest = a % b;
    }
    if (rest > b - rest || (rest == b - rest && (quotient & 1) != 0)) {
        quotient++;
    }
    return quotient;
}

#endif
