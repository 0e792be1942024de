/* Retention: old spans go, in steps that are a transaction each, and the
 * roll-ups stay. */
#include "base/status.h"
#include "store/sqlite/query.h"
#include "store/sqlite/upkeep.h"

static llmlab_status_t
upkeep_keeping(llmlab__reader_t *reader, int64_t after, llmlab__keeping_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql =
        llmlab__query(connection,
                      "SELECT id,ifnull(retention_days,0),complete_from_ns "
                      "FROM project WHERE id>? ORDER BY id LIMIT 1",
                      "i", after);

    if (sql != NULL) {
        status = llmlab__query_step(connection, sql);
    }
    if (status == LLMLAB_OK) {
        out->project = sqlite3_column_int64(sql, 0);
        out->retention_days = sqlite3_column_int64(sql, 1);
        out->complete_from_ns = sqlite3_column_int64(sql, 2);
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
upkeep_retain(llmlab__reader_t *changer, int64_t project, int64_t days)
{
    return llmlab__execute_one(&changer->connection,
                               "UPDATE project SET retention_days=? WHERE id=?",
                               "ni", days, project);
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
    atomic_fetch_add(&sqlite->rewrites, 1);
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
    atomic_fetch_add(&sqlite->rewrites, 1);
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

/* The key of the last span that this step takes: start, span, trace. *more:
 * there are others behind it. */
static llmlab_status_t
last_find(llmlab__sqlite_t *sqlite, int64_t project, int64_t before_ns,
          int64_t limit, int64_t key[4], bool *more)
{
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        &sqlite->writer,
        "SELECT start_ns,span_id,trace_high,trace_low FROM span WHERE "
        "project=? AND start_ns<? ORDER BY start_ns,span_id,trace_high,"
        "trace_low LIMIT 1 OFFSET ?",
        "iii", project, before_ns, limit - 1);

    if (sql != NULL) {
        status = llmlab__query_step(&sqlite->writer, sql);
    }
    *more = status == LLMLAB_OK;
    for (int i = 0; i < 4 && *more; i++) {
        key[i] = sqlite3_column_int64(sql, i);
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* Traces whose last span began before the time. */
static llmlab_status_t
traces_expire(llmlab__sqlite_t *sqlite, int64_t project, int64_t before_ns,
              llmlab__removed_t *out)
{
    llmlab__connection_t *connection = &sqlite->writer;
    llmlab_status_t status = LLMLAB_OK;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "DELETE FROM trace WHERE project=?1 AND start_ns<?2 AND last_ns<?2 "
        "RETURNING trace_high,trace_low",
        "ii", project, before_ns);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while (status == LLMLAB_OK &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        int64_t high = sqlite3_column_int64(sql, 0);
        int64_t low = sqlite3_column_int64(sql, 1);

        out->traces++;
        llmlab__trace_forget(&sqlite->traces, project, (uint64_t)high,
                             (uint64_t)low);
        status = llmlab__execute(connection,
                                 "DELETE FROM score WHERE project=? AND "
                                 "trace_high=? AND trace_low=?",
                                 "iii", project, high, low);
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static llmlab_status_t
step(llmlab__sqlite_t *sqlite, int64_t project, int64_t before_ns,
     int64_t limit, llmlab__removed_t *out)
{
    llmlab__connection_t *connection = &sqlite->writer;
    int64_t key[4] = {before_ns, INT64_MIN, INT64_MIN, INT64_MIN};
    llmlab_status_t status =
        llmlab__execute(connection,
                        "UPDATE project SET complete_from_ns=?1 WHERE id=?2 "
                        "AND complete_from_ns<?1",
                        "ii", before_ns, project);

    if (status == LLMLAB_OK) {
        status = last_find(sqlite, project, before_ns, limit, key, &out->more);
    }
    if (status == LLMLAB_OK) {
        status =
            llmlab__execute(connection,
                            "DELETE FROM span WHERE project=? AND "
                            "(start_ns,span_id,trace_high,trace_low)<="
                            "(?,?,?,?)",
                            "iiiii", project, key[0], key[1], key[2], key[3]);
        out->spans = sqlite3_changes(connection->db);
    }
    if (status == LLMLAB_OK) {
        status = traces_expire(sqlite, project, key[0], out);
    }
    if (status == LLMLAB_OK) { /* whose trace never came */
        status = llmlab__execute(
            connection,
            "DELETE FROM score WHERE row IN (SELECT row FROM score s WHERE "
            "project=? AND at_ns<? AND NOT EXISTS (SELECT 1 FROM trace t WHERE "
            "t.project=s.project AND t.trace_high=s.trace_high AND "
            "t.trace_low=s.trace_low) LIMIT 10000)",
            "ii", project, key[0]);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__execute(
            connection, "DELETE FROM remainder WHERE project=? AND start_ns<?",
            "ii", project, key[0]);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__execute(
            connection,
            "DELETE FROM deleted_trace WHERE project=? AND last_ns<?", "ii",
            project, key[0]);
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

static llmlab_status_t
upkeep_backup(llmlab__store_t *store, const char *to,
              llmlab__progress_fn progress, void *payload, int64_t *bytes)
{
    const llmlab__sqlite_t *sqlite = (const llmlab__sqlite_t *)store;

    return llmlab__sqlite_backup(sqlite->path, to, progress, payload, bytes);
}

const llmlab__upkeep_ops_t llmlab__sqlite_upkeep_ops = {
    .keeping = upkeep_keeping,
    .retain = upkeep_retain,
    .expire = upkeep_expire,
    .backup = upkeep_backup,
    .trace_delete = llmlab__sqlite_trace_delete,
    .user_forget = llmlab__sqlite_user_forget,
    .user_trace = llmlab__sqlite_user_trace,
    .newest = llmlab__sqlite_newest,
    .reprice = llmlab__sqlite_reprice,
    .check = llmlab__sqlite_check,
};
