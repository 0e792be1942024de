#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "store/jobs.h"
#include "store/sqlite/sqlite_store.h"

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
text_read(sqlite3_stmt *sql, int column, char *out, size_t capacity)
{
    const char *text = (const char *)sqlite3_column_text(sql, column);

    (void)snprintf(out, capacity, "%s", text == NULL ? "" : text);
}

static void
job_read(sqlite3_stmt *sql, llmlab__job_t *out)
{
    out->id = sqlite3_column_int64(sql, 0);
    out->project = sqlite3_column_int64(sql, 1);
    text_read(sql, 2, out->kind, sizeof(out->kind));
    out->standing = sqlite3_column_int(sql, 3) != 0;
    text_read(sql, 4, out->schedule, sizeof(out->schedule));
    out->state = (llmlab__job_state_t)sqlite3_column_int(sql, 5);
    out->attempt = sqlite3_column_int(sql, 6);
    out->created_ns = sqlite3_column_int64(sql, 7);
    out->run_at_ns = sqlite3_column_int64(sql, 8);
    out->started_ns = sqlite3_column_int64(sql, 9);
    out->finished_ns = sqlite3_column_int64(sql, 10);
    out->succeeded_ns = sqlite3_column_int64(sql, 11);
    text_read(sql, 12, out->arguments, sizeof(out->arguments));
    text_read(sql, 13, out->progress, sizeof(out->progress));
    text_read(sql, 14, out->result, sizeof(out->result));
    text_read(sql, 15, out->error, sizeof(out->error));
}

/* 2 to 16: all but the id. */
static void
job_bind(sqlite3_stmt *sql, const llmlab__job_t *job)
{
    sqlite3_bind_int64(sql, 2, job->project);
    sqlite3_bind_text(sql, 3, job->kind, -1, SQLITE_STATIC);
    sqlite3_bind_int(sql, 4, job->standing);
    sqlite3_bind_text(sql, 5, job->schedule, -1, SQLITE_STATIC);
    sqlite3_bind_int(sql, 6, (int)job->state);
    sqlite3_bind_int(sql, 7, job->attempt);
    sqlite3_bind_int64(sql, 8, job->created_ns);
    sqlite3_bind_int64(sql, 9, job->run_at_ns);
    sqlite3_bind_int64(sql, 10, job->started_ns);
    sqlite3_bind_int64(sql, 11, job->finished_ns);
    sqlite3_bind_int64(sql, 12, job->succeeded_ns);
    sqlite3_bind_text(sql, 13, job->arguments, -1, SQLITE_STATIC);
    sqlite3_bind_text(sql, 14, job->progress, -1, SQLITE_STATIC);
    sqlite3_bind_text(sql, 15, job->result, -1, SQLITE_STATIC);
    sqlite3_bind_text(sql, 16, job->error, -1, SQLITE_STATIC);
}

/* Needed too seldom to be kept. */
static llmlab_status_t
prepare(llmlab__connection_t *connection, const char *text, sqlite3_stmt **out)
{
    *out = NULL;
    return sqlite3_prepare_v2(connection->db, text, -1, out, NULL) == SQLITE_OK
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "prepare a statement");
}

/* Run a statement on the writer's connection; *changes may be NULL. */
static llmlab_status_t
run(llmlab__store_t *store, const char *text, const llmlab__job_t *job,
    int64_t first, int *changes)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    sqlite3_stmt *sql;
    llmlab_status_t status;

    pthread_mutex_lock(&sqlite->write_lock);
    status = prepare(&sqlite->writer, text, &sql);
    if (status == LLMLAB_OK) {
        sqlite3_bind_int64(sql, 1, first);
        if (job != NULL) {
            job_bind(sql, job);
        }
        status = llmlab__connection_run(&sqlite->writer, sql, "store a job");
        if (changes != NULL) {
            *changes = sqlite3_changes(sqlite->writer.db);
        }
    }
    sqlite3_finalize(sql);
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

static llmlab_status_t
jobs_create(llmlab__store_t *store, llmlab__job_t *job)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    sqlite3_stmt *sql;
    llmlab_status_t status;

    pthread_mutex_lock(&sqlite->write_lock);
    status = prepare(&sqlite->writer,
                     "INSERT INTO job(" COLUMNS ") VALUES(NULL,?2,?3,?4,?5,?6,"
                     "?7,?8,?9,?10,?11,?12,?13,?14,?15,?16) "
                     "ON CONFLICT DO NOTHING RETURNING id",
                     &sql);
    if (status == LLMLAB_OK) {
        int code;

        job_bind(sql, job);
        code = sqlite3_step(sql);
        if (code == SQLITE_ROW) {
            job->id = sqlite3_column_int64(sql, 0);
            code = sqlite3_step(sql);
        } else if (code == SQLITE_DONE) {
            status = llmlab__fail(LLMLAB_EINVAL, "there is such a job already");
        }
        if (code != SQLITE_DONE) {
            status = llmlab__connection_fail(&sqlite->writer, "make a job");
        }
    }
    sqlite3_finalize(sql);
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

