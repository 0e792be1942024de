#include "services/ticket.h"

#include <string.h>

#include <sodium.h>

void
llmlab__ticket_hash(const char *text, unsigned char hash[LLMLAB__HASH_SIZE])
{
    crypto_generichash(hash, LLMLAB__HASH_SIZE, (const unsigned char *)text,
                       strlen(text), NULL, 0);
}

void
llmlab__ticket_make(char text[LLMLAB__TICKET_TEXT],
                    unsigned char hash[LLMLAB__HASH_SIZE])
{
    unsigned char random[24];

    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(text, LLMLAB__TICKET_TEXT, random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    llmlab__ticket_hash(text, hash);
}
