/* Retention: old spans go, in steps that are a transaction each, and the
 * roll-ups stay. */
#include "base/status.h"
#include "store/sqlite/upkeep.h"

static llmlab_status_t
upkeep_keeping(llmlab__reader_t *reader, int64_t after, llmlab__keeping_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql = NULL;
    llmlab_status_t status = LLMLAB_OK;
    int code;

    if (sqlite3_prepare_v2(connection->db,
                           "SELECT id,ifnull(retention_days,0),"
                           "complete_from_ns FROM project WHERE id>? "
                           "ORDER BY id LIMIT 1",
                           -1, &sql, NULL) != SQLITE_OK) {
        return llmlab__connection_fail(connection, "find a project");
    }
    sqlite3_bind_int64(sql, 1, after);
    code = sqlite3_step(sql);
    if (code == SQLITE_ROW) {
        out->project = sqlite3_column_int64(sql, 0);
        out->retention_days = sqlite3_column_int64(sql, 1);
        out->complete_from_ns = sqlite3_column_int64(sql, 2);
    } else {
        status = code == SQLITE_DONE
                     ? llmlab__fail(LLMLAB_ENOTFOUND, "no more projects")
                     : llmlab__connection_fail(connection, "find a project");
    }
    sqlite3_finalize(sql);
    return status;
}

