#include "services/new_key.h"

#include <string.h>

#include <sodium.h>

#include "base/clock.h"

const char *const llmlab__scope_names[] = {"", "ingest", "read", "admin", NULL};

void
llmlab__key_hash(const char *text, size_t size,
                 unsigned char out[LLMLAB__HASH_SIZE])
{
    crypto_generichash(out, LLMLAB__HASH_SIZE, (const unsigned char *)text,
                       size, NULL, 0);
}

void
llmlab__new_key(llmlab__key_t *key, char text[LLMLAB__API_KEY_SIZE + 1])
{
    llmlab__api_key_make(text);
    llmlab__key_hash(text, LLMLAB__API_KEY_SIZE, key->hash);
    memcpy(key->hint, text, sizeof(key->hint) - 1);
    key->created_ns = llmlab__clock_real_ns();
}
