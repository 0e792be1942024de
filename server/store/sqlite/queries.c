#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "store/sqlite/sqlite_store.h"

llmlab_status_t
llmlab__sqlite_rollups(llmlab__reader_t *reader, int64_t project,
                       llmlab__view_t view, llmlab__level_t level, int64_t from,
                       int64_t to, llmlab__rollup_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_ROLLUP_SCAN);
    llmlab__rollup_row_t row;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int(sql, 2, (int)view * LLMLAB__LEVELS + (int)level);
    sqlite3_bind_int64(sql, 3, from);
    sqlite3_bind_int64(sql, 4, to);
    while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
        row.start = sqlite3_column_int64(sql, 0);
        for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
            row.by[i] = sqlite3_column_int64(sql, 1 + i);
        }
        for (int i = 0; i < LLMLAB__SUMS; i++) {
            row.sums.of[i] =
                sqlite3_column_int64(sql, 1 + LLMLAB__DIMENSIONS + i);
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

llmlab_status_t
llmlab__sqlite_traces(llmlab__reader_t *reader,
                      const llmlab__trace_query_t *query,
                      llmlab__trace_fn visit, void *payload)
{
    /* A parameter that is NULL filters nothing. */
    static const char head[] =
        "SELECT " TRACE_COLUMNS "FROM trace t WHERE t.project=?1 AND "
        "t.start_ns>=?2 AND t.start_ns<?3 AND (?4 IS NULL OR t.status=?4) AND "
        "(?5 IS NULL OR t.agent=?5) AND "
        "(?6 IS NULL OR instr(t.models,?6)>0) AND (?7 IS NULL OR t.user=?7) "
        "AND (?8 IS NULL OR t.session=?8) ";
    static const char newest[] =
        "AND (?9 IS NULL OR (t.start_ns,t.trace_high,t.trace_low)<"
        "(?9,?11,?12)) ORDER BY t.start_ns DESC,t.trace_high DESC,"
        "t.trace_low DESC LIMIT ?13";
    static const char dearest[] =
        "AND (?9 IS NULL OR (t.cost_nano,t.cost_rest,t.trace_high,"
        "t.trace_low)<(?9,?10,?11,?12)) ORDER BY t.cost_nano DESC,"
        "t.cost_rest DESC,t.trace_high DESC,t.trace_low DESC LIMIT ?13";
    llmlab__connection_t *connection = &reader->connection;
    const char *order = query->order == LLMLAB__NEWEST_FIRST ? newest : dearest;
    char text[sizeof(head) + sizeof(dearest) + sizeof(newest)];
    char model[32];
    sqlite3_stmt *sql = NULL;

    memcpy(text, head, sizeof(head));
    strcpy(text + sizeof(head) - 1, order);
    if (sqlite3_prepare_v2(connection->db, text, -1, &sql, NULL) != SQLITE_OK) {
        return llmlab__connection_fail(connection, "read traces");
    }
    sqlite3_bind_int64(sql, 1, query->project);
    sqlite3_bind_int64(sql, 2, query->start_ns);
    sqlite3_bind_int64(sql, 3, query->end_ns);
    if (query->status != 0) {
        sqlite3_bind_int(sql, 4, query->status);
    }
    if (query->agent != NULL) {
        int64_t id = llmlab__sqlite_label_find(
            reader, query->project, LLMLAB__LABEL_AGENT, query->agent);

        sqlite3_bind_int64(sql, 5, id == 0 ? -1 : id);
    }
    if (query->model != NULL) {
        (void)snprintf(
            model, sizeof(model), ",%lld,",
            (long long)llmlab__sqlite_label_find(
                reader, query->project, LLMLAB__LABEL_MODEL, query->model));
        sqlite3_bind_text(sql, 6, model, -1, SQLITE_STATIC);
    }
    if (query->user != NULL) {
        int64_t id = llmlab__sqlite_label_find(reader, query->project,
                                               LLMLAB__LABEL_USER, query->user);

        sqlite3_bind_int64(sql, 7, id == 0 ? -1 : id);
    }
    if (query->session != NULL) {
        sqlite3_bind_text(sql, 8, query->session, -1, SQLITE_STATIC);
    }
    if (query->has_cursor) {
        sqlite3_bind_int64(sql, 9, query->cursor.major);
        if (query->order == LLMLAB__DEAREST_FIRST) {
            sqlite3_bind_int64(sql, 10, query->cursor.minor);
        }
        sqlite3_bind_int64(sql, 11, (int64_t)query->cursor.trace_high);
        sqlite3_bind_int64(sql, 12, (int64_t)query->cursor.trace_low);
    }
    sqlite3_bind_int64(sql, 13, (int64_t)query->limit);
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
