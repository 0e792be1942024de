#include "store/sqlite/rollup_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"
#include "store/sqlite/sqlite_store.h"

/* Rows in memory: about 500 bytes each. Above it all are forgotten. */
#define CACHE_MAX (24 * 1024)

void
llmlab__rollup_cache_clear(llmlab__rollup_cache_t *cache)
{
    for (size_t i = 0; i < cache->capacity; i++) {
        llmlab__free(cache->slots[i]);
        cache->slots[i] = NULL;
    }
    cache->count = 0;
    cache->touched_count = 0;
    cache->last = NULL;
}

void
llmlab__rollup_cache_cleanup(llmlab__rollup_cache_t *cache)
{
    llmlab__rollup_cache_clear(cache);
    llmlab__free(cache->slots);
    llmlab__free(cache->touched);
    memset(cache, 0, sizeof(*cache));
}

static llmlab_status_t
cache_grow(llmlab__rollup_cache_t *cache)
{
    size_t capacity = cache->capacity == 0 ? 256 : cache->capacity * 2;
    llmlab__rollup_entry_t **slots = llmlab__calloc(capacity, sizeof(*slots));

    if (slots == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for roll-ups");
    }
    for (size_t i = 0; i < cache->capacity; i++) {
        if (cache->slots[i] != NULL) {
            size_t at = cache->slots[i]->hash & (capacity - 1);

            while (slots[at] != NULL) {
                at = (at + 1) & (capacity - 1);
            }
            slots[at] = cache->slots[i];
        }
    }
    llmlab__free(cache->slots);
    cache->slots = slots;
    cache->capacity = capacity;
    return LLMLAB_OK;
}

static llmlab_status_t
entry_touch(llmlab__rollup_cache_t *cache, llmlab__rollup_entry_t *entry)
{
    if (entry->touched) {
        return LLMLAB_OK;
    }
    if (cache->touched_count == cache->touched_capacity) {
        size_t capacity =
            cache->touched_capacity == 0 ? 256 : cache->touched_capacity * 2;
        void *grown = llmlab__realloc(cache->touched, capacity * sizeof(entry));

        if (grown == NULL) {
            return llmlab__fail(LLMLAB_ENOMEM, "no memory for roll-ups");
        }
        cache->touched = grown;
        cache->touched_capacity = capacity;
    }
    cache->touched[cache->touched_count++] = entry;
    entry->touched = true;
    return LLMLAB_OK;
}

static llmlab_status_t
entry_get(llmlab__rollup_cache_t *cache, const llmlab__rollup_key_t *key,
          llmlab__rollup_entry_t **out)
{
    llmlab__rollup_entry_t *entry;
    llmlab_status_t status;
    uint64_t hash;
    size_t at;

    if (cache->count * 2 >= cache->capacity) {
        status = cache_grow(cache);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    hash = llmlab__hash_bytes(llmlab__hash_seed, key, sizeof(*key)) | 1;
    at = hash & (cache->capacity - 1);
    while ((entry = cache->slots[at]) != NULL) {
        if (entry->hash == hash &&
            memcmp(&entry->key, key, sizeof(*key)) == 0) {
            *out = entry;
            return LLMLAB_OK;
        }
        at = (at + 1) & (cache->capacity - 1);
    }
    entry = llmlab__calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for roll-ups");
    }
    entry->hash = hash;
    entry->key = *key;
    cache->slots[at] = entry;
    cache->count++;
    *out = entry;
    return LLMLAB_OK;
}

/* Deltas may be negative, and their rests stay unsettled until the flush. */
static llmlab_status_t
delta_add(llmlab__sums_t *delta, const llmlab__sums_t *sums, int sign)
{
    bool overflow = false;

    for (int i = 0; i < LLMLAB__SUMS; i++) {
        int64_t *sum = &delta->of[i];

        overflow |= sign > 0 ? __builtin_add_overflow(*sum, sums->of[i], sum)
                             : __builtin_sub_overflow(*sum, sums->of[i], sum);
    }
    return overflow
               ? llmlab__fail(LLMLAB_EOVERFLOW, "a sum would exceed 64 bits")
               : LLMLAB_OK;
}

