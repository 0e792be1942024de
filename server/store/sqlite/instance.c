#include <string.h>

#include "base/status.h"
#include "store/sqlite/apply.h"

static int64_t
greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void
totals_bind(sqlite3_stmt *sql, int column, const llmlab__totals_t *totals)
{
    sqlite3_bind_int64(sql, column, totals->accepted);
    sqlite3_bind_int64(sql, column + 1, totals->delivered);
    sqlite3_bind_int64(sql, column + 2, totals->rejected);
    sqlite3_bind_int64(sql, column + 3, totals->dead);
    sqlite3_bind_int64(sql, column + 4, totals->unsampled);
    sqlite3_bind_int64(sql, column + 5, totals->dropped);
}

static llmlab_status_t
instance_create(llmlab__apply_t *apply)
{
    const llmlab__batch_t *batch = apply->batch;
    sqlite3_stmt *sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_INSTANCE_INSERT);
    llmlab__text_t uuid = {batch->instance, strlen(batch->instance)};
    llmlab__text_t empty = {"", 0};
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    llmlab__bind_text(sql, 1, uuid);
    sqlite3_bind_int64(sql, 2, batch->project);
    sqlite3_bind_int64(sql, 3, batch->api_key);
    llmlab__bind_text(sql, 4,
                      batch->sdk_name.data == NULL ? empty : batch->sdk_name);
    llmlab__bind_text(sql, 5,
                      batch->service.data == NULL ? empty : batch->service);
    llmlab__bind_text(
        sql, 6, batch->environment.data == NULL ? empty : batch->environment);
    llmlab__bind_text(sql, 7,
                      batch->release.data == NULL ? empty : batch->release);
    sqlite3_bind_int64(sql, 8, batch->now_ns);
    totals_bind(sql, 9, &batch->totals);
    status =
        llmlab__connection_run(apply->connection, sql, "store an instance");
    apply->instance = sqlite3_last_insert_rowid(apply->connection->db);
    return status;
}

llmlab_status_t
llmlab__instance_apply(llmlab__apply_t *apply)
{
    llmlab__batch_t *batch = apply->batch;
    llmlab__totals_t *totals = &batch->totals;
    llmlab__text_t uuid = {batch->instance, strlen(batch->instance)};
    sqlite3_stmt *sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_INSTANCE_FIND);
    llmlab__totals_t most;
    int64_t project;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    llmlab__bind_text(sql, 1, uuid);
    code = sqlite3_step(sql);
    if (code == SQLITE_DONE) {
        sqlite3_reset(sql);
        return instance_create(apply);
    }
    if (code != SQLITE_ROW) {
        sqlite3_reset(sql);
        return llmlab__connection_fail(apply->connection, "find an instance");
    }
    apply->instance = sqlite3_column_int64(sql, 0);
    project = sqlite3_column_int64(sql, 1);
    most.accepted = greater(totals->accepted, sqlite3_column_int64(sql, 2));
    most.delivered = greater(totals->delivered, sqlite3_column_int64(sql, 3));
    most.rejected = greater(totals->rejected, sqlite3_column_int64(sql, 4));
    most.dead = greater(totals->dead, sqlite3_column_int64(sql, 5));
    most.unsampled = greater(totals->unsampled, sqlite3_column_int64(sql, 6));
    most.dropped = greater(totals->dropped, sqlite3_column_int64(sql, 7));
    sqlite3_reset(sql);
    if (project != batch->project) {
        batch->problem = "instance-of-another-project";
        return llmlab__fail(LLMLAB_EREJECTED,
                            "the instance belongs to another project");
    }
    sql =
        llmlab__connection_sql(apply->connection, LLMLAB__SQL_INSTANCE_UPDATE);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, apply->instance);
    sqlite3_bind_int64(sql, 2, batch->now_ns);
    totals_bind(sql, 3, &most);
    return llmlab__connection_run(apply->connection, sql, "store totals");
}
