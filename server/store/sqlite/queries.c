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

void
llmlab__span_view_read(sqlite3_stmt *sql, llmlab__span_view_t *row)
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
    row->trace_high = (uint64_t)sqlite3_column_int64(sql, 28);
    row->trace_low = (uint64_t)sqlite3_column_int64(sql, 29);
}

/* What a walk over a trace's spans does with each row. False ends it. */
typedef struct walk_s {
    llmlab__sql_t which;
    bool (*row)(struct walk_s *walk, sqlite3_stmt *sql);
    llmlab__span_fn visit_span;
    llmlab__node_fn visit_node;
    void *payload;
    bool more;
} walk_t;

static bool
on_span(walk_t *walk, sqlite3_stmt *sql)
{
    llmlab__span_view_t row;

    llmlab__span_view_read(sql, &row);
    return walk->visit_span(walk->payload, &row);
}

static bool
on_node(walk_t *walk, sqlite3_stmt *sql)
{
    llmlab__span_node_t node = {
        .span_id = (uint64_t)sqlite3_column_int64(sql, 0),
        .parent_id = (uint64_t)sqlite3_column_int64(sql, 1),
        .start_ns = sqlite3_column_int64(sql, 2),
        .unpriced = sqlite3_column_int(sql, 3) != 0,
        .cost_nano = sqlite3_column_int64(sql, 4),
        .cost_rest = sqlite3_column_int64(sql, 5)};

    return walk->visit_node(walk->payload, &node);
}

static llmlab_status_t
run_walk(llmlab__connection_t *connection, int64_t project,
         const llmlab__trace_row_t *trace, const llmlab__run_t *run,
         walk_t *walk)
{
    sqlite3_stmt *sql = llmlab__connection_sql(connection, walk->which);
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, run->first);
    sqlite3_bind_int64(sql, 3, run->last);
    sqlite3_bind_int64(sql, 4, (int64_t)trace->trace_high);
    sqlite3_bind_int64(sql, 5, (int64_t)trace->trace_low);
    while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
        if (!walk->row(walk, sql)) {
            walk->more = false;
            code = SQLITE_DONE;
            break;
        }
    }
    sqlite3_reset(sql);
    return code == SQLITE_DONE
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "read spans");
}

static llmlab_status_t
trace_walk(llmlab__reader_t *reader, int64_t project,
           const llmlab__trace_row_t *trace, walk_t *walk)
{
    llmlab__run_t whole = {trace->start_ns, trace->last_ns};
    llmlab__runs_t runs = {.of = &whole, .count = 1};
    llmlab__runs_t read = {0};
    llmlab_status_t status = LLMLAB_OK;

    if (trace->runs.size > 0) {
        if (!llmlab__runs_unpack(trace->runs, &read)) {
            llmlab__runs_cleanup(&read);
            return llmlab__fail(LLMLAB_EIO, "a trace's times are damaged");
        }
        runs = read;
    }
    for (uint32_t i = 0; i < runs.count && walk->more && status == LLMLAB_OK;
         i++) {
        status =
            run_walk(&reader->connection, project, trace, &runs.of[i], walk);
    }
    llmlab__runs_cleanup(&read);
    return status;
}

llmlab_status_t
llmlab__sqlite_spans(llmlab__reader_t *reader, int64_t project,
                     const llmlab__trace_row_t *trace, llmlab__span_fn visit,
                     void *payload)
{
    walk_t walk = {.which = LLMLAB__SQL_SPANS_OF_TRACE,
                   .row = on_span,
                   .visit_span = visit,
                   .payload = payload,
                   .more = true};

    return trace_walk(reader, project, trace, &walk);
}

llmlab_status_t
llmlab__sqlite_nodes(llmlab__reader_t *reader, int64_t project,
                     const llmlab__trace_row_t *trace, llmlab__node_fn visit,
                     void *payload)
{
    walk_t walk = {.which = LLMLAB__SQL_NODES_OF_TRACE,
                   .row = on_node,
                   .visit_node = visit,
                   .payload = payload,
                   .more = true};

    return trace_walk(reader, project, trace, &walk);
}

llmlab_status_t
llmlab__sqlite_span(llmlab__reader_t *reader, int64_t project,
                    const llmlab__cursor_t *key, llmlab__span_fn visit,
                    void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_SPAN_VIEW);
    llmlab__span_view_t row;
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, key->major);
    sqlite3_bind_int64(sql, 3, key->minor);
    sqlite3_bind_int64(sql, 4, (int64_t)key->trace_high);
    sqlite3_bind_int64(sql, 5, (int64_t)key->trace_low);
    code = sqlite3_step(sql);
    if (code == SQLITE_ROW) {
        llmlab__span_view_read(sql, &row);
        (void)visit(payload, &row);
    }
    sqlite3_reset(sql);
    return code == SQLITE_ROW ? LLMLAB_OK
           : code == SQLITE_DONE
               ? llmlab__fail(LLMLAB_ENOTFOUND, "no span")
               : llmlab__connection_fail(connection, "read a span");
}