llmlab_status_t
llmlab__upkeep_begin(llmlab__sqlite_t *sqlite)
{
    sqlite3_stmt *sql;

    pthread_mutex_lock(&sqlite->write_lock);
    sql = llmlab__connection_sql(&sqlite->writer, LLMLAB__SQL_BEGIN);
    if (sql == NULL ||
        llmlab__connection_run(&sqlite->writer, sql, "begin") != LLMLAB_OK) {
        pthread_mutex_unlock(&sqlite->write_lock);
        return LLMLAB_EIO;
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__upkeep_end(llmlab__sqlite_t *sqlite, llmlab_status_t status)
{
    if (status == LLMLAB_OK) {
        sqlite3_stmt *sql =
            llmlab__connection_sql(&sqlite->writer, LLMLAB__SQL_COMMIT);

        status = sql == NULL
                     ? LLMLAB_EIO
                     : llmlab__connection_run(&sqlite->writer, sql, "commit");
    }
    if (status != LLMLAB_OK) {
        (void)sqlite3_exec(sqlite->writer.db, "ROLLBACK", NULL, NULL, NULL);
        llmlab__memory_clear(sqlite);
    }
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

llmlab_status_t
llmlab__upkeep_run(llmlab__sqlite_t *sqlite, const char *text,
                   const int64_t *values, int count)
{
    sqlite3_stmt *sql = NULL;
    llmlab_status_t status;

    if (sqlite3_prepare_v2(sqlite->writer.db, text, -1, &sql, NULL) !=
        SQLITE_OK) {
        return llmlab__connection_fail(&sqlite->writer, "delete");
    }
    for (int i = 0; i < count; i++) {
        sqlite3_bind_int64(sql, i + 1, values[i]);
    }
    status = llmlab__connection_run(&sqlite->writer, sql, "delete");
    sqlite3_finalize(sql);
    return status;
}

/* The key of the last span that this step takes: project, start, span, trace.
 * *more: there are others behind it. */
static llmlab_status_t
last_find(llmlab__sqlite_t *sqlite, int64_t project, int64_t before_ns,
          int64_t limit, int64_t key[5], bool *more)
{
    sqlite3_stmt *sql = NULL;
    int code;

    if (sqlite3_prepare_v2(sqlite->writer.db,
                           "SELECT start_ns,span_id,trace_high,trace_low FROM "
                           "span WHERE project=?1 AND start_ns<?2 ORDER BY "
                           "start_ns,span_id,trace_high,trace_low "
                           "LIMIT 1 OFFSET ?3",
                           -1, &sql, NULL) != SQLITE_OK) {
        return llmlab__connection_fail(&sqlite->writer, "find old spans");
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, before_ns);
    sqlite3_bind_int64(sql, 3, limit - 1);
    code = sqlite3_step(sql);
    key[0] = project;
    *more = code == SQLITE_ROW;
    for (int i = 0; i < 4 && *more; i++) {
        key[i + 1] = sqlite3_column_int64(sql, i);
    }
    sqlite3_finalize(sql);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return llmlab__connection_fail(&sqlite->writer, "find old spans");
    }
    return LLMLAB_OK;
}

/* Traces whose last span began before the time. */
static llmlab_status_t
traces_expire(llmlab__sqlite_t *sqlite, int64_t project, int64_t before_ns,
              llmlab__removed_t *out)
{
    sqlite3_stmt *sql = NULL;
    llmlab_status_t status = LLMLAB_OK;
    int code;

    if (sqlite3_prepare_v2(sqlite->writer.db,
                           "DELETE FROM trace WHERE project=?1 AND "
                           "start_ns<?2 AND last_ns<?2 "
                           "RETURNING trace_high,trace_low",
                           -1, &sql, NULL) != SQLITE_OK) {
        return llmlab__connection_fail(&sqlite->writer, "delete traces");
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, before_ns);
    while ((code = sqlite3_step(sql)) == SQLITE_ROW && status == LLMLAB_OK) {
        int64_t key[3] = {project, sqlite3_column_int64(sql, 0),
                          sqlite3_column_int64(sql, 1)};

        out->traces++;
        llmlab__trace_forget(&sqlite->traces, project, (uint64_t)key[1],
                             (uint64_t)key[2]);
        status = llmlab__upkeep_run(sqlite,
                                    "DELETE FROM score WHERE project=? AND "
                                    "trace_high=? AND trace_low=?",
                                    key, 3);
    }
    if (status == LLMLAB_OK && code != SQLITE_DONE) {
        status = llmlab__connection_fail(&sqlite->writer, "delete traces");
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
step(llmlab__sqlite_t *sqlite, int64_t project, int64_t before_ns,
     int64_t limit, llmlab__removed_t *out)
{
    int64_t values[2] = {project, before_ns};
    int64_t key[5];
    llmlab_status_t status = llmlab__upkeep_run(
        sqlite,
        "UPDATE project SET complete_from_ns=?2 WHERE id=?1 AND "
        "complete_from_ns<?2",
        values, 2);

    if (status == LLMLAB_OK) {
        status = last_find(sqlite, project, before_ns, limit, key, &out->more);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    if (out->more) {
        status = llmlab__upkeep_run(
            sqlite,
            "DELETE FROM span WHERE project=?1 AND (start_ns,span_id,"
            "trace_high,trace_low)<=(?2,?3,?4,?5)",
            key, 5);
        values[1] = key[1];
    } else {
        status = llmlab__upkeep_run(
            sqlite, "DELETE FROM span WHERE project=? AND start_ns<?", values,
            2);
    }
    out->spans = sqlite3_changes(sqlite->writer.db);
    if (status == LLMLAB_OK) {
        status = traces_expire(sqlite, project, values[1], out);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__upkeep_run(
            sqlite, "DELETE FROM remainder WHERE project=? AND start_ns<?",
            values, 2);
    }
    return status;
}

static llmlab_status_t
upkeep_expire(llmlab__store_t *store, int64_t project, int64_t before_ns,
              int64_t limit, llmlab__removed_t *out)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab_status_t status = llmlab__upkeep_begin(sqlite);

    *out = (llmlab__removed_t){0};
    if (status == LLMLAB_OK) {
        status = llmlab__upkeep_end(
            sqlite, step(sqlite, project, before_ns, limit, out));
    }
    return status;
}

const llmlab__upkeep_ops_t llmlab__sqlite_upkeep_ops = {
    .keeping = upkeep_keeping,
    .expire = upkeep_expire,
};
