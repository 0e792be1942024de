/* Changes that people and programs ask for by the API: one at a time, each in
 * a transaction, on a connection beside the batch writer's. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/sqlite/query.h"

/* How long an answer is kept for who asks again. */
#define ANSWER_NS (INT64_C(86400) * 1000000000)

llmlab_status_t
llmlab__sqlite_change_begin(llmlab__store_t *store, llmlab__reader_t **out)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab_status_t status = LLMLAB_OK;

    *out = NULL;
    pthread_mutex_lock(&sqlite->write_lock);
    if (sqlite->changer == NULL) {
        status = llmlab__changer_open(sqlite);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__execute(&sqlite->changer->connection,
                                 "BEGIN IMMEDIATE", "");
    }
    if (status != LLMLAB_OK) {
        pthread_mutex_unlock(&sqlite->write_lock);
        return status;
    }
    *out = sqlite->changer;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__sqlite_change_end(llmlab__store_t *store, llmlab__reader_t *changer,
                          bool commit)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status = LLMLAB_OK;

    for (int i = 0; i < LLMLAB__SQL_COUNT; i++) {
        sqlite3_reset(connection->statements[i]);
    }
    if (commit) {
        status = llmlab__execute(connection, "COMMIT", "");
    }
    if (!sqlite3_get_autocommit(connection->db)) {
        (void)llmlab__execute(connection, "ROLLBACK", "");
    }
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

llmlab_status_t
llmlab__sqlite_audit_add(llmlab__reader_t *changer,
                         const llmlab__audit_t *entry)
{
    return llmlab__execute(
        &changer->connection,
        "INSERT INTO audit(project,at_ns,actor,actor_name,address,action,"
        "target,detail) VALUES(?,?,?,?,?,?,?,?)",
        "iitttttt", entry->project, entry->at_ns, entry->actor,
        entry->actor_name, entry->address, entry->action, entry->target,
        entry->detail);
}

llmlab_status_t
llmlab__sqlite_audit_list(llmlab__reader_t *reader, int64_t project,
                          int64_t before, size_t limit, llmlab__audit_fn visit,
                          void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_OK;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT id,project,at_ns,actor,actor_name,address,action,target,detail "
        "FROM audit WHERE project=? AND id<? ORDER BY id DESC LIMIT ?",
        "iii", project, before, (int64_t)limit);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__audit_t entry = {
            .id = sqlite3_column_int64(sql, 0),
            .project = sqlite3_column_int64(sql, 1),
            .at_ns = sqlite3_column_int64(sql, 2),
            .actor = (const char *)sqlite3_column_text(sql, 3),
            .actor_name = (const char *)sqlite3_column_text(sql, 4),
            .address = (const char *)sqlite3_column_text(sql, 5),
            .action = (const char *)sqlite3_column_text(sql, 6),
            .target = (const char *)sqlite3_column_text(sql, 7),
            .detail = (const char *)sqlite3_column_text(sql, 8)};

        if (!visit(payload, &entry)) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

llmlab_status_t
llmlab__sqlite_answer_find(llmlab__reader_t *changer,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__answer_t *out)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql =
        llmlab__query(connection,
                      "SELECT request,status,answer FROM idempotency "
                      "WHERE hash=? AND at_ns>?",
                      "bi", (const void *)hash, (size_t)LLMLAB__HASH_SIZE,
                      llmlab__clock_real_ns() - ANSWER_NS);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK &&
        sqlite3_column_bytes(sql, 0) == LLMLAB__HASH_SIZE) {
        memcpy(out->request, sqlite3_column_blob(sql, 0), LLMLAB__HASH_SIZE);
        out->status = (unsigned)sqlite3_column_int(sql, 1);
        llmlab__buf_append(&out->sealed, sqlite3_column_blob(sql, 2),
                           (size_t)sqlite3_column_bytes(sql, 2));
    }
    sqlite3_finalize(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_answer_add(llmlab__reader_t *changer,
                          const unsigned char hash[LLMLAB__HASH_SIZE],
                          const llmlab__answer_t *answer)
{
    llmlab__connection_t *connection = &changer->connection;
    int64_t now = llmlab__clock_real_ns();
    llmlab_status_t status =
        llmlab__execute(connection, "DELETE FROM idempotency WHERE at_ns<=?",
                        "i", now - ANSWER_NS);

    return status != LLMLAB_OK
               ? status
               : llmlab__execute(
                     connection,
                     "INSERT INTO idempotency(hash,request,status,answer,at_ns)"
                     " VALUES(?,?,?,?,?)",
                     "bbibi", (const void *)hash, (size_t)LLMLAB__HASH_SIZE,
                     (const void *)answer->request, (size_t)LLMLAB__HASH_SIZE,
                     (int64_t)answer->status, (const void *)answer->sealed.data,
                     answer->sealed.size, now);
}
