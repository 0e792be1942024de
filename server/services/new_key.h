/* A new API key: the text for its owner, the hash for the store. */
#ifndef LLMLAB_SERVICES_NEW_KEY_H
#define LLMLAB_SERVICES_NEW_KEY_H

#include "base/api_key.h"
#include "store/store.h"

/* "ingest", "read", "admin" by llmlab__scope_t; NULL ends it. The first is
 * empty. */
extern const char *const llmlab__scope_names[];

/* Fill hash, hint and creation time. The caller wipes the text. */
void llmlab__new_key(llmlab__key_t *key, char text[LLMLAB__API_KEY_SIZE + 1]);
/* The hash under which a key is kept. */
void llmlab__key_hash(const char *text, size_t size,
                      unsigned char out[LLMLAB__HASH_SIZE]);

#endif
