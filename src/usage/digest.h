/* Digests of JSON values that do not depend on how they are written: the order
 * of an object's keys, white space, escapes. Unkeyed: what leaves the process
 * is hashed again with a key. */
#ifndef LLMLAB_USAGE_DIGEST_H
#define LLMLAB_USAGE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json_scan.h"

#define LLMLAB__DIGEST_SIZE 16

typedef struct llmlab__digest_s {
    unsigned char bytes[LLMLAB__DIGEST_SIZE];
} llmlab__digest_t;

typedef struct llmlab__digester_s {
    llmlab__json_t json;
    size_t text_max;     /* of a longer text only both ends are read */
    uint64_t text_bytes; /* read so far, decoded */
} llmlab__digester_t;

/* BLAKE2b of a tag, then two runs of bytes. */
llmlab__digest_t llmlab__digest_of(char tag, const void *a, size_t a_size,
                                   const void *b, size_t b_size);
/* sum += part, as little-endian integers: the order does not matter. */
void llmlab__digest_add(llmlab__digest_t *sum, const llmlab__digest_t *part);
/* A text, decoded. */
llmlab__digest_t llmlab__digest_text(llmlab__digester_t *digester,
                                     const llmlab__json_text_t *text);
/* A member of an object. */
llmlab__digest_t llmlab__digest_member(llmlab__digester_t *digester,
                                       const llmlab__json_text_t *key,
                                       const llmlab__digest_t *value);
/* Consume the value that stands next; an error stays in json. */
llmlab__digest_t llmlab__digest_value(llmlab__digester_t *digester);
/* A member that only steers the provider's cache is no part of a prompt. */
bool llmlab__digest_skips(const llmlab__json_text_t *key);

#endif
