#include "store/sqlite/label_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"
#include "store/sqlite/sqlite_store.h"

uint64_t llmlab__hash_seed;

/* Labels in memory; more are looked up again. */
#define CACHE_MAX (128 * 1024)

/* New labels of a kind per project and day. */
static int64_t
day_cap(llmlab__label_kind_t kind)
{
    switch (kind) {
    case LLMLAB__LABEL_USER:
        return 100000;
    case LLMLAB__LABEL_PROVIDER:
    case LLMLAB__LABEL_ENVIRONMENT:
        return 200;
    default:
        return 2000;
    }
}

void
llmlab__label_cache_clear(llmlab__label_cache_t *cache)
{
    for (size_t i = 0; i < cache->capacity; i++) {
        llmlab__free(cache->entries[i].text);
        cache->entries[i].hash = 0;
        cache->entries[i].text = NULL;
    }
    cache->count = 0;
    cache->quota_count = 0;
}

void
llmlab__label_cache_cleanup(llmlab__label_cache_t *cache)
{
    llmlab__label_cache_clear(cache);
    llmlab__free(cache->entries);
    llmlab__free(cache->quotas);
    memset(cache, 0, sizeof(*cache));
}

static llmlab__label_entry_t *
slot_find(const llmlab__label_cache_t *cache, uint64_t hash, int64_t project,
          llmlab__label_kind_t kind, llmlab__text_t text)
{
    size_t mask = cache->capacity - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        llmlab__label_entry_t *entry = &cache->entries[i];

        if (entry->hash == 0 ||
            (entry->hash == hash && entry->project == project &&
             entry->kind == (uint32_t)kind && entry->size == text.size &&
             memcmp(entry->text, text.data, text.size) == 0)) {
            return entry;
        }
    }
}

static llmlab_status_t
cache_grow(llmlab__label_cache_t *cache)
{
    size_t capacity = cache->capacity == 0 ? 1024 : cache->capacity * 2;
    llmlab__label_entry_t *old = cache->entries;
    size_t old_capacity = cache->capacity;
    llmlab__label_entry_t *entries = llmlab__calloc(capacity, sizeof(*entries));

    if (entries == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for labels");
    }
    cache->entries = entries;
    cache->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].hash != 0) {
            size_t at = old[i].hash & (capacity - 1);

            while (entries[at].hash != 0) {
                at = (at + 1) & (capacity - 1);
            }
            entries[at] = old[i];
        }
    }
    llmlab__free(old);
    return LLMLAB_OK;
}

static llmlab_status_t
id_load(llmlab__connection_t *connection, int64_t project,
        llmlab__label_kind_t kind, llmlab__text_t text, int64_t *out)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_LABEL_FIND);
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int(sql, 2, (int)kind);
    llmlab__bind_text(sql, 3, text);
    code = sqlite3_step(sql);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(sql, 0) : 0;
    sqlite3_reset(sql);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "find a label");
}

static llmlab_status_t
id_create(llmlab__connection_t *connection, int64_t project,
          llmlab__label_kind_t kind, llmlab__text_t text, int64_t day,
          int64_t *out)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_LABEL_INSERT);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int(sql, 2, (int)kind);
    llmlab__bind_text(sql, 3, text);
    sqlite3_bind_int64(sql, 4, day);
    status = llmlab__connection_run(connection, sql, "store a label");
    *out = sqlite3_last_insert_rowid(connection->db);
    return status;
}

