/* Sessions: a row adds up the traces that name it, and calls without spans. A
 * trace tells, whenever its row is written, how it differs from before. The
 * bounds hold all spans that name the session, whatever their trace does. */
#include <string.h>

#include "base/status.h"
#include "store/sqlite/apply.h"
#include "store/sqlite/query.h"

typedef struct change_s {
    llmlab__trace_row_t row;
    int64_t traces;
    int64_t user;
} change_t;

/* left - right; its bounds are left's. */
static llmlab__trace_row_t
difference(const llmlab__trace_row_t *left, const llmlab__trace_row_t *right)
{
    llmlab__trace_row_t row = *left;

    row.steps -= right->steps;
    row.calls -= right->calls;
    row.errors -= right->errors;
    row.unpriced -= right->unpriced;
    row.cost_nano -= right->cost_nano;
    row.cost_rest -= right->cost_rest;
    row.input_tokens -= right->input_tokens;
    row.output_tokens -= right->output_tokens;
    if (row.cost_rest < 0) {
        row.cost_rest += LLMLAB__FEMTO_PER_NANO;
        row.cost_nano--;
    }
    return row;
}

static llmlab_status_t
sum_add(llmlab__connection_t *connection, int64_t project,
        llmlab__text_t session, const change_t *change)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_SESSION_ADD);
    const llmlab__trace_row_t *row = &change->row;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    llmlab__bind_text(sql, 2, session);
    sqlite3_bind_int64(sql, 3, row->start_ns);
    sqlite3_bind_int64(sql, 4, row->last_ns);
    sqlite3_bind_int64(sql, 5, row->end_ns);
    sqlite3_bind_int64(sql, 6, change->traces);
    sqlite3_bind_int64(sql, 7, row->steps);
    sqlite3_bind_int64(sql, 8, row->calls);
    sqlite3_bind_int64(sql, 9, row->errors);
    sqlite3_bind_int64(sql, 10, row->unpriced);
    sqlite3_bind_int64(sql, 11, row->cost_nano);
    sqlite3_bind_int64(sql, 12, row->cost_rest);
    sqlite3_bind_int64(sql, 13, row->input_tokens);
    sqlite3_bind_int64(sql, 14, row->output_tokens);
    sqlite3_bind_int64(sql, 15, change->user);
    code = sqlite3_step(sql);
    sqlite3_reset(sql);
    if (code == SQLITE_CONSTRAINT_DATATYPE) {
        return llmlab__fail(LLMLAB_EOVERFLOW, "a sum would exceed 64 bits");
    }
    return code == SQLITE_DONE
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "store a session");
}

static llmlab__text_t
buf_text(const llmlab__buf_t *buf)
{
    llmlab__text_t text = {(const char *)buf->data, buf->size};

    return text;
}

llmlab_status_t
llmlab__session_flush(llmlab__connection_t *connection, llmlab__trace_t *trace)
{
    static const llmlab__trace_row_t nothing;
    llmlab__text_t now = buf_text(&trace->session);
    llmlab__text_t before = buf_text(&trace->told_session);
    bool same = now.size == before.size &&
                (now.size == 0 || memcmp(now.data, before.data, now.size) == 0);
    change_t change = {.traces = 0, .user = trace->user};
    llmlab_status_t status = LLMLAB_OK;

    if (!same && before.size > 0) {
        change.row = difference(&nothing, &trace->told);
        change.row.start_ns = INT64_MAX;
        change.traces = -1;
        change.user = 0;
        status = sum_add(connection, trace->project, before, &change);
        change.user = trace->user;
    }
    if (status == LLMLAB_OK && now.size > 0) {
        change.row = same ? difference(&trace->row, &trace->told) : trace->row;
        change.traces = same ? 0 : 1;
        status = sum_add(connection, trace->project, now, &change);
    }
    trace->told = trace->row;
    if (!same) {
        llmlab__buf_clear(&trace->told_session);
        llmlab__buf_append(&trace->told_session, now.data, now.size);
    }
    return status;
}

