#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "store/jobs.h"
#include "store/sqlite/query.h"

#define COLUMNS                                                         \
    "id,project,kind,standing,schedule,state,attempt,created_ns,"       \
    "run_at_ns,started_ns,finished_ns,succeeded_ns,arguments,progress," \
    "result,error"
/* Waiting ones, and dead ones that a schedule wakes. */
#define IS_DUE "(state=0 OR (state=3 AND schedule<>''))"

void
llmlab__job_init(llmlab__job_t *job, const char *kind, int64_t project)
{
    memset(job, 0, sizeof(*job));
    (void)snprintf(job->kind, sizeof(job->kind), "%s", kind);
    job->project = project;
    job->created_ns = llmlab__clock_real_ns();
    job->run_at_ns = job->created_ns;
    (void)snprintf(job->arguments, sizeof(job->arguments), "{}");
    (void)snprintf(job->progress, sizeof(job->progress), "{}");
    (void)snprintf(job->result, sizeof(job->result), "{}");
}

static void
job_read(sqlite3_stmt *sql, llmlab__job_t *out)
{
    out->id = sqlite3_column_int64(sql, 0);
    out->project = sqlite3_column_int64(sql, 1);
    llmlab__column_copy(sql, 2, out->kind, sizeof(out->kind));
    out->standing = sqlite3_column_int(sql, 3) != 0;
    llmlab__column_copy(sql, 4, out->schedule, sizeof(out->schedule));
    out->state = (llmlab__job_state_t)sqlite3_column_int(sql, 5);
    out->attempt = sqlite3_column_int(sql, 6);
    out->created_ns = sqlite3_column_int64(sql, 7);
    out->run_at_ns = sqlite3_column_int64(sql, 8);
    out->started_ns = sqlite3_column_int64(sql, 9);
    out->finished_ns = sqlite3_column_int64(sql, 10);
    out->succeeded_ns = sqlite3_column_int64(sql, 11);
    llmlab__column_copy(sql, 12, out->arguments, sizeof(out->arguments));
    llmlab__column_copy(sql, 13, out->progress, sizeof(out->progress));
    llmlab__column_copy(sql, 14, out->result, sizeof(out->result));
    llmlab__column_copy(sql, 15, out->error, sizeof(out->error));
}

static llmlab_status_t
jobs_create(llmlab__reader_t *changer, llmlab__job_t *job)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status = llmlab__execute_one(
        connection,
        "INSERT INTO job(" COLUMNS ") VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
        "?) ON CONFLICT DO NOTHING",
        "ititiiiiiiitttt", job->project, job->kind, (int64_t)job->standing,
        job->schedule, (int64_t)job->state, (int64_t)job->attempt,
        job->created_ns, job->run_at_ns, job->started_ns, job->finished_ns,
        job->succeeded_ns, job->arguments, job->progress, job->result,
        job->error);

    job->id = sqlite3_last_insert_rowid(connection->db);
    return status == LLMLAB_ENOTFOUND
               ? llmlab__fail(LLMLAB_EINVAL, "there is such a job already")
               : status;
}

static llmlab_status_t
jobs_save(llmlab__reader_t *changer, const llmlab__job_t *job,
          llmlab__job_state_t expected)
{
    return llmlab__execute_one(
        &changer->connection,
        "UPDATE job SET schedule=?,state=?,attempt=?,run_at_ns=?,started_ns=?,"
        "finished_ns=?,succeeded_ns=?,arguments=?,progress=?,result=?,error=? "
        "WHERE id=? AND state=?",
        "tiiiiiittttii", job->schedule, (int64_t)job->state,
        (int64_t)job->attempt, job->run_at_ns, job->started_ns,
        job->finished_ns, job->succeeded_ns, job->arguments, job->progress,
        job->result, job->error, job->id, (int64_t)expected);
}

static llmlab_status_t
jobs_get(llmlab__reader_t *reader, int64_t id, llmlab__job_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection, "SELECT " COLUMNS " FROM job WHERE id=?", "i", id);

    if (sql != NULL) {
        status = llmlab__query_step(connection, sql);
        if (status == LLMLAB_OK) {
            job_read(sql, out);
        }
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
jobs_list(llmlab__reader_t *reader, const llmlab__job_query_t *query,
          llmlab__job_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_EIO;
    llmlab__job_t job;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT " COLUMNS " FROM job WHERE (?1<0 OR project=?1) AND "
        "(?2<0 OR state=?2) AND (?3 IS NULL OR kind=?3) AND "
        "(?4=0 OR id<?4) ORDER BY id DESC LIMIT ?5",
        "iitii", query->project, (int64_t)query->state, query->kind,
        query->before, (int64_t)query->limit);

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        job_read(sql, &job);
        if (!visit(payload, &job)) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* When the next one is due, if any; else as it was. */
static llmlab_status_t
next_due(llmlab__connection_t *connection, int64_t *next_ns)
{
    sqlite3_stmt *sql = llmlab__query(
        connection, "SELECT min(run_at_ns) FROM job WHERE " IS_DUE, "");
    llmlab_status_t status =
        sql == NULL ? LLMLAB_EIO : llmlab__query_step(connection, sql);

    if (status == LLMLAB_OK && sqlite3_column_type(sql, 0) != SQLITE_NULL) {
        *next_ns = sqlite3_column_int64(sql, 0);
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
claim(llmlab__connection_t *connection, int64_t now_ns, llmlab__job_t *out)
{
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "UPDATE job SET state=1,attempt=attempt+1,started_ns=?1 WHERE id="
        "(SELECT id FROM job WHERE " IS_DUE " AND run_at_ns<=?1 "
        "ORDER BY run_at_ns,id LIMIT 1) RETURNING " COLUMNS,
        "i", now_ns);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        job_read(sql, out);
        /* The write ends with the last step. */
        status = llmlab__query_step(connection, sql) == LLMLAB_ENOTFOUND
                     ? LLMLAB_OK
                     : LLMLAB_EIO;
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
jobs_claim(llmlab__store_t *store, int64_t now_ns, llmlab__job_t *out,
           int64_t *next_ns)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab_status_t status;

    *next_ns = INT64_MAX;
    pthread_mutex_lock(&sqlite->write_lock);
    status = claim(&sqlite->writer, now_ns, out);
    if (status == LLMLAB_ENOTFOUND &&
        next_due(&sqlite->writer, next_ns) != LLMLAB_OK) {
        status = LLMLAB_EIO;
    }
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

static llmlab_status_t
run(llmlab__store_t *store, const char *text, int64_t value)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab_status_t status;

    pthread_mutex_lock(&sqlite->write_lock);
    status = llmlab__execute(&sqlite->writer, text, "i", value);
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

static llmlab_status_t
jobs_recover(llmlab__store_t *store)
{
    return run(store, "UPDATE job SET state=0,run_at_ns=? WHERE state=1",
               llmlab__clock_real_ns());
}

static llmlab_status_t
jobs_forget(llmlab__store_t *store, int64_t before_ns)
{
    return run(store,
               "DELETE FROM job WHERE finished_ns<? AND schedule='' AND "
               "standing=0 AND state IN (2,3,4)",
               before_ns);
}

const llmlab__job_ops_t llmlab__sqlite_job_ops = {
    .create = jobs_create,
    .get = jobs_get,
    .list = jobs_list,
    .claim = jobs_claim,
    .save = jobs_save,
    .recover = jobs_recover,
    .forget = jobs_forget,
};
