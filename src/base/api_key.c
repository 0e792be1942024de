#include "base/api_key.h"

#include <stdint.h>
#include <string.h>

#include <sodium.h>
#include <zlib.h>

enum {
    PREFIX_SIZE = sizeof(LLMLAB__API_KEY_PREFIX) - 1,
    CHECK_SIZE = 6,
    CHECKED_SIZE = LLMLAB__API_KEY_SIZE - CHECK_SIZE
};

static const char digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void
write_check(const char *key, char out[CHECK_SIZE])
{
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)key, CHECKED_SIZE);

    for (int i = CHECK_SIZE; i-- > 0; crc /= 62) {
        out[i] = digits[crc % 62];
    }
}

void
llmlab__api_key_make(char out[LLMLAB__API_KEY_SIZE + 1])
{
    /* Without it the generator is not safe among threads. A failure leaves
     * the generator of the system, which needs no initialisation. */
    int status = sodium_init();
    (void)status;
    memcpy(out, LLMLAB__API_KEY_PREFIX, PREFIX_SIZE);
    for (int i = PREFIX_SIZE; i < CHECKED_SIZE; i++) {
        out[i] = digits[randombytes_uniform(62)];
    }
    write_check(out, out + CHECKED_SIZE);
    out[LLMLAB__API_KEY_SIZE] = '\0';
}

bool
llmlab__api_key_check(const char *key, size_t size)
{
    char check[CHECK_SIZE];

    if (key == NULL || size != LLMLAB__API_KEY_SIZE ||
        memcmp(key, LLMLAB__API_KEY_PREFIX, PREFIX_SIZE) != 0) {
        return false;
    }
    for (size_t i = PREFIX_SIZE; i < size; i++) {
        if (key[i] == '\0' || strchr(digits, key[i]) == NULL) {
            return false;
        }
    }
    write_check(key, check);
    return memcmp(key + CHECKED_SIZE, check, CHECK_SIZE) == 0;
}
