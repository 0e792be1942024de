/* Series: the numbers of combinations that roll-up rows are kept apart by. A
 * view by one kind of label needs none: there the label's id is the number. */
#include <string.h>

#include "base/status.h"
#include "store/pack.h"
#include "store/sqlite/sqlite_store.h"

static int
only_label(llmlab__view_t view)
{
    return view == LLMLAB__VIEW_AGENT  ? LLMLAB__BY_AGENT
           : view == LLMLAB__VIEW_USER ? LLMLAB__BY_USER
           : view == LLMLAB__VIEW_TAG  ? LLMLAB__BY_TAG
                                       : -1;
}

static llmlab_status_t
series_create(llmlab__connection_t *connection, int64_t project,
              const int64_t by[LLMLAB__ROLLED], int64_t *out)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_SERIES_INSERT);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    for (int i = 0; i < LLMLAB__CUBE; i++) {
        sqlite3_bind_int64(sql, 2 + i, by[i]);
    }
    status = llmlab__connection_run(connection, sql, "store a series");
    *out = sqlite3_last_insert_rowid(connection->db);
    return status;
}

llmlab_status_t
llmlab__series_intern(llmlab__connection_t *connection, int64_t project,
                      llmlab__view_t view, const int64_t by[LLMLAB__ROLLED],
                      int64_t *out)
{
    sqlite3_stmt *sql;
    int code;

    if (only_label(view) >= 0) {
        *out = by[only_label(view)];
        return LLMLAB_OK;
    }
    sql = llmlab__connection_sql(connection, LLMLAB__SQL_SERIES_FIND);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    for (int i = 0; i < LLMLAB__CUBE; i++) {
        sqlite3_bind_int64(sql, 2 + i, by[i]);
    }
    code = sqlite3_step(sql);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(sql, 0) : 0;
    sqlite3_reset(sql);
    if (code == SQLITE_DONE) {
        return series_create(connection, project, by, out);
    }
    return code == SQLITE_ROW
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "find a series");
}

llmlab_status_t
llmlab__sqlite_series(llmlab__reader_t *reader, llmlab__view_t view,
                      int64_t series, int64_t by[LLMLAB__ROLLED])
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql;
    int code;

    memset(by, 0, LLMLAB__ROLLED * sizeof(*by));
    if (only_label(view) >= 0) {
        by[only_label(view)] = series;
        return LLMLAB_OK;
    }
    sql = llmlab__connection_sql(connection, LLMLAB__SQL_SERIES_GET);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, series);
    code = sqlite3_step(sql);
    for (int i = 0; i < LLMLAB__CUBE && code == SQLITE_ROW; i++) {
        by[i] = sqlite3_column_int64(sql, i);
    }
    sqlite3_reset(sql);
    if (code == SQLITE_DONE) {
        return llmlab__fail(LLMLAB_ENOTFOUND, "no such series");
    }
    return code == SQLITE_ROW
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "read a series");
}

llmlab_status_t
llmlab__sqlite_rollups(llmlab__reader_t *reader,
                       const llmlab__rollup_query_t *query,
                       llmlab__rollup_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql = llmlab__connection_sql(
        connection, query->latency ? LLMLAB__SQL_ROLLUP_SCAN_LATENCY
                                   : LLMLAB__SQL_ROLLUP_SCAN);
    llmlab__rollup_row_t row = {.latency = {NULL, 0}};
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, query->project);
    sqlite3_bind_int(sql, 2, (int)query->view);
    sqlite3_bind_int(sql, 3, (int)query->level);
    sqlite3_bind_int64(sql, 4, query->from);
    sqlite3_bind_int64(sql, 5, query->to);
    while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
        row.start = sqlite3_column_int64(sql, 0);
        row.series = sqlite3_column_int64(sql, 1);
        if (!llmlab__sums_unpack(llmlab__column_blob(sql, 2), &row.sums)) {
            sqlite3_reset(sql);
            return llmlab__fail(LLMLAB_EIO, "a stored sum is damaged");
        }
        if (query->latency) {
            row.latency = llmlab__column_blob(sql, 3);
        }
        if (!visit(payload, &row)) {
            code = SQLITE_DONE;
            break;
        }
    }
    sqlite3_reset(sql);
    return code == SQLITE_DONE
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "read roll-ups");
}