llmlab_status_t
llmlab__rollup_add(llmlab__rollup_cache_t *cache,
                   const llmlab__rollup_key_t *key, const llmlab__sums_t *sums,
                   int sign)
{
    llmlab__rollup_entry_t *entry = cache->last;
    llmlab_status_t status;

    if (entry == NULL || memcmp(&entry->key, key, sizeof(*key)) != 0) {
        status = entry_get(cache, key, &entry);
        if (status != LLMLAB_OK) {
            return status;
        }
        cache->last = entry;
    }
    status = entry_touch(cache, entry);
    return status == LLMLAB_OK ? delta_add(&entry->delta, sums, sign) : status;
}

static void
key_bind(sqlite3_stmt *sql, const llmlab__rollup_key_t *key)
{
    sqlite3_bind_int64(sql, 1, key->project);
    sqlite3_bind_int64(sql, 2, key->level);
    sqlite3_bind_int64(sql, 3, key->start);
    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        sqlite3_bind_int64(sql, 4 + i, key->by[i]);
    }
}

static llmlab_status_t
entry_load(llmlab__connection_t *connection, llmlab__rollup_entry_t *entry)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_ROLLUP_GET);
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    key_bind(sql, &entry->key);
    code = sqlite3_step(sql);
    if (code == SQLITE_ROW) {
        for (int i = 0; i < LLMLAB__SUMS; i++) {
            entry->stored.of[i] = sqlite3_column_int64(sql, 1 + i);
        }
    }
    sqlite3_reset(sql);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return llmlab__connection_fail(connection, "read a roll-up");
    }
    entry->loaded = true;
    return LLMLAB_OK;
}

static llmlab_status_t
entry_write(llmlab__connection_t *connection, llmlab__rollup_entry_t *entry)
{
    sqlite3_stmt *sql;

    if (!entry->loaded) {
        llmlab_status_t status = entry_load(connection, entry);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    if (!llmlab__sums_add(&entry->stored, &entry->delta)) {
        return llmlab__fail(LLMLAB_EOVERFLOW, "a sum would exceed 64 bits");
    }
    sql = llmlab__connection_sql(connection, LLMLAB__SQL_ROLLUP_PUT);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    key_bind(sql, &entry->key);
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        sqlite3_bind_int64(sql, 4 + LLMLAB__DIMENSIONS + i,
                           entry->stored.of[i]);
    }
    memset(&entry->delta, 0, sizeof(entry->delta));
    entry->touched = false;
    return llmlab__connection_run(connection, sql, "store a roll-up");
}

/* Add what a quarter hour got to a coarser row. */
static llmlab_status_t
coarser_add(llmlab__rollup_cache_t *cache,
            const llmlab__rollup_entry_t *quarter, llmlab__view_t view,
            llmlab__level_t level)
{
    llmlab__rollup_key_t key = quarter->key;
    llmlab__rollup_entry_t *entry;
    llmlab_status_t status;

    key.level = (int64_t)view * LLMLAB__LEVELS + level;
    key.start = quarter->key.start * 900 / llmlab__level_seconds(level);
    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        if (!llmlab__view_has(view, (llmlab__dimension_t)i)) {
            key.by[i] = 0;
        }
    }
    status = entry_get(cache, &key, &entry);
    if (status == LLMLAB_OK) {
        status = entry_touch(cache, entry);
    }
    return status == LLMLAB_OK ? delta_add(&entry->delta, &quarter->delta, 1)
                               : status;
}

llmlab_status_t
llmlab__rollup_flush(llmlab__connection_t *connection,
                     llmlab__rollup_cache_t *cache)
{
    size_t quarters = cache->touched_count;
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0; i < quarters && status == LLMLAB_OK; i++) {
        /* From 1: 0 is the quarter hour itself. */
        for (int at = 1;
             at < LLMLAB__VIEWS * LLMLAB__LEVELS && status == LLMLAB_OK; at++) {
            status = coarser_add(cache, cache->touched[i],
                                 (llmlab__view_t)(at / LLMLAB__LEVELS),
                                 (llmlab__level_t)(at % LLMLAB__LEVELS));
        }
    }
    for (size_t i = 0; i < cache->touched_count && status == LLMLAB_OK; i++) {
        status = entry_write(connection, cache->touched[i]);
    }
    cache->touched_count = 0;
    if (cache->count > CACHE_MAX) {
        llmlab__rollup_cache_clear(cache);
    }
    return status;
}
