#include "store/pack.h"

#include <string.h>

size_t
llmlab__varint_put(unsigned char *out, uint64_t value)
{
    size_t size = 0;

    while (value >= 0x80) {
        out[size++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (unsigned char)value;
    return size;
}

size_t
llmlab__varint_get(const unsigned char *at, const unsigned char *end,
                   uint64_t *out)
{
    uint64_t value = 0;

    for (size_t size = 0; at + size < end && size < 10; size++) {
        value |= (uint64_t)(at[size] & 0x7f) << (7 * size);
        if (at[size] < 0x80) {
            *out = value;
            return size + 1;
        }
    }
    return 0;
}

/* Small negative numbers stay short too. */
static uint64_t
zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

size_t
llmlab__sums_pack(const llmlab__sums_t *sums,
                  unsigned char out[LLMLAB__PACK_MAX])
{
    uint64_t present = 0;
    size_t size;

    for (int i = 0; i < LLMLAB__SUMS; i++) {
        present |= (uint64_t)(sums->of[i] != 0) << i;
    }
    size = llmlab__varint_put(out, present);
    for (; present != 0; present &= present - 1) {
        int i = __builtin_ctzll(present);

        size += llmlab__varint_put(out + size, zigzag(sums->of[i]));
    }
    return size;
}

bool
llmlab__sums_unpack(llmlab__text_t packed, llmlab__sums_t *out)
{
    const unsigned char *at = (const unsigned char *)packed.data;
    const unsigned char *end = at + packed.size;
    uint64_t present;
    uint64_t value;
    size_t size;

    memset(out, 0, sizeof(*out));
    if (at == NULL || (size = llmlab__varint_get(at, end, &present)) == 0 ||
        present >> LLMLAB__SUMS != 0) {
        return false;
    }
    at += size;
    for (; present != 0; present &= present - 1) {
        size = llmlab__varint_get(at, end, &value);
        if (size == 0) {
            return false;
        }
        out->of[__builtin_ctzll(present)] =
            (int64_t)(value >> 1 ^ (~(value & 1) + 1));
        at += size;
    }
    return at == end;
}
