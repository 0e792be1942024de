/* The form of an API key: "llmlab_sk_", 30 random base-62 digits, and 6 that
 * are the CRC-32 of all before them, so that a key that was cut or mistyped is
 * told at once, without a server. */
#ifndef LLMLAB_BASE_API_KEY_H
#define LLMLAB_BASE_API_KEY_H

#include <stdbool.h>
#include <stddef.h>

#define LLMLAB__API_KEY_PREFIX "llmlab_sk_"
#define LLMLAB__API_KEY_SIZE   46 /* without the NUL */

/* A new key with its NUL. The caller wipes it. */
void llmlab__api_key_make(char out[LLMLAB__API_KEY_SIZE + 1]);

/* Is this a whole key? Says nothing of whether a server knows it. */
bool llmlab__api_key_check(const char *key, size_t size);

#endif