llmlab_status_t
llmlab__session_reach(llmlab__connection_t *connection, int64_t project,
                      llmlab__text_t session, int64_t user, int64_t start_ns,
                      int64_t last_ns)
{
    change_t change = {.user = user};

    change.row.start_ns = start_ns;
    change.row.last_ns = last_ns;
    change.row.end_ns = last_ns;
    return sum_add(connection, project, session, &change);
}

llmlab_status_t
llmlab__session_add(llmlab__connection_t *connection, int64_t project,
                    const llmlab__row_t *row, int64_t user)
{
    const int64_t *of = row->sums.of;
    change_t change = {.user = user};

    if (row->session.size == 0) {
        return LLMLAB_OK;
    }
    change.row.start_ns = row->start_ns;
    change.row.last_ns = row->start_ns;
    change.row.end_ns = row->start_ns;
    change.row.steps = of[LLMLAB__SUM_SPANS];
    change.row.calls = of[LLMLAB__SUM_CALLS];
    change.row.errors =
        row->outcome == LLMLAB_ERROR ? of[LLMLAB__SUM_SPANS] : 0;
    change.row.unpriced = of[LLMLAB__SUM_UNPRICED];
    change.row.cost_nano = of[LLMLAB__SUM_COST_NANO];
    change.row.cost_rest = of[LLMLAB__SUM_COST_REST];
    change.row.input_tokens = llmlab__sums_input(&row->sums);
    change.row.output_tokens = llmlab__sums_output(&row->sums);
    return sum_add(connection, project, row->session, &change);
}

llmlab_status_t
llmlab__session_bounds(llmlab__connection_t *connection, int64_t project,
                       const char *session, int64_t *from_ns, int64_t *to_ns)
{
    llmlab_status_t status;
    sqlite3_stmt *sql;

    if (session == NULL || *session == '\0') {
        return LLMLAB_OK;
    }
    sql = llmlab__query(connection,
                        "SELECT max(start_ns,?3),min(last_ns+1,?4) FROM "
                        "session_sum WHERE project=?1 AND session=?2",
                        "itii", project, session, *from_ns, *to_ns);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        *from_ns = sqlite3_column_int64(sql, 0);
        *to_ns = sqlite3_column_int64(sql, 1);
    } else if (status == LLMLAB_ENOTFOUND) {
        *to_ns = *from_ns;
        status = LLMLAB_OK;
    }
    sqlite3_finalize(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_sessions(llmlab__reader_t *reader,
                        const llmlab__session_query_t *query,
                        llmlab__session_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab__session_row_t row;
    llmlab_status_t status;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT number,session,start_ns,last_ns,end_ns,traces,steps,calls,"
        "errors,unpriced,cost_nano,cost_rest,input_tokens,output_tokens,"
        "(SELECT text FROM label WHERE id=s.user) FROM session_sum s "
        "WHERE project=?1 AND start_ns>=?2 AND start_ns<?3 AND steps>0 AND "
        "(?4=0 OR user=?4) AND (start_ns,number)<(?5,?6) "
        "ORDER BY start_ns DESC,number DESC LIMIT ?7",
        "iiiiiii", query->project, query->start_ns, query->end_ns, query->user,
        query->before_ns, query->before, (int64_t)query->limit);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        row.number = sqlite3_column_int64(sql, 0);
        row.session = llmlab__column_text(sql, 1);
        row.start_ns = sqlite3_column_int64(sql, 2);
        row.last_ns = sqlite3_column_int64(sql, 3);
        row.end_ns = sqlite3_column_int64(sql, 4);
        row.traces = sqlite3_column_int64(sql, 5);
        row.steps = sqlite3_column_int64(sql, 6);
        row.calls = sqlite3_column_int64(sql, 7);
        row.errors = sqlite3_column_int64(sql, 8);
        row.unpriced = sqlite3_column_int64(sql, 9);
        row.cost_nano = sqlite3_column_int64(sql, 10);
        row.cost_rest = sqlite3_column_int64(sql, 11);
        row.input_tokens = sqlite3_column_int64(sql, 12);
        row.output_tokens = sqlite3_column_int64(sql, 13);
        row.user = llmlab__column_text(sql, 14);
        if (!visit(payload, &row)) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}
