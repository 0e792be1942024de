/* Deletion of traces. What they cost stays: each call becomes a row of
 * `remainder`, which tells no more than the sums that it is in. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "store/sqlite/apply.h"
#include "store/sqlite/query.h"
#include "store/sqlite/upkeep.h"

llmlab_status_t
llmlab__trace_was_deleted(llmlab__connection_t *connection, int64_t project,
                          uint64_t high, uint64_t low)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_DELETED_FIND);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, (int64_t)high);
    sqlite3_bind_int64(sql, 3, (int64_t)low);
    status = llmlab__query_step(connection, sql);
    sqlite3_reset(sql);
    return status;
}

/* Without its session: that leads to whose call it was. */
static llmlab_status_t
remainder_add(llmlab__connection_t *connection, int64_t project,
              sqlite3_stmt *span)
{
    static const int columns[] = {LLMLAB__BY_PROVIDER,    LLMLAB__BY_MODEL,
                                  LLMLAB__BY_AGENT,       LLMLAB__BY_USER,
                                  LLMLAB__BY_ENVIRONMENT, LLMLAB__BY_KEY,
                                  LLMLAB__BY_STATUS};
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_REMAINDER_INSERT);
    llmlab__contribution_t what;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    llmlab__span_contribution(
        span, 8, sqlite3_column_int(span, LLMLAB__BY_STATUS), &what);
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, sqlite3_column_int64(span, 17));
    for (int i = 0; i < 7; i++) {
        sqlite3_bind_int64(sql, 3 + i, sqlite3_column_int64(span, columns[i]));
    }
    llmlab__bind_text(sql, 11, llmlab__column_text(span, 7));
    sqlite3_bind_int64(sql, 12, what.latency_ns);
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        sqlite3_bind_int64(sql, 13 + i, what.sums.of[i]);
    }
    return llmlab__connection_run(connection, sql, "keep sums");
}

static llmlab_status_t
span_delete(llmlab__connection_t *connection, int64_t project,
            sqlite3_stmt *span, uint64_t high, uint64_t low)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_SPAN_DELETE);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, sqlite3_column_int64(span, 17));
    sqlite3_bind_int64(sql, 3, sqlite3_column_int64(span, 18));
    sqlite3_bind_int64(sql, 4, (int64_t)high);
    sqlite3_bind_int64(sql, 5, (int64_t)low);
    return llmlab__connection_run(connection, sql, "delete a span");
}

static llmlab_status_t
spans_delete(llmlab__connection_t *connection, int64_t project, uint64_t high,
             uint64_t low, const int64_t range[2], int64_t limit,
             llmlab__removed_t *out)
{
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT provider,model,agent,status,environment,api_key,user,tags,"
        "counted,priced,usage_source,duration_ns,ifnull(cost_nano,0),"
        "ifnull(cost_rest,0),ifnull(client_nano,0),ifnull(client_rest,0),"
        "usage,start_ns,span_id FROM span WHERE project=? AND start_ns "
        "BETWEEN ? AND ? AND trace_high=? AND trace_low=? LIMIT ?",
        "iiiiii", project, range[0], range[1], (int64_t)high, (int64_t)low,
        limit);

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        status = remainder_add(connection, project, sql);
        /* The row that the walk is at may go. */
        if (status == LLMLAB_OK) {
            status = span_delete(connection, project, sql, high, low);
        }
        if (status != LLMLAB_OK) {
            break;
        }
        out->spans++;
    }
    sqlite3_finalize(sql);
    out->more = out->spans == limit;
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* Put the trace's times into its tombstone, and read those. */
static llmlab_status_t
tombstone(llmlab__connection_t *connection, int64_t project, uint64_t high,
          uint64_t low, int64_t range[2])
{
    llmlab_status_t status = llmlab__execute(
        connection,
        "INSERT INTO deleted_trace SELECT project,trace_high,trace_low,"
        "start_ns,last_ns FROM trace WHERE project=? AND trace_high=? AND "
        "trace_low=? ON CONFLICT DO UPDATE SET "
        "start_ns=min(start_ns,excluded.start_ns),"
        "last_ns=max(last_ns,excluded.last_ns)",
        "iii", project, (int64_t)high, (int64_t)low);
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_DELETED_FIND);

    if (status != LLMLAB_OK || sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, (int64_t)high);
    sqlite3_bind_int64(sql, 3, (int64_t)low);
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        range[0] = sqlite3_column_int64(sql, 0);
        range[1] = sqlite3_column_int64(sql, 1);
    }
    sqlite3_reset(sql);
    return status;
}

