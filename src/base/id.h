/* Random ids. xoshiro256** per thread, seeded by getrandom; reseeded when the
 * owner says so (after a fork). Not for secrets. */
#ifndef LLMLAB_BASE_ID_H
#define LLMLAB_BASE_ID_H

#include <stddef.h>
#include <stdint.h>

typedef struct llmlab__rng_s {
    uint64_t s[4];
} llmlab__rng_t;

void llmlab__rng_seed(llmlab__rng_t *rng); /* a system call */

static inline uint64_t
llmlab__rng_next(llmlab__rng_t *rng)
{
    uint64_t *s = rng->s;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* Lower-case hex, no NUL; size digits of the value's low 4*size bits. */
void llmlab__hex64(uint64_t value, char out[16]);
/* Reads exactly 16 hex digits, lower or upper. 0, or -1. */
int llmlab__unhex64(const char *text, uint64_t *out);
/* A random UUIDv7 as text (36 bytes and a NUL), from getrandom. */
void llmlab__uuid7(char out[37]);

#endif
