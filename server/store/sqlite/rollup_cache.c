#include "store/sqlite/rollup_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"
#include "store/pack.h"
#include "store/sqlite/sqlite_store.h"

/* Rows in memory, about 600 bytes each, and their latencies. Above either all
 * are forgotten. */
#define CACHE_MAX   (24 * 1024)
#define LATENCY_MAX (8u << 20)

static void
entry_free(llmlab__rollup_entry_t *entry)
{
    if (entry != NULL) {
        llmlab__buf_cleanup(&entry->latency);
        llmlab__free(entry->latency_delta.of);
        llmlab__free(entry);
    }
}

void
llmlab__rollup_cache_clear(llmlab__rollup_cache_t *cache)
{
    for (size_t i = 0; i < cache->capacity; i++) {
        entry_free(cache->slots[i]);
        cache->slots[i] = NULL;
    }
    cache->count = 0;
    cache->bytes = 0;
    cache->touched_count = 0;
    memset(cache->last, 0, sizeof(cache->last));
}

void
llmlab__rollup_cache_cleanup(llmlab__rollup_cache_t *cache)
{
    llmlab__rollup_cache_clear(cache);
    llmlab__free(cache->slots);
    llmlab__free(cache->touched);
    llmlab__buf_cleanup(&cache->scratch);
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

static uint64_t
key_hash(const llmlab__rollup_key_t *key)
{
    return llmlab__hash_bytes(llmlab__hash_seed, key, sizeof(*key)) | 1;
}

/* Its slot, or the empty one where it would be. */
static size_t
slot_of(const llmlab__rollup_cache_t *cache, const llmlab__rollup_key_t *key)
{
    const llmlab__rollup_entry_t *entry;
    uint64_t hash = key_hash(key);
    size_t at = hash & (cache->capacity - 1);

    while (
        (entry = cache->slots[at]) != NULL &&
        (entry->hash != hash || memcmp(&entry->key, key, sizeof(*key)) != 0)) {
        at = (at + 1) & (cache->capacity - 1);
    }
    return at;
}

llmlab__rollup_entry_t *
llmlab__rollup_find(const llmlab__rollup_cache_t *cache,
                    const llmlab__rollup_key_t *key)
{
    return cache->capacity == 0 ? NULL : cache->slots[slot_of(cache, key)];
}

static llmlab_status_t
entry_get(llmlab__rollup_cache_t *cache, const llmlab__rollup_key_t *key,
          llmlab__rollup_entry_t **out)
{
    llmlab__rollup_entry_t *entry;
    llmlab_status_t status;
    size_t at;

    if (cache->count * 2 >= cache->capacity) {
        status = cache_grow(cache);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    at = slot_of(cache, key);
    if (cache->slots[at] != NULL) {
        *out = cache->slots[at];
        return LLMLAB_OK;
    }
    entry = llmlab__calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for roll-ups");
    }
    entry->hash = key_hash(key);
    entry->key = *key;
    llmlab__buf_init(&entry->latency);
    cache->slots[at] = entry;
    cache->count++;
    *out = entry;
    return LLMLAB_OK;
}

/* Deltas may be negative, and their rests stay unsettled until the flush. */
static bool
delta_add(llmlab__sums_t *delta, const llmlab__sums_t *sums, int sign)
{
    bool overflow = false;

    for (int i = 0; i < LLMLAB__SUMS; i++) {
        int64_t *sum = &delta->of[i];

        overflow |= sign > 0 ? __builtin_add_overflow(*sum, sums->of[i], sum)
                             : __builtin_sub_overflow(*sum, sums->of[i], sum);
    }
    return !overflow;
}

static llmlab_status_t
too_large(void)
{
    return llmlab__fail(LLMLAB_EOVERFLOW, "a sum would exceed 64 bits");
}

llmlab_status_t
llmlab__rollup_add(llmlab__rollup_cache_t *cache,
                   const llmlab__rollup_key_t *key,
                   const llmlab__contribution_t *what, int sign)
{
    llmlab__rollup_entry_t *entry = cache->last[key->view];
    llmlab_status_t status;

    if (entry == NULL || memcmp(&entry->key, key, sizeof(*key)) != 0) {
        status = entry_get(cache, key, &entry);
        if (status != LLMLAB_OK) {
            return status;
        }
        cache->last[key->view] = entry;
    }
    status = entry_touch(cache, entry);
    if (status != LLMLAB_OK) {
        return status;
    }
    if (!delta_add(&entry->delta, &what->sums, sign)) {
        return too_large();
    }
    if (what->latency_ns >= 0 &&
        !llmlab__latency_delta_add(&entry->latency_delta,
                                   llmlab__latency_bucket(what->latency_ns),
                                   sign)) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for latencies");
    }
    return LLMLAB_OK;
}

static void
key_bind(sqlite3_stmt *sql, const llmlab__rollup_entry_t *entry)
{
    sqlite3_bind_int64(sql, 1, entry->key.project);
    sqlite3_bind_int(sql, 2, entry->key.view);
    sqlite3_bind_int(sql, 3, entry->key.level);
    sqlite3_bind_int64(sql, 4, entry->key.start);
    sqlite3_bind_int64(sql, 5, entry->series);
}

static llmlab_status_t
entry_load(llmlab__connection_t *connection, llmlab__rollup_cache_t *cache,
           llmlab__rollup_entry_t *entry)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_ROLLUP_GET);
    llmlab_status_t status = llmlab__series_intern(
        connection, entry->key.project, (llmlab__view_t)entry->key.view,
        entry->key.by, &entry->series);
    llmlab__text_t latency;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    key_bind(sql, entry);
    code = sqlite3_step(sql);
    if (code == SQLITE_ROW) {
        latency = llmlab__column_blob(sql, 1);
        llmlab__buf_append(&entry->latency, latency.data, latency.size);
        cache->bytes += latency.size;
        if (!llmlab__sums_unpack(llmlab__column_blob(sql, 0), &entry->stored)) {
            status = llmlab__fail(LLMLAB_EIO, "a stored sum is damaged");
        }
    }
    sqlite3_reset(sql);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return llmlab__connection_fail(connection, "read a roll-up");
    }
    entry->loaded = true;
    return status;
}

