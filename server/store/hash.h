/* A hash for tables in memory, seeded per process so that nobody can choose
 * colliding names. */
#ifndef LLMLAB_STORE_HASH_H
#define LLMLAB_STORE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
llmlab__hash_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    return x;
}

static inline uint64_t
llmlab__hash_bytes(uint64_t seed, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = llmlab__hash_mix(seed ^ size);

    while (size >= 8) {
        uint64_t word;

        memcpy(&word, at, 8);
        hash = llmlab__hash_mix(hash ^ word);
        at += 8;
        size -= 8;
    }
    if (size > 0) {
        uint64_t word = 0;

        memcpy(&word, at, size);
        hash = llmlab__hash_mix(hash ^ word);
    }
    return hash;
}

/* Set once, before the first table is used. */
extern uint64_t llmlab__hash_seed;

#endif
