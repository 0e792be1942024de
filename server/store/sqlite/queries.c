#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "store/sqlite/sqlite_store.h"

int64_t
llmlab__sqlite_label_find(llmlab__reader_t *reader, int64_t project,
                          llmlab__label_kind_t kind, const char *text)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(&reader->connection, LLMLAB__SQL_LABEL_FIND);
    llmlab__text_t value = {text, strlen(text)};
    int64_t id = 0;

    if (sql == NULL) {
        return 0;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int(sql, 2, (int)kind);
    llmlab__bind_text(sql, 3, value);
    if (sqlite3_step(sql) == SQLITE_ROW) {
        id = sqlite3_column_int64(sql, 0);
    }
    sqlite3_reset(sql);
    return id;
}

llmlab__text_t
llmlab__sqlite_label_text(llmlab__reader_t *reader, int64_t id)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(&reader->connection, LLMLAB__SQL_LABEL_TEXT);
    llmlab__text_t text = {NULL, 0};

    if (sql == NULL || id == 0) {
        return text;
    }
    sqlite3_bind_int64(sql, 1, id);
    if (sqlite3_step(sql) == SQLITE_ROW) {
        text = llmlab__column_text(sql, 0);
    }
    return text; /* the next use resets the statement */
}

#define TRACE_COLUMNS                                                   \
    "t.trace_high,t.trace_low,t.start_ns,t.last_ns,t.end_ns,t.root_id," \
    "t.status,t.steps,t.calls,t.errors,t.unpriced,t.cost_nano,"         \
    "t.cost_rest,t.input_tokens,t.output_tokens,t.name,"                \
    "(SELECT text FROM label WHERE id=t.agent),"                        \
    "(SELECT text FROM label WHERE id=t.user),"                         \
    "(SELECT text FROM label WHERE id=t.environment),t.session,t.tags "

static void
trace_read(sqlite3_stmt *sql, llmlab__trace_row_t *row)
{
    row->trace_high = (uint64_t)sqlite3_column_int64(sql, 0);
    row->trace_low = (uint64_t)sqlite3_column_int64(sql, 1);
    row->start_ns = sqlite3_column_int64(sql, 2);
    row->last_ns = sqlite3_column_int64(sql, 3);
    row->end_ns = sqlite3_column_int64(sql, 4);
    row->root_id = (uint64_t)sqlite3_column_int64(sql, 5);
    row->status = sqlite3_column_int(sql, 6);
    row->steps = sqlite3_column_int64(sql, 7);
    row->calls = sqlite3_column_int64(sql, 8);
    row->errors = sqlite3_column_int64(sql, 9);
    row->unpriced = sqlite3_column_int64(sql, 10);
    row->cost_nano = sqlite3_column_int64(sql, 11);
    row->cost_rest = sqlite3_column_int64(sql, 12);
    row->input_tokens = sqlite3_column_int64(sql, 13);
    row->output_tokens = sqlite3_column_int64(sql, 14);
    row->name = llmlab__column_text(sql, 15);
    row->agent = llmlab__column_text(sql, 16);
    row->user = llmlab__column_text(sql, 17);
    row->environment = llmlab__column_text(sql, 18);
    row->session = llmlab__column_text(sql, 19);
    row->tags = llmlab__column_text(sql, 20);
}

/* Walk a statement that is not kept, and finish it. */
static llmlab_status_t
traces_walk(llmlab__connection_t *connection, sqlite3_stmt *sql,
            llmlab__trace_fn visit, void *payload)
{
    llmlab__trace_row_t row;
    int code;

    while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
        trace_read(sql, &row);
        if (!visit(payload, &row)) {
            code = SQLITE_DONE;
            break;
        }
    }
    if (code != SQLITE_DONE) {
        llmlab_status_t status =
            llmlab__connection_fail(connection, "read traces");

        sqlite3_finalize(sql);
        return status;
    }
    sqlite3_finalize(sql);
    return LLMLAB_OK;
}

/* The id of a label that a query names. False: no such label, so that no trace
 * can have it. */
