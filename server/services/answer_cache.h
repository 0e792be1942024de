/* Answers kept in memory, each with the number of the change (store.h) that it
 * is as new as: one with another number is as good as none. */
#ifndef LLMLAB_SERVICES_ANSWER_CACHE_H
#define LLMLAB_SERVICES_ANSWER_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

#include "base/buf.h"

/* Never changed once made; any number of threads may hold it. */
typedef struct llmlab__kept_s {
    _Atomic int holders;
    const char *content_type; /* static */
    char etag[35];            /* in quotes: of the bytes */
    size_t size;
    unsigned char bytes[];
} llmlab__kept_t;

typedef struct llmlab__answer_cache_s llmlab__answer_cache_t;

typedef struct llmlab__answer_numbers_s {
    uint64_t hits;
    uint64_t misses;
    uint64_t bytes;
} llmlab__answer_numbers_t;

llmlab_status_t llmlab__answer_cache_create(llmlab__answer_cache_t **out);
void llmlab__answer_cache_destroy(llmlab__answer_cache_t *cache);
/* Held by the caller; NULL: none that is as new. */
llmlab__kept_t *llmlab__answer_cache_find(llmlab__answer_cache_t *cache,
                                          const char *key, uint64_t number);
/* The cache holds it too from then on, if it is small enough. */
void llmlab__answer_cache_put(llmlab__answer_cache_t *cache, const char *key,
                              uint64_t number, llmlab__kept_t *answer);
void llmlab__answer_cache_numbers(llmlab__answer_cache_t *cache,
                                  llmlab__answer_numbers_t *out);

/* A copy of a body, held by the caller. NULL: no memory. */
llmlab__kept_t *llmlab__kept_create(const llmlab__buf_t *body,
                                    const char *content_type);
void llmlab__kept_release(llmlab__kept_t *answer);

#endif
