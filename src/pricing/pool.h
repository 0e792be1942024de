/* A store of byte runs in which equal runs lie once. */
#ifndef LLMLAB_PRICING_POOL_H
#define LLMLAB_PRICING_POOL_H

#include "base/buf.h"

typedef struct llmlab__pool_s {
    llmlab__buf_t bytes;
    llmlab__buf_t runs; /* where each run lies */
    uint32_t *slots;    /* open addressing: 1 + index of a run */
    uint32_t slot_count;
    bool failed; /* out of memory: the offsets since then mean nothing */
} llmlab__pool_t;

void llmlab__pool_init(llmlab__pool_t *pool);
void llmlab__pool_cleanup(llmlab__pool_t *pool);

/* The offset of a run of equal bytes, which is added where there is none.
 * Runs of one size each keep that alignment. */
uint32_t llmlab__pool_add(llmlab__pool_t *pool, const void *bytes, size_t size);

#endif