static llmlab_status_t
quota_get(llmlab__connection_t *connection, llmlab__label_cache_t *cache,
          int64_t project, llmlab__label_kind_t kind, int64_t day,
          llmlab__label_quota_t **out)
{
    llmlab__label_quota_t *quota = NULL;
    sqlite3_stmt *sql;

    for (size_t i = 0; i < cache->quota_count; i++) {
        quota = &cache->quotas[i];
        if (quota->project == project && quota->kind == (uint32_t)kind) {
            *out = quota;
            if (quota->day != day) {
                quota->day = day;
                quota->count = 0;
            }
            return LLMLAB_OK;
        }
    }
    if (cache->quota_count == cache->quota_capacity) {
        size_t capacity =
            cache->quota_capacity == 0 ? 64 : cache->quota_capacity * 2;
        void *grown = llmlab__realloc(cache->quotas, capacity * sizeof(*quota));

        if (grown == NULL) {
            return llmlab__fail(LLMLAB_ENOMEM, "no memory for labels");
        }
        cache->quotas = grown;
        cache->quota_capacity = capacity;
    }
    sql = llmlab__connection_sql(connection, LLMLAB__SQL_LABEL_COUNT);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int(sql, 2, (int)kind);
    sqlite3_bind_int64(sql, 3, day);
    if (sqlite3_step(sql) != SQLITE_ROW) {
        sqlite3_reset(sql);
        return llmlab__connection_fail(connection, "count labels");
    }
    quota = &cache->quotas[cache->quota_count++];
    quota->project = project;
    quota->kind = (uint32_t)kind;
    quota->day = day;
    quota->count = sqlite3_column_int64(sql, 0);
    sqlite3_reset(sql);
    *out = quota;
    return LLMLAB_OK;
}

/* Find or make; a text above the cap becomes `other`. */
static llmlab_status_t
id_resolve(llmlab__connection_t *connection, llmlab__label_cache_t *cache,
           int64_t project, llmlab__label_kind_t kind, llmlab__text_t text,
           int64_t day, int64_t *out)
{
    static const llmlab__text_t other = {LLMLAB__LABEL_OTHER,
                                         sizeof(LLMLAB__LABEL_OTHER) - 1};
    llmlab__label_quota_t *quota = NULL;
    llmlab_status_t status = id_load(connection, project, kind, text, out);

    if (status != LLMLAB_OK || *out != 0) {
        return status;
    }
    if (cache->find_only) {
        return id_load(connection, project, kind, other, out);
    }
    status = quota_get(connection, cache, project, kind, day, &quota);
    if (status != LLMLAB_OK) {
        return status;
    }
    if (quota->count >= day_cap(kind)) {
        cache->capped++;
        status = id_load(connection, project, kind, other, out);
        if (status != LLMLAB_OK || *out != 0) {
            return status;
        }
        return id_create(connection, project, kind, other, day, out);
    }
    quota->count++;
    return id_create(connection, project, kind, text, day, out);
}

llmlab_status_t
llmlab__label_intern(llmlab__connection_t *connection,
                     llmlab__label_cache_t *cache, int64_t project,
                     llmlab__label_kind_t kind, llmlab__text_t text,
                     int64_t day, int64_t *out)
{
    llmlab__label_entry_t *entry;
    llmlab_status_t status;
    uint64_t hash;
    char *copy;

    *out = 0;
    if (text.size == 0) {
        return LLMLAB_OK;
    }
    if (cache->count * 4 >= cache->capacity * 3) {
        if (cache->count >= CACHE_MAX) {
            llmlab__label_cache_clear(cache);
        } else {
            status = cache_grow(cache);
            if (status != LLMLAB_OK) {
                return status;
            }
        }
    }
    hash = llmlab__hash_bytes(llmlab__hash_seed ^ (uint64_t)project ^
                                  ((uint64_t)kind << 56),
                              text.data, text.size) |
           1;
    entry = slot_find(cache, hash, project, kind, text);
    if (entry->hash != 0) {
        *out = entry->id;
        return LLMLAB_OK;
    }
    status = id_resolve(connection, cache, project, kind, text, day, out);
    if (status != LLMLAB_OK) {
        return status;
    }
    copy = llmlab__strndup(text.data, text.size);
    if (copy != NULL) {
        entry->hash = hash;
        entry->id = *out;
        entry->project = project;
        entry->kind = (uint32_t)kind;
        entry->size = (uint32_t)text.size;
        entry->text = copy;
        cache->count++;
    }
    return LLMLAB_OK;
}
