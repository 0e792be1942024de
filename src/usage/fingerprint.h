/* A request's fingerprint: equal prompts have equal ones, whatever the model,
 * the order of keys, the white space and the escapes; it tells nothing of the
 * text. docs/FINGERPRINTS.md defines every byte. */
#ifndef LLMLAB_USAGE_FINGERPRINT_H
#define LLMLAB_USAGE_FINGERPRINT_H

#include <stddef.h>

#include <llmlab/status.h>

#define LLMLAB__FINGERPRINT_KEY    32
#define LLMLAB__FINGERPRINT_SIZE   16
#define LLMLAB__FINGERPRINT_BLOCK  8
#define LLMLAB__FINGERPRINT_BLOCKS 64

typedef struct llmlab__fingerprint_s {
    unsigned char whole[LLMLAB__FINGERPRINT_SIZE];
    /* Of the prompt up to and with each of its first blocks. */
    unsigned char prefix[LLMLAB__FINGERPRINT_BLOCKS][LLMLAB__FINGERPRINT_BLOCK];
    unsigned blocks;
} llmlab__fingerprint_t;

/* The key of a project; secret may be "". */
void llmlab__fingerprint_key(unsigned char out[LLMLAB__FINGERPRINT_KEY],
                             const char *project, const char *secret);

/* LLMLAB_OK; LLMLAB_EPARSE: no JSON object; LLMLAB_ENOUSAGE: no prompt in it.
 * Allocates nothing, any thread. */
llmlab_status_t
llmlab__fingerprint_read(llmlab__fingerprint_t *out,
                         const unsigned char key[LLMLAB__FINGERPRINT_KEY],
                         const char *body, size_t size);

#endif
