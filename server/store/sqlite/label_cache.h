/* The writer's memory of labels: (project, kind, text) -> id. */
#ifndef LLMLAB_STORE_LABEL_CACHE_H
#define LLMLAB_STORE_LABEL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct llmlab__connection_s;

typedef struct llmlab__label_entry_s {
    uint64_t hash; /* 0: empty */
    int64_t id;
    int64_t project;
    uint32_t kind;
    uint32_t size;
    char *text;
} llmlab__label_entry_t;

typedef struct llmlab__label_quota_s {
    int64_t project;
    int64_t day;
    int64_t count;
    uint32_t kind;
} llmlab__label_quota_t;

typedef struct llmlab__label_cache_s {
    llmlab__label_entry_t *entries;
    size_t count;
    size_t capacity; /* a power of two */
    llmlab__label_quota_t *quotas;
    size_t quota_count;
    size_t quota_capacity;
    int64_t day;     /* in which it was filled */
    uint64_t capped; /* new labels that became `other` */
    bool find_only;  /* nothing is made: what is not there is `other` */
} llmlab__label_cache_t;

void llmlab__label_cache_cleanup(llmlab__label_cache_t *cache);
/* Forget everything: after a rollback, or when it has grown too large. */
void llmlab__label_cache_clear(llmlab__label_cache_t *cache);
/* The id of a text, made if it is new and the day's cap allows; else that of
 * `other`. An empty text has the id 0. */
llmlab_status_t llmlab__label_intern(struct llmlab__connection_s *connection,
                                     llmlab__label_cache_t *cache,
                                     int64_t project, llmlab__label_kind_t kind,
                                     llmlab__text_t text, int64_t day,
                                     int64_t *out);

#endif
