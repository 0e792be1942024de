/* Reading decimals as money, beyond what the public face offers. */
#ifndef LLMLAB_BASE_MONEY_H
#define LLMLAB_BASE_MONEY_H

#include <llmlab/pricing.h>

/* As llmlab_money_parse(), of the decimal times 10^exponent: "2.5" USD per
 * million tokens is 2.5e-6 a token, rounded once. */
llmlab_status_t llmlab__money_parse_scaled(llmlab_money_t *out,
                                           const char *text, size_t size,
                                           int exponent, int *inexact);

#endif
