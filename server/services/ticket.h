/* Tokens that let somebody in once: the text for the person, the hash for the
 * store. */
#ifndef LLMLAB_SERVICES_TICKET_H
#define LLMLAB_SERVICES_TICKET_H

#include <stdbool.h>

#include "store/store.h"

#define LLMLAB__TICKET_TEXT 44
#define LLMLAB__TICKET_NS   (INT64_C(3600) * 1000000000)

/* 192 random bits, and their hash. */
void llmlab__ticket_make(char text[LLMLAB__TICKET_TEXT],
                         unsigned char hash[LLMLAB__HASH_SIZE]);
void llmlab__ticket_hash(const char *text,
                         unsigned char hash[LLMLAB__HASH_SIZE]);

#endif
