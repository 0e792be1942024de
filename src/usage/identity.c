/* The identity check: providers disagree on whether reasoning is part of the
 * output and cached tokens part of the input, and change their minds between
 * versions. Their own total tells. */
#include "usage/reader.h"

/* a + b == total, without the sum's overflow. */
static bool
adds_up(uint64_t a, uint64_t b, uint64_t total)
{
    return a <= total && b == total - a;
}

int
llmlab__identity(uint64_t input, uint64_t output, uint64_t total,
                 uint64_t reasoning, uint64_t cache)
{
    if (adds_up(input, output, total)) {
        return LLMLAB_IDENTITY_INCLUSIVE;
    }
    if (reasoning > 0 && reasoning <= total &&
        adds_up(input, output, total - reasoning)) {
        return LLMLAB_IDENTITY_REASONING_OUTSIDE;
    }
    if (cache > 0 && cache <= total && adds_up(input, output, total - cache)) {
        return LLMLAB_IDENTITY_CACHE_OUTSIDE;
    }
    return LLMLAB_IDENTITY_NONE;
}
