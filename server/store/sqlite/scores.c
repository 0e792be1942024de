#include "store/scores.h"

#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "store/sqlite/apply.h"
#include "store/sqlite/query.h"

/* Scores looked at for a page; then it ends as it is. */
#define SCAN_MAX 20000

#define COLUMNS                                                          \
    "row,trace_high,trace_low,span_id,at_ns,value,id,name,label,source," \
    "version,comment"

static const char *
text_column(sqlite3_stmt *sql, int column)
{
    return (const char *)sqlite3_column_text(sql, column);
}

static void
score_read(sqlite3_stmt *sql, llmlab__score_t *out)
{
    out->row = sqlite3_column_int64(sql, 0);
    out->trace_high = (uint64_t)sqlite3_column_int64(sql, 1);
    out->trace_low = (uint64_t)sqlite3_column_int64(sql, 2);
    out->span_id = (uint64_t)sqlite3_column_int64(sql, 3);
    out->at_ns = sqlite3_column_int64(sql, 4);
    out->has_value = sqlite3_column_type(sql, 5) != SQLITE_NULL;
    out->value = sqlite3_column_double(sql, 5);
    out->id = text_column(sql, 6);
    out->name = text_column(sql, 7);
    out->label = text_column(sql, 8);
    out->source = text_column(sql, 9);
    out->version = text_column(sql, 10);
    out->comment = text_column(sql, 11);
}

static llmlab__text_t
text_of(const char *text)
{
    return (llmlab__text_t){text, text == NULL ? 0 : strlen(text)};
}

llmlab_status_t
llmlab__score_insert(llmlab__connection_t *connection, int64_t project,
                     const char *id, const llmlab__score_row_t *row)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_SCORE_INSERT);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, project);
    llmlab__bind_text(sql, 2, text_of(id));
    sqlite3_bind_int64(sql, 3, (int64_t)row->trace_high);
    sqlite3_bind_int64(sql, 4, (int64_t)row->trace_low);
    sqlite3_bind_int64(sql, 5, (int64_t)row->span_id);
    sqlite3_bind_int64(sql, 6, row->at_ns);
    llmlab__bind_text(sql, 7, row->name);
    if (row->has_value) {
        sqlite3_bind_double(sql, 8, row->value);
    }
    llmlab__bind_text(sql, 9, row->label);
    llmlab__bind_text(sql, 10, row->source);
    llmlab__bind_text(sql, 11, row->version);
    llmlab__bind_text(sql, 12, row->comment);
    return llmlab__connection_run(connection, sql, "store a score");
}

llmlab_status_t
llmlab__score_trace_gone(llmlab__connection_t *connection, int64_t project,
                         uint64_t trace_high, uint64_t trace_low)
{
    llmlab_status_t status =
        llmlab__trace_was_deleted(connection, project, trace_high, trace_low);
    sqlite3_stmt *sql;

    if (status != LLMLAB_OK) {
        return status;
    }
    sql =
        llmlab__query(connection,
                      "SELECT 1 FROM trace WHERE project=? AND trace_high=? "
                      "AND trace_low=?",
                      "iii", project, (int64_t)trace_high, (int64_t)trace_low);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    sqlite3_finalize(sql);
    return status == LLMLAB_OK          ? LLMLAB_ENOTFOUND
           : status == LLMLAB_ENOTFOUND ? LLMLAB_OK
                                        : status;
}

static llmlab_status_t
scores_add(llmlab__reader_t *changer, int64_t project,
           const llmlab__score_t *score)
{
    llmlab__connection_t *connection = &changer->connection;
    const llmlab__score_row_t row = {.trace_high = score->trace_high,
                                     .trace_low = score->trace_low,
                                     .span_id = score->span_id,
                                     .at_ns = score->at_ns,
                                     .value = score->value,
                                     .has_value = score->has_value,
                                     .name = text_of(score->name),
                                     .label = text_of(score->label),
                                     .source = text_of(score->source),
                                     .version = text_of(score->version),
                                     .comment = text_of(score->comment)};
    llmlab_status_t status = llmlab__score_trace_gone(
        connection, project, score->trace_high, score->trace_low);

    if (status != LLMLAB_ENOTFOUND) {
        return status == LLMLAB_OK
                   ? llmlab__fail(LLMLAB_EUNSUPPORTED, "the trace was deleted")
                   : status;
    }
    status = llmlab__score_insert(connection, project, score->id, &row);
    return status == LLMLAB_OK && sqlite3_changes(connection->db) == 0
               ? llmlab__fail(LLMLAB_EINVAL, "there is a score of this id")
               : status;
}

/* Parameters: 1 project, 2 and 3 the range, 4 and 5 the trace, 6 span, 7 name,
 * 8 source, 9 and 10 the cursor, 11 limit. */