static llmlab_status_t
latency_settle(llmlab__rollup_cache_t *cache, llmlab__rollup_entry_t *entry)
{
    llmlab__text_t packed = {(const char *)entry->latency.data,
                             entry->latency.size};

    if (entry->latency_delta.count == 0) {
        return LLMLAB_OK;
    }
    llmlab__buf_clear(&cache->scratch);
    if (!llmlab__latency_apply(packed, &entry->latency_delta,
                               &cache->scratch)) {
        return llmlab__fail(LLMLAB_EIO, "a stored latency is damaged");
    }
    cache->bytes += cache->scratch.size - entry->latency.size;
    llmlab__buf_clear(&entry->latency);
    llmlab__buf_append(&entry->latency, cache->scratch.data,
                       cache->scratch.size);
    entry->latency_delta.count = 0;
    return entry->latency.failed
               ? llmlab__fail(LLMLAB_ENOMEM, "no memory for latencies")
               : LLMLAB_OK;
}

static llmlab_status_t
entry_write(llmlab__connection_t *connection, llmlab__rollup_cache_t *cache,
            llmlab__rollup_entry_t *entry)
{
    unsigned char packed[LLMLAB__PACK_MAX];
    sqlite3_stmt *sql;
    llmlab_status_t status = LLMLAB_OK;

    if (!entry->loaded) {
        status = entry_load(connection, cache, entry);
    }
    if (status == LLMLAB_OK) {
        status = latency_settle(cache, entry);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    if (!llmlab__sums_add(&entry->stored, &entry->delta)) {
        return too_large();
    }
    sql = llmlab__connection_sql(connection, LLMLAB__SQL_ROLLUP_PUT);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    key_bind(sql, entry);
    sqlite3_bind_blob64(sql, 6, packed,
                        llmlab__sums_pack(&entry->stored, packed),
                        SQLITE_STATIC);
    if (entry->latency.size > 0) {
        sqlite3_bind_blob64(sql, 7, entry->latency.data, entry->latency.size,
                            SQLITE_STATIC);
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
    const llmlab__latency_delta_t *latency = &quarter->latency_delta;
    llmlab__rollup_entry_t *entry;
    llmlab_status_t status;

    key.view = (int32_t)view;
    key.level = (int32_t)level;
    key.start = quarter->key.start * 900 / llmlab__level_seconds(level);
    for (int i = 0; i < LLMLAB__ROLLED; i++) {
        if (!(llmlab__view_dimensions(view) >> i & 1)) {
            key.by[i] = 0;
        }
    }
    status = entry_get(cache, &key, &entry);
    if (status == LLMLAB_OK) {
        status = entry_touch(cache, entry);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    if (view == LLMLAB__VIEW_ALL && level == LLMLAB__LEVEL_DAY &&
        cache->changes != NULL) {
        llmlab__changes_note(cache->changes, key.project, key.start,
                             cache->number);
    }
    if (!delta_add(&entry->delta, &quarter->delta, 1)) {
        return too_large();
    }
    for (uint32_t i = 0; i < latency->count; i++) {
        if (!llmlab__latency_delta_add(&entry->latency_delta,
                                       latency->of[i].bucket,
                                       latency->of[i].count)) {
            return llmlab__fail(LLMLAB_ENOMEM, "no memory for latencies");
        }
    }
    return LLMLAB_OK;
}

/* Users and tags are gathered on their own, all else follows from VIEW_ALL. */
static llmlab_status_t
coarser_add_all(llmlab__rollup_cache_t *cache,
                const llmlab__rollup_entry_t *quarter)
{
    static const llmlab__view_t from_all[] = {
        LLMLAB__VIEW_ALL, LLMLAB__VIEW_MODEL, LLMLAB__VIEW_AGENT,
        LLMLAB__VIEW_SENDER};
    llmlab__view_t own = (llmlab__view_t)quarter->key.view;
    size_t views =
        own == LLMLAB__VIEW_ALL ? sizeof(from_all) / sizeof(from_all[0]) : 1;
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0; i < views && status == LLMLAB_OK; i++) {
        llmlab__view_t view = own == LLMLAB__VIEW_ALL ? from_all[i] : own;

        for (int level = view == own;
             level < LLMLAB__LEVELS && status == LLMLAB_OK; level++) {
            status = coarser_add(cache, quarter, view, (llmlab__level_t)level);
        }
    }
    return status;
}

llmlab_status_t
llmlab__rollup_gather(llmlab__rollup_cache_t *cache)
{
    size_t quarters = cache->touched_count;
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0; i < quarters && status == LLMLAB_OK; i++) {
        status = coarser_add_all(cache, cache->touched[i]);
    }
    return status;
}

llmlab_status_t
llmlab__rollup_flush(llmlab__connection_t *connection,
                     llmlab__rollup_cache_t *cache)
{
    llmlab_status_t status = llmlab__rollup_gather(cache);

    for (size_t i = 0; i < cache->touched_count && status == LLMLAB_OK; i++) {
        status = entry_write(connection, cache, cache->touched[i]);
    }
    cache->touched_count = 0;
    if (cache->count > CACHE_MAX || cache->bytes > LATENCY_MAX) {
        llmlab__rollup_cache_clear(cache);
    }
    return status;
}
