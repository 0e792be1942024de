#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "base/status.h"
#include "store/sqlite/query.h"

void
llmlab__project_read(sqlite3_stmt *sql, llmlab__project_t *out)
{
    memset(out, 0, sizeof(*out));
    out->id = sqlite3_column_int64(sql, 0);
    llmlab__column_copy(sql, 1, out->uuid, sizeof(out->uuid));
    llmlab__column_copy(sql, 2, out->slug, sizeof(out->slug));
    llmlab__column_copy(sql, 3, out->name, sizeof(out->name));
    out->created_ns = sqlite3_column_int64(sql, 4);
    out->archived_ns = sqlite3_column_int64(sql, 5);
    out->version = sqlite3_column_int64(sql, 6);
    out->retention_days = sqlite3_column_int64(sql, 7);
}

static llmlab_status_t
project_step(llmlab__connection_t *connection, sqlite3_stmt *sql,
             llmlab__project_t *out)
{
    int code = sqlite3_step(sql);
    llmlab_status_t status = LLMLAB_OK;

    if (code == SQLITE_ROW) {
        llmlab__project_read(sql, out);
    } else if (code == SQLITE_DONE) {
        status = llmlab__fail(LLMLAB_ENOTFOUND, "no such project");
    } else {
        status = llmlab__connection_fail(connection, "find a project");
    }
    sqlite3_reset(sql);
    return status;
}

static llmlab_status_t
project_find(llmlab__connection_t *connection, const char *name,
             llmlab__project_t *out)
{
    llmlab__text_t text = {name, strlen(name)};
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_PROJECT_FIND);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    llmlab__bind_text(sql, 1, text);
    status = project_step(connection, sql, out);
    if (status != LLMLAB_ENOTFOUND) {
        return status;
    }
    sql = llmlab__connection_sql(connection, LLMLAB__SQL_PROJECT_FORMER);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    llmlab__bind_text(sql, 1, text);
    status = project_step(connection, sql, out);
    out->renamed = status == LLMLAB_OK;
    return status;
}

llmlab_status_t
llmlab__sqlite_project_find(llmlab__reader_t *reader, const char *name,
                            llmlab__project_t *out)
{
    return project_find(&reader->connection, name, out);
}

llmlab_status_t
llmlab__sqlite_project_get(llmlab__reader_t *reader, int64_t id,
                           llmlab__project_t *out)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(&reader->connection, LLMLAB__SQL_PROJECT_GET);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, id);
    return project_step(&reader->connection, sql, out);
}

/* Run a statement that is needed too seldom to be kept. */
static llmlab_status_t
statement_once(llmlab__connection_t *connection, const char *text,
               sqlite3_stmt **out)
{
    return sqlite3_prepare_v2(connection->db, text, -1, out, NULL) == SQLITE_OK
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "prepare a statement");
}

void
llmlab__key_read(sqlite3_stmt *sql, llmlab__key_t *out)
{
    const void *hash;

    memset(out, 0, sizeof(*out));
    out->id = sqlite3_column_int64(sql, 0);
    out->project = sqlite3_column_int64(sql, 1);
    out->scope = (llmlab__scope_t)sqlite3_column_int(sql, 2);
    out->created_ns = sqlite3_column_int64(sql, 3);
    out->expires_ns = sqlite3_column_int64(sql, 4);
    out->revoked_ns = sqlite3_column_int64(sql, 5);
    hash = sqlite3_column_blob(sql, 6);
    if (hash != NULL && sqlite3_column_bytes(sql, 6) == LLMLAB__HASH_SIZE) {
        memcpy(out->hash, hash, LLMLAB__HASH_SIZE);
    }
    llmlab__column_copy(sql, 7, out->hint, sizeof(out->hint));
    llmlab__column_copy(sql, 8, out->name, sizeof(out->name));
    llmlab__column_copy(sql, 9, out->slug, sizeof(out->slug));
    out->last_used_ns = sqlite3_column_int64(sql, 10);
    out->requests_minute = sqlite3_column_int64(sql, 11);
    out->rotated_from = sqlite3_column_int64(sql, 12);
    llmlab__column_copy(sql, 13, out->created_by, sizeof(out->created_by));
    out->version = sqlite3_column_int64(sql, 14);
}

llmlab_status_t
llmlab__sqlite_key_find(llmlab__reader_t *reader,
                        const unsigned char hash[LLMLAB__HASH_SIZE],
                        llmlab__key_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_KEY_FIND);
    llmlab_status_t status = LLMLAB_OK;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_blob(sql, 1, hash, LLMLAB__HASH_SIZE, SQLITE_STATIC);
    code = sqlite3_step(sql);
    if (code == SQLITE_ROW) {
        llmlab__key_read(sql, out);
    } else if (code == SQLITE_DONE) {
        status = llmlab__fail(LLMLAB_ENOTFOUND, "no such key");
    } else {
        status = llmlab__connection_fail(connection, "find a key");
    }
    sqlite3_reset(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_secret(llmlab__store_t *store, unsigned char out[32])
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab__connection_t *connection = &sqlite->writer;
    sqlite3_stmt *sql = NULL;
    llmlab_status_t status;

    llmlab__os_random(out, 32);
    pthread_mutex_lock(&sqlite->write_lock);
    status = statement_once(connection,
                            "INSERT INTO setting(name,value) VALUES('secret',?)"
                            " ON CONFLICT DO UPDATE SET value=value "
                            "RETURNING value",
                            &sql);
    if (status == LLMLAB_OK) {
        sqlite3_bind_blob(sql, 1, out, 32, SQLITE_STATIC);
        if (sqlite3_step(sql) == SQLITE_ROW &&
            sqlite3_column_bytes(sql, 0) == 32) {
            memcpy(out, sqlite3_column_blob(sql, 0), 32);
        } else {
            status = llmlab__connection_fail(connection, "read the secret");
        }
        /* RETURNING's write ends with the last step. */
        (void)sqlite3_step(sql);
    }
    sqlite3_finalize(sql);
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}