static bool
filter_label(llmlab__reader_t *reader, const llmlab__trace_query_t *query,
             llmlab__label_kind_t kind, const char *text, int64_t *out)
{
    *out = text == NULL
               ? 0
               : llmlab__sqlite_label_find(reader, query->project, kind, text);
    return text == NULL || *out != 0;
}

static void
filters_bind(sqlite3_stmt *sql, const llmlab__trace_query_t *query,
             int64_t agent, int64_t model, int64_t user)
{
    char text[32];

    sqlite3_bind_int64(sql, 1, query->project);
    sqlite3_bind_int64(sql, 2, query->start_ns);
    sqlite3_bind_int64(sql, 3, query->end_ns);
    sqlite3_bind_int(sql, 4, query->status);
    sqlite3_bind_int64(sql, 5, agent);
    (void)snprintf(text, sizeof(text), ",%lld,", (long long)model);
    sqlite3_bind_text(sql, 6, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(sql, 7, user);
    if (query->session != NULL) {
        sqlite3_bind_text(sql, 8, query->session, -1, SQLITE_STATIC);
    }
    sqlite3_bind_int64(sql, 9, query->cursor.major);
    sqlite3_bind_int64(sql, 10, query->cursor.minor);
    sqlite3_bind_int64(sql, 11, (int64_t)query->cursor.trace_high);
    sqlite3_bind_int64(sql, 12, (int64_t)query->cursor.trace_low);
    sqlite3_bind_int64(sql, 13, (int64_t)query->limit);
}

/* Only what is asked for is in the text: then the dearest of a range are found
 * in the index, and no more rows are read than are shown. */
static void
traces_text(const llmlab__trace_query_t *query, llmlab__buf_t *out)
{
    bool newest = query->order == LLMLAB__NEWEST_FIRST;
    const char *order = newest ? " ORDER BY t.start_ns DESC,t.trace_high DESC,"
                                 "t.trace_low DESC"
                               : " ORDER BY t.cost_nano DESC,t.cost_rest DESC,"
                                 "t.trace_high DESC,t.trace_low DESC";

    llmlab__buf_text(out, "SELECT " TRACE_COLUMNS "FROM trace t WHERE ");
    if (!newest) {
        llmlab__buf_text(out, "t.project=?1 AND (t.trace_high,t.trace_low) IN "
                              "(SELECT t.trace_high,t.trace_low FROM trace t "
                              "WHERE ");
    }
    llmlab__buf_text(out, "t.project=?1 AND t.start_ns>=?2 AND t.start_ns<?3");
    llmlab__buf_text(out, query->status != 0 ? " AND t.status=?4" : "");
    llmlab__buf_text(out, query->agent != NULL ? " AND t.agent=?5" : "");
    llmlab__buf_text(out,
                     query->model != NULL ? " AND instr(t.models,?6)>0" : "");
    llmlab__buf_text(out, query->user != NULL ? " AND t.user=?7" : "");
    llmlab__buf_text(out, query->session != NULL ? " AND t.session=?8" : "");
    if (query->has_cursor) {
        llmlab__buf_text(out, newest
                                  ? " AND (t.start_ns,t.trace_high,t.trace_low)"
                                    "<(?9,?11,?12)"
                                  : " AND (t.cost_nano,t.cost_rest,"
                                    "t.trace_high,t.trace_low)"
                                    "<(?9,?10,?11,?12)");
    }
    llmlab__buf_text(out, order);
    llmlab__buf_text(out, " LIMIT ?13");
    if (!newest) {
        llmlab__buf_text(out, ")");
        llmlab__buf_text(out, order);
    }
    llmlab__buf_append(out, "", 1);
}

llmlab_status_t
llmlab__sqlite_traces(llmlab__reader_t *reader,
                      const llmlab__trace_query_t *query,
                      llmlab__trace_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql = NULL;
    llmlab__buf_t text;
    int64_t agent;
    int64_t model;
    int64_t user;
    int code;

    if (!filter_label(reader, query, LLMLAB__LABEL_AGENT, query->agent,
                      &agent) ||
        !filter_label(reader, query, LLMLAB__LABEL_MODEL, query->model,
                      &model) ||
        !filter_label(reader, query, LLMLAB__LABEL_USER, query->user, &user)) {
        return LLMLAB_OK;
    }
    llmlab__buf_init(&text);
    traces_text(query, &text);
    code = text.failed
               ? SQLITE_NOMEM
               : sqlite3_prepare_v2(connection->db, (const char *)text.data, -1,
                                    &sql, NULL);
    llmlab__buf_cleanup(&text);
    if (code != SQLITE_OK) {
        return llmlab__connection_fail(connection, "read traces");
    }
    filters_bind(sql, query, agent, model, user);
    return traces_walk(connection, sql, visit, payload);
}

llmlab_status_t
llmlab__sqlite_trace(llmlab__reader_t *reader, int64_t project,
                     uint64_t trace_high, uint64_t trace_low,
                     llmlab__trace_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql = NULL;

    if (sqlite3_prepare_v2(connection->db,
                           "SELECT " TRACE_COLUMNS "FROM trace t WHERE "
                           "t.project=? AND t.trace_high=? AND t.trace_low=?",
                           -1, &sql, NULL) != SQLITE_OK) {
        return llmlab__connection_fail(connection, "read a trace");
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, (int64_t)trace_high);
    sqlite3_bind_int64(sql, 3, (int64_t)trace_low);
    return traces_walk(connection, sql, visit, payload);
}

static void
span_read(sqlite3_stmt *sql, llmlab__span_view_t *row)
{
    row->span_id = (uint64_t)sqlite3_column_int64(sql, 0);
    row->parent_id = (uint64_t)sqlite3_column_int64(sql, 1);
    row->start_ns = sqlite3_column_int64(sql, 2);
    row->duration_ns = sqlite3_column_int64(sql, 3);
    row->ttft_ns = sqlite3_column_type(sql, 4) == SQLITE_NULL
                       ? -1
                       : sqlite3_column_int64(sql, 4);
    row->kind = sqlite3_column_int(sql, 5);
    row->status = sqlite3_column_int(sql, 6);
    row->counted = sqlite3_column_int(sql, 7);
    row->priced = sqlite3_column_int(sql, 8);
    row->match = sqlite3_column_int(sql, 9);
    row->usage_source = sqlite3_column_int(sql, 10);
    row->cost_source = sqlite3_column_int(sql, 11);
    row->has_cost = sqlite3_column_type(sql, 12) != SQLITE_NULL;
    row->cost_nano = sqlite3_column_int64(sql, 12);
    row->cost_rest = sqlite3_column_int64(sql, 13);
    row->has_client_cost = sqlite3_column_type(sql, 14) != SQLITE_NULL;
    row->client_nano = sqlite3_column_int64(sql, 14);
    row->client_rest = sqlite3_column_int64(sql, 15);
    row->name = llmlab__column_text(sql, 16);
    row->provider = llmlab__column_text(sql, 17);
    row->model = llmlab__column_text(sql, 18);
    row->agent = llmlab__column_text(sql, 19);
    row->user = llmlab__column_text(sql, 20);
    row->environment = llmlab__column_text(sql, 21);
    row->service = llmlab__column_text(sql, 22);
    row->session = llmlab__column_text(sql, 23);
    row->price_key = llmlab__column_text(sql, 24);
    row->usage = llmlab__column_text(sql, 25);
    row->tags = llmlab__column_text(sql, 26);
    row->detail = llmlab__column_text(sql, 27);
}

llmlab_status_t
llmlab__sqlite_spans(llmlab__reader_t *reader, int64_t project,
                     const llmlab__trace_row_t *trace, llmlab__span_fn visit,
                     void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_SPANS_OF_TRACE);
    llmlab__span_view_t row;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, trace->start_ns);
    sqlite3_bind_int64(sql, 3, trace->last_ns);
    sqlite3_bind_int64(sql, 4, (int64_t)trace->trace_high);
    sqlite3_bind_int64(sql, 5, (int64_t)trace->trace_low);
    while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
        span_read(sql, &row);
        if (!visit(payload, &row)) {
            code = SQLITE_DONE;
            break;
        }
    }
    sqlite3_reset(sql);
    return code == SQLITE_DONE
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "read spans");
}
