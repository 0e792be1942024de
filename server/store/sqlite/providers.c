/* Accounts at providers. */
#include <string.h>

#include "base/clock.h"
#include "store/sqlite/admin.h"

#define COLUMNS                                                           \
    "id,project,provider,name,settings,secret,hint,status,error_message," \
    "verified_ns,created_ns,version"

static void
provider_read(sqlite3_stmt *sql, llmlab__provider_t *out)
{
    out->id = sqlite3_column_int64(sql, 0);
    out->project = sqlite3_column_int64(sql, 1);
    out->provider = (const char *)sqlite3_column_text(sql, 2);
    out->name = (const char *)sqlite3_column_text(sql, 3);
    out->settings = (const char *)sqlite3_column_text(sql, 4);
    out->secret = sqlite3_column_blob(sql, 5);
    out->secret_size = (size_t)sqlite3_column_bytes(sql, 5);
    out->hint = (const char *)sqlite3_column_text(sql, 6);
    out->status = (llmlab__provider_status_t)sqlite3_column_int(sql, 7);
    out->error_message = (const char *)sqlite3_column_text(sql, 8);
    out->verified_ns = sqlite3_column_int64(sql, 9);
    out->created_ns = sqlite3_column_int64(sql, 10);
    out->version = sqlite3_column_int64(sql, 11);
}

static llmlab_status_t
walk(llmlab__connection_t *connection, sqlite3_stmt *sql, size_t *out_rows,
     llmlab__provider_fn visit, void *payload)
{
    llmlab_status_t status;

    *out_rows = 0;
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__provider_t provider;

        ++*out_rows;
        provider_read(sql, &provider);
        if (!visit(payload, &provider)) {
            break;
        }
    }
    return llmlab__walk_end(sql, status);
}

llmlab_status_t
llmlab__sqlite_providers(llmlab__reader_t *reader, int64_t project,
                         int64_t after, size_t limit, llmlab__provider_fn visit,
                         void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    size_t rows;

    return walk(connection,
                llmlab__query(connection,
                              "SELECT " COLUMNS " FROM provider_account WHERE "
                              "project=? AND id>? ORDER BY id LIMIT ?",
                              "iii", project, after, (int64_t)limit),
                &rows, visit, payload);
}

llmlab_status_t
llmlab__sqlite_provider_get(llmlab__reader_t *reader, int64_t project,
                            int64_t id, llmlab__provider_fn visit,
                            void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    size_t rows;
    llmlab_status_t status =
        walk(connection,
             llmlab__query(connection,
                           "SELECT " COLUMNS " FROM provider_account WHERE "
                           "project=? AND id=?",
                           "ii", project, id),
             &rows, visit, payload);

    return status == LLMLAB_OK && rows == 0 ? LLMLAB_ENOTFOUND : status;
}

llmlab_status_t
llmlab__sqlite_provider_add(llmlab__reader_t *changer,
                            llmlab__provider_t *provider)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status;

    provider->created_ns = llmlab__clock_real_ns();
    provider->version = 1;
    status = llmlab__execute(
        connection,
        "INSERT INTO provider_account(project,provider,name,settings,secret,"
        "hint,status,created_ns) VALUES(?,?,?,?,?,?,?,?)",
        "itttbtii", provider->project, provider->provider, provider->name,
        provider->settings, provider->secret, provider->secret_size,
        provider->hint, (int64_t)provider->status, provider->created_ns);
    provider->id = sqlite3_last_insert_rowid(connection->db);
    return status;
}

llmlab_status_t
llmlab__sqlite_provider_update(llmlab__reader_t *changer,
                               const llmlab__provider_t *provider)
{
    return llmlab__execute_one(
        &changer->connection,
        "UPDATE provider_account SET name=?3,settings=?4,secret=?5,hint=?6,"
        "status=?7,error_message=?8,verified_ns=?9,version=version+1 WHERE "
        "project=?1 AND id=?2",
        "iittbtitn", provider->project, provider->id, provider->name,
        provider->settings, provider->secret, provider->secret_size,
        provider->hint, (int64_t)provider->status, provider->error_message,
        provider->verified_ns);
}

llmlab_status_t
llmlab__sqlite_provider_remove(llmlab__reader_t *changer, int64_t project,
                               int64_t id)
{
    return llmlab__execute_one(
        &changer->connection,
        "DELETE FROM provider_account WHERE project=? AND id=?", "ii", project,
        id);
}

llmlab_status_t
llmlab__sqlite_provider_secrets(llmlab__reader_t *reader,
                                llmlab__provider_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    size_t rows;

    return walk(connection,
                llmlab__query(connection,
                              "SELECT " COLUMNS " FROM provider_account", ""),
                &rows, visit, payload);
}

llmlab_status_t
llmlab__sqlite_provider_reseal(llmlab__reader_t *changer, int64_t id,
                               const void *secret, size_t size)
{
    return llmlab__execute_one(&changer->connection,
                               "UPDATE provider_account SET secret=?2 "
                               "WHERE id=?1",
                               "ib", id, secret, size);
}
