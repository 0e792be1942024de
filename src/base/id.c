#include "base/id.h"

#include "base/clock.h"
#include "base/os.h"

void
llmlab__rng_seed(llmlab__rng_t *rng)
{
    llmlab__os_random(rng->s, sizeof(rng->s));
    rng->s[0] |= 1; /* the all-zero state would stay zero */
}

void
llmlab__hex64(uint64_t value, char out[16])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 15; i >= 0; i--) {
        out[i] = digits[value & 15];
        value >>= 4;
    }
}

static int
nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int
llmlab__unhex64(const char *text, uint64_t *out)
{
    uint64_t value = 0;

    for (int i = 0; i < 16; i++) {
        int digit = nibble(text[i]);

        if (digit < 0) {
            return -1;
        }
        value = value << 4 | (uint64_t)digit;
    }
    *out = value;
    return 0;
}

void
llmlab__uuid7(char out[37])
{
    uint64_t ms = (uint64_t)(llmlab__clock_real_ns() / 1000000);
    uint64_t random[2];
    char hex[32];
    int at = 0;

    llmlab__os_random(random, sizeof(random));
    llmlab__hex64(ms << 16 | 0x7000 | (random[0] & 0x0fff), hex);
    llmlab__hex64((random[1] >> 2) | UINT64_C(1) << 63, hex + 16);
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            out[at++] = '-';
        }
        out[at++] = hex[i];
    }
    out[at] = '\0';
}