static sqlite3_stmt *
prepare(llmlab__connection_t *connection, const llmlab__score_query_t *query,
        llmlab__buf_t *text)
{
    sqlite3_stmt *sql = NULL;

    llmlab__buf_append(text, "", 1);
    if (text->failed) {
        (void)llmlab__fail(LLMLAB_ENOMEM, "no memory for a question");
    } else {
        sql = llmlab__query(
            connection, (const char *)text->data, "iiiiiittii", query->project,
            query->start_ns, query->end_ns, (int64_t)query->trace_high,
            (int64_t)query->trace_low, (int64_t)query->span_id, query->name,
            query->source, query->before_ns, query->before);
    }
    llmlab__buf_cleanup(text);
    return sql;
}

/* What an index leads to, and what is looked at in each row. */
static void
conditions_text(const llmlab__score_query_t *query, bool walked,
                llmlab__buf_t *out)
{
    const char *index = query->has_trace      ? "score_by_trace"
                        : query->name != NULL ? "score_by_name"
                                              : "score_by_time";

    llmlab__buf_printf(out,
                       " FROM score INDEXED BY %s WHERE project=?1 AND "
                       "at_ns>=?2 AND at_ns<?3%s%s",
                       index,
                       query->has_trace ? " AND trace_high=?4 AND trace_low=?5"
                       : query->name != NULL ? " AND name=?7"
                                             : "",
                       walked ? " AND (at_ns,row)<(?9,?10)" : "");
}

static void
filters_text(const llmlab__score_query_t *query, llmlab__buf_t *out)
{
    llmlab__buf_text(out, query->span_id != 0 ? " AND span_id=?6" : "");
    llmlab__buf_text(
        out, query->name != NULL && query->has_trace ? " AND name=?7" : "");
    llmlab__buf_text(out, query->source != NULL ? " AND source IS ?8" : "");
}

static llmlab_status_t
scores_list(llmlab__reader_t *reader, const llmlab__score_query_t *query,
            llmlab__score_fn visit, void *payload, bool *more, int64_t *end_ns,
            int64_t *end)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_EIO;
    llmlab__score_t score = {0};
    llmlab__buf_t text;
    sqlite3_stmt *sql;
    size_t count = 0;
    int seen = 0;

    *more = false;
    llmlab__buf_init(&text);
    llmlab__buf_text(&text, "SELECT " COLUMNS ",1");
    filters_text(query, &text);
    conditions_text(query, true, &text);
    llmlab__buf_text(&text, " ORDER BY at_ns DESC,row DESC");
    sql = prepare(connection, query, &text);
    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        if (count == query->limit || seen++ == SCAN_MAX) {
            *more = true;
            break;
        }
        score_read(sql, &score);
        *end_ns = score.at_ns;
        *end = score.row;
        if (sqlite3_column_int(sql, 12) != 0) {
            count++;
            if (!visit(payload, &score)) {
                break;
            }
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static llmlab_status_t
scores_get(llmlab__reader_t *reader, int64_t project, const char *id,
           llmlab__score_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql = llmlab__query(
        connection, "SELECT " COLUMNS " FROM score WHERE project=? AND id=?",
        "it", project, id);
    llmlab_status_t status = LLMLAB_EIO;
    llmlab__score_t score;

    if (sql != NULL) {
        status = llmlab__query_step(connection, sql);
    }
    if (status == LLMLAB_OK) {
        score_read(sql, &score);
        (void)visit(payload, &score);
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
scores_remove(llmlab__reader_t *changer, int64_t project, const char *id)
{
    return llmlab__execute_one(&changer->connection,
                               "DELETE FROM score WHERE project=? AND id=?",
                               "it", project, id);
}

static llmlab_status_t
scores_values(llmlab__reader_t *reader, const llmlab__score_query_t *query,
              llmlab__score_value_fn visit, void *payload, bool *more)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_EIO;
    llmlab__buf_t text;
    sqlite3_stmt *sql;
    size_t count = 0;

    *more = false;
    llmlab__buf_init(&text);
    llmlab__buf_text(&text, "SELECT name,value,label FROM (SELECT "
                            "name,value,label");
    conditions_text(query, false, &text);
    filters_text(query, &text);
    llmlab__buf_printf(&text, " LIMIT %zu) ORDER BY name,label",
                       query->limit + 1);
    sql = prepare(connection, query, &text);
    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        if (count++ == query->limit) {
            *more = true;
            break;
        }
        if (!visit(payload, text_column(sql, 0),
                   sqlite3_column_type(sql, 1) != SQLITE_NULL,
                   sqlite3_column_double(sql, 1), text_column(sql, 2))) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

const llmlab__score_ops_t llmlab__sqlite_score_ops = {
    .add = scores_add,
    .list = scores_list,
    .get = scores_get,
    .remove = scores_remove,
    .values = scores_values,
};
