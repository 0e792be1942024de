#include "services/answer_cache.h"

#include <pthread.h>
#include <string.h>

#include <sodium.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"

#define BYTES_MAX (24u << 20) /* of all answers */
#define BYTES_ONE (4u << 20)  /* of one */
#define SLOTS     1024        /* a power of two */

typedef struct entry_s {
    struct entry_s *next; /* in the slot */
    struct entry_s *newer;
    struct entry_s *older;
    uint64_t hash;
    uint64_t number;
    llmlab__kept_t *answer;
    size_t size; /* with its key */
    char key[];
} entry_t;

struct llmlab__answer_cache_s {
    pthread_mutex_t lock;
    entry_t *slots[SLOTS];
    entry_t *newest;
    entry_t *oldest;
    size_t bytes;
    uint64_t hits;
    uint64_t misses;
};

llmlab_status_t
llmlab__answer_cache_create(llmlab__answer_cache_t **out)
{
    *out = llmlab__calloc(1, sizeof(**out));
    if (*out == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for answers");
    }
    (void)pthread_mutex_init(&(*out)->lock, NULL);
    return LLMLAB_OK;
}

llmlab__kept_t *
llmlab__kept_create(const llmlab__buf_t *body, const char *content_type)
{
    llmlab__kept_t *kept = llmlab__alloc(sizeof(*kept) + body->size);
    unsigned char hash[16];

    if (kept == NULL) {
        return NULL;
    }
    atomic_init(&kept->holders, 1);
    kept->content_type = content_type;
    kept->size = body->size;
    memcpy(kept->bytes, body->data, body->size);
    crypto_generichash(hash, sizeof(hash), body->data, body->size, NULL, 0);
    kept->etag[0] = '"';
    sodium_bin2hex(kept->etag + 1, 33, hash, sizeof(hash));
    memcpy(kept->etag + 33, "\"", 2);
    return kept;
}

void
llmlab__kept_release(llmlab__kept_t *answer)
{
    if (answer != NULL && atomic_fetch_sub(&answer->holders, 1) == 1) {
        llmlab__free(answer);
    }
}

static void
list_remove(llmlab__answer_cache_t *cache, entry_t *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) =
        entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) =
        entry->newer;
}

static void
list_add(llmlab__answer_cache_t *cache, entry_t *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static entry_t **
entry_at(llmlab__answer_cache_t *cache, const char *key, uint64_t hash)
{
    entry_t **at = &cache->slots[hash & (SLOTS - 1)];

    while (*at != NULL &&
           ((*at)->hash != hash || strcmp((*at)->key, key) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

static void
entry_remove(llmlab__answer_cache_t *cache, entry_t **at)
{
    entry_t *entry = *at;

    *at = entry->next;
    list_remove(cache, entry);
    cache->bytes -= entry->size;
    llmlab__kept_release(entry->answer);
    llmlab__free(entry);
}

void
llmlab__answer_cache_destroy(llmlab__answer_cache_t *cache)
{
    if (cache == NULL) {
        return;
    }
    while (cache->newest != NULL) {
        entry_remove(cache,
                     entry_at(cache, cache->newest->key, cache->newest->hash));
    }
    (void)pthread_mutex_destroy(&cache->lock);
    llmlab__free(cache);
}

static uint64_t
key_hash(const char *key)
{
    return llmlab__hash_bytes(llmlab__hash_seed, key, strlen(key));
}

llmlab__kept_t *
llmlab__answer_cache_find(llmlab__answer_cache_t *cache, const char *key,
                          uint64_t number)
{
    uint64_t hash = key_hash(key);
    llmlab__kept_t *answer = NULL;
    entry_t *entry;

    pthread_mutex_lock(&cache->lock);
    entry = *entry_at(cache, key, hash);
    if (entry != NULL && entry->number == number) {
        answer = entry->answer;
        atomic_fetch_add(&answer->holders, 1);
        if (cache->newest != entry) {
            list_remove(cache, entry);
            list_add(cache, entry);
        }
    }
    cache->hits += answer != NULL;
    cache->misses += answer == NULL;
    pthread_mutex_unlock(&cache->lock);
    return answer;
}

void
llmlab__answer_cache_put(llmlab__answer_cache_t *cache, const char *key,
                         uint64_t number, llmlab__kept_t *answer)
{
    size_t key_size = strlen(key) + 1;
    size_t size = sizeof(entry_t) + key_size + answer->size;
    uint64_t hash = key_hash(key);
    entry_t *entry;
    entry_t **at;

    if (answer->size > BYTES_ONE) {
        return;
    }
    entry = llmlab__calloc(1, sizeof(*entry) + key_size);
    if (entry == NULL) {
        return;
    }
    atomic_fetch_add(&answer->holders, 1);
    entry->hash = hash;
    entry->number = number;
    entry->answer = answer;
    entry->size = size;
    memcpy(entry->key, key, key_size);
    pthread_mutex_lock(&cache->lock);
    at = entry_at(cache, key, hash);
    if (*at != NULL) {
        entry_remove(cache, at);
    }
    while (cache->bytes + size > BYTES_MAX && cache->oldest != NULL) {
        entry_remove(cache,
                     entry_at(cache, cache->oldest->key, cache->oldest->hash));
    }
    entry->next = cache->slots[hash & (SLOTS - 1)];
    cache->slots[hash & (SLOTS - 1)] = entry;
    list_add(cache, entry);
    cache->bytes += size;
    pthread_mutex_unlock(&cache->lock);
}

void
llmlab__answer_cache_numbers(llmlab__answer_cache_t *cache,
                             llmlab__answer_numbers_t *out)
{
    pthread_mutex_lock(&cache->lock);
    out->hits = cache->hits;
    out->misses = cache->misses;
    out->bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
}