static llmlab_status_t
jobs_get(llmlab__reader_t *reader, int64_t id, llmlab__job_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql;
    llmlab_status_t status =
        prepare(connection, "SELECT " COLUMNS " FROM job WHERE id=?", &sql);

    if (status == LLMLAB_OK) {
        int code;

        sqlite3_bind_int64(sql, 1, id);
        code = sqlite3_step(sql);
        if (code == SQLITE_ROW) {
            job_read(sql, out);
        } else if (code == SQLITE_DONE) {
            status = llmlab__fail(LLMLAB_ENOTFOUND, "no such job");
        } else {
            status = llmlab__connection_fail(connection, "read a job");
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
    llmlab__job_t job;
    sqlite3_stmt *sql;
    int code = SQLITE_DONE;
    llmlab_status_t status =
        prepare(connection,
                "SELECT " COLUMNS " FROM job WHERE (?1<0 OR project=?1) AND "
                "(?2<0 OR state=?2) AND (?3 IS NULL OR kind=?3) AND "
                "(?4=0 OR id<?4) ORDER BY id DESC LIMIT ?5",
                &sql);

    if (status == LLMLAB_OK) {
        sqlite3_bind_int64(sql, 1, query->project);
        sqlite3_bind_int(sql, 2, query->state);
        if (query->kind != NULL) {
            sqlite3_bind_text(sql, 3, query->kind, -1, SQLITE_STATIC);
        }
        sqlite3_bind_int64(sql, 4, query->before);
        sqlite3_bind_int64(sql, 5, (int64_t)query->limit);
        while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
            job_read(sql, &job);
            if (!visit(payload, &job)) {
                code = SQLITE_DONE;
                break;
            }
        }
        if (code != SQLITE_DONE) {
            status = llmlab__connection_fail(connection, "list jobs");
        }
    }
    sqlite3_finalize(sql);
    return status;
}

/* When the next one is due, if any; else as it was. */
static llmlab_status_t
next_due(llmlab__connection_t *connection, int64_t *next_ns)
{
    sqlite3_stmt *sql;
    llmlab_status_t status = prepare(
        connection, "SELECT min(run_at_ns) FROM job WHERE " IS_DUE, &sql);

    if (status == LLMLAB_OK && sqlite3_step(sql) == SQLITE_ROW &&
        sqlite3_column_type(sql, 0) != SQLITE_NULL) {
        *next_ns = sqlite3_column_int64(sql, 0);
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
jobs_claim(llmlab__store_t *store, int64_t now_ns, llmlab__job_t *out,
           int64_t *next_ns)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab__connection_t *connection = &sqlite->writer;
    sqlite3_stmt *sql;
    int code = SQLITE_DONE;
    llmlab_status_t status;

    *next_ns = INT64_MAX;
    pthread_mutex_lock(&sqlite->write_lock);
    status = prepare(connection,
                     "UPDATE job SET state=1,attempt=attempt+1,started_ns=?1 "
                     "WHERE id=(SELECT id FROM job WHERE " IS_DUE
                     " AND run_at_ns<=?1 ORDER BY run_at_ns,id LIMIT 1) "
                     "RETURNING " COLUMNS,
                     &sql);
    if (status == LLMLAB_OK) {
        sqlite3_bind_int64(sql, 1, now_ns);
        code = sqlite3_step(sql);
        if (code == SQLITE_ROW) {
            job_read(sql, out);
            code = sqlite3_step(sql);
        } else if (code == SQLITE_DONE) {
            status = next_due(connection, next_ns);
            if (status == LLMLAB_OK) {
                status = llmlab__fail(LLMLAB_ENOTFOUND, "no job is due");
            }
        }
        if (code != SQLITE_DONE) {
            status = llmlab__connection_fail(connection, "claim a job");
        }
    }
    sqlite3_finalize(sql);
    pthread_mutex_unlock(&sqlite->write_lock);
    return status;
}

static llmlab_status_t
jobs_save(llmlab__store_t *store, const llmlab__job_t *job,
          llmlab__job_state_t expected)
{
    char text[320];
    int changes = 0;
    llmlab_status_t status;

    (void)snprintf(text, sizeof(text),
                   "UPDATE job SET schedule=?5,state=?6,attempt=?7,"
                   "run_at_ns=?9,started_ns=?10,finished_ns=?11,"
                   "succeeded_ns=?12,arguments=?13,progress=?14,result=?15,"
                   "error=?16 WHERE id=?1 AND state=%d",
                   (int)expected);
    status = run(store, text, job, job->id, &changes);
    return status == LLMLAB_OK && changes == 0
               ? llmlab__fail(LLMLAB_ENOTFOUND, "the job's state has changed")
               : status;
}

static llmlab_status_t
jobs_recover(llmlab__store_t *store)
{
    return run(store, "UPDATE job SET state=0,run_at_ns=?1 WHERE state=1", NULL,
               llmlab__clock_real_ns(), NULL);
}

static llmlab_status_t
jobs_forget(llmlab__store_t *store, int64_t before_ns)
{
    return run(store,
               "DELETE FROM job WHERE finished_ns<?1 AND schedule='' AND "
               "standing=0 AND state IN (2,3,4)",
               NULL, before_ns, NULL);
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