static llmlab_status_t
trace_step(llmlab__sqlite_t *sqlite, int64_t project, uint64_t high,
           uint64_t low, int64_t limit, llmlab__removed_t *out)
{
    static const char *const texts[] = {
        "DELETE FROM score WHERE project=? AND trace_high=? AND trace_low=?",
        "DELETE FROM trace WHERE project=? AND trace_high=? AND trace_low=?"};
    llmlab__connection_t *connection = &sqlite->writer;
    int64_t range[2];
    llmlab_status_t status = tombstone(connection, project, high, low, range);

    for (int i = 0; i < 2 && status == LLMLAB_OK; i++) {
        status = llmlab__execute(connection, texts[i], "iii", project,
                                 (int64_t)high, (int64_t)low);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    out->traces = sqlite3_changes(connection->db);
    llmlab__trace_forget(&sqlite->traces, project, high, low);
    status = spans_delete(connection, project, high, low, range, limit, out);
    return status == LLMLAB_OK && out->traces + out->spans == 0
               ? llmlab__fail(LLMLAB_ENOTFOUND, "there is no such trace")
               : status;
}

llmlab_status_t
llmlab__sqlite_trace_delete(llmlab__store_t *store, int64_t project,
                            uint64_t high, uint64_t low, int64_t limit,
                            llmlab__removed_t *out)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab_status_t status = llmlab__upkeep_begin(sqlite);

    *out = (llmlab__removed_t){0};
    return status != LLMLAB_OK
               ? status
               : llmlab__upkeep_end(sqlite, trace_step(sqlite, project, high,
                                                       low, limit, out));
}

static llmlab_status_t
label_forget(llmlab__sqlite_t *sqlite, llmlab__job_t *job, const char *user,
             void (*keep)(llmlab__job_t *job, int64_t label))
{
    llmlab__reader_t changer = {.connection = {.db = sqlite->writer.db}};
    llmlab__connection_t *connection = &sqlite->writer;
    llmlab_status_t status = LLMLAB_EIO;
    int64_t label = 0;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT id FROM label WHERE project=? AND kind=? AND text=?", "iit",
        job->project, (int64_t)LLMLAB__LABEL_USER, user);

    if (sql != NULL) {
        status = llmlab__query_step(connection, sql);
        label = sqlite3_column_int64(sql, 0);
    }
    sqlite3_finalize(sql);
    if (status == LLMLAB_OK) {
        status = llmlab__execute(
            connection,
            "UPDATE label SET "
            "text='erased-'||id||'-'||lower(hex(randomblob(4))) WHERE id=?",
            "i", label);
    }
    if (status == LLMLAB_OK) {
        /* A session's name may be as telling as the user's. */
        status = llmlab__execute(
            connection,
            "UPDATE session_sum SET session='erased-'||number||'-'||"
            "lower(hex(randomblob(4))) WHERE project=? AND user=?",
            "ii", job->project, label);
        llmlab__trace_cache_clear(&sqlite->traces);
    }
    if (status == LLMLAB_OK) {
        keep(job, label);
        status =
            llmlab__sqlite_job_ops.save(&changer, job, LLMLAB__JOB_RUNNING);
    }
    if (status == LLMLAB_OK) {
        /* Answers that are kept somewhere may name the user. */
        status = llmlab__revision_write(sqlite);
        llmlab__changes_set_base(&sqlite->changes, sqlite->revision);
        llmlab__label_cache_clear(&sqlite->labels);
    }
    return status;
}

llmlab_status_t
llmlab__sqlite_user_forget(llmlab__store_t *store, llmlab__job_t *job,
                           const char *user,
                           void (*keep)(llmlab__job_t *job, int64_t label))
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab_status_t status = llmlab__upkeep_begin(sqlite);

    return status != LLMLAB_OK
               ? status
               : llmlab__upkeep_end(sqlite,
                                    label_forget(sqlite, job, user, keep));
}

llmlab_status_t
llmlab__sqlite_user_trace(llmlab__reader_t *reader, int64_t project,
                          int64_t label, int64_t *start_ns, uint64_t *high,
                          uint64_t *low)
{
    /* The traces too: their first spans, which named the user, may have
     * expired. */
    static const char *const texts[] = {
        "SELECT start_ns,trace_high,trace_low FROM span WHERE project=? AND "
        "start_ns>=? AND user=? ORDER BY start_ns LIMIT 1",
        "SELECT start_ns,trace_high,trace_low FROM trace WHERE project=? AND "
        "start_ns>=? AND user=? ORDER BY start_ns LIMIT 1"};
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_ENOTFOUND;

    for (int i = 0; i < 2 && status == LLMLAB_ENOTFOUND; i++) {
        /* Traces may begin before the spans that name the user. */
        sqlite3_stmt *sql =
            llmlab__query(connection, texts[i], "iii", project,
                          i == 0 ? *start_ns : INT64_C(0), label);

        status = sql == NULL ? LLMLAB_EIO : llmlab__query_step(connection, sql);
        if (status == LLMLAB_OK) {
            *start_ns = i == 0 ? sqlite3_column_int64(sql, 0) : *start_ns;
            *high = (uint64_t)sqlite3_column_int64(sql, 1);
            *low = (uint64_t)sqlite3_column_int64(sql, 2);
        }
        sqlite3_finalize(sql);
    }
    return status;
}
