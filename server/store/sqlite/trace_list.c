/* Lists of traces: first their keys are found, in an index that suits the
 * question, then the rows of those that are shown. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"
#include "store/sqlite/query.h"

#define DAY_NS (INT64_C(86400) * 1000000000)
/* Traces looked at for a page of the newest; then it ends as it is. */
#define SCAN_MAX 20000
/* The dearest of so many are found by looking at all of them; of more, by
 * walking each day from its dearest on. */
#define SORT_MAX 20000
/* The dearest of a day that are read at once. */
#define CHUNK 16

#define TRACE_COLUMNS                                                   \
    "t.trace_high,t.trace_low,t.start_ns,t.last_ns,t.end_ns,t.root_id," \
    "t.status,t.steps,t.calls,t.errors,t.unpriced,t.cost_nano,"         \
    "t.cost_rest,t.input_tokens,t.output_tokens,t.name,"                \
    "(SELECT text FROM label WHERE id=t.agent),"                        \
    "(SELECT text FROM label WHERE id=t.user),"                         \
    "(SELECT text FROM label WHERE id=t.environment),t.session,t.tags,t.runs "

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
    row->runs = llmlab__column_blob(sql, 21);
}

/* A question with its names as labels. */
typedef struct ask_s {
    llmlab__connection_t *connection;
    const llmlab__trace_query_t *query;
    int64_t start_ns;
    int64_t end_ns;
    int64_t agent;
    int64_t user;
    int64_t environment;
    char model[32]; /* ",7," */
    llmlab__cursor_t *keys;
    size_t count;
    size_t capacity; /* one more than a page has */
} ask_t;

static void
text_bind(sqlite3_stmt *sql, int parameter, const char *text)
{
    if (text != NULL) {
        sqlite3_bind_text(sql, parameter, text, -1, SQLITE_STATIC);
    }
}

/* Parameters: 1 project, 2 and 3 the range, 4 status, 5 agent, 6 model, 7
 * user, 8 session, 9 to 12 the cursor, 13 limit, 14 day, 15 environment, 16
 * name, 17 tag, 18 and 19 the least cost, 20 the least duration, 21 a score's
 * name, 22 and 23 its range. */
static sqlite3_stmt *
prepare(const ask_t *ask, const llmlab__buf_t *text)
{
    const llmlab__trace_query_t *query = ask->query;
    sqlite3_stmt *sql;

    if (text->failed) {
        (void)llmlab__fail(LLMLAB_ENOMEM, "no memory for a question");
        return NULL;
    }
    sql = llmlab__query(ask->connection, (const char *)text->data, "");
    if (sql == NULL) {
        return NULL;
    }
    sqlite3_bind_int64(sql, 1, query->project);
    sqlite3_bind_int64(sql, 2, ask->start_ns);
    sqlite3_bind_int64(sql, 3, ask->end_ns);
    sqlite3_bind_int(sql, 4, query->status);
    sqlite3_bind_int64(sql, 5, ask->agent);
    sqlite3_bind_text(sql, 6, ask->model, -1, SQLITE_STATIC);
    sqlite3_bind_int64(sql, 7, ask->user);
    text_bind(sql, 8, query->session);
    sqlite3_bind_int64(sql, 9, query->cursor.major);
    sqlite3_bind_int64(sql, 10, query->cursor.minor);
    sqlite3_bind_int64(sql, 11, (int64_t)query->cursor.trace_high);
    sqlite3_bind_int64(sql, 12, (int64_t)query->cursor.trace_low);
    sqlite3_bind_int64(sql, 15, ask->environment);
    text_bind(sql, 16, query->name);
    text_bind(sql, 17, query->tag);
    sqlite3_bind_int64(sql, 18, query->min_cost_nano);
    sqlite3_bind_int64(sql, 19, query->min_cost_rest);
    sqlite3_bind_int64(sql, 20, query->min_duration_ns);
    text_bind(sql, 21, query->score);
    sqlite3_bind_double(sql, 22, query->min_score);
    sqlite3_bind_double(sql, 23, query->max_score);
    return sql;
}

/* The index that has what is asked for together; NULL: none has. */
static const char *
narrow_index(const llmlab__trace_query_t *query)
{
    return query->user != NULL    ? "trace_by_user"
           : query->agent != NULL ? "trace_by_agent"
           : query->status == LLMLAB_ERROR || query->status == LLMLAB_CANCELLED
               ? "trace_by_failure"
               : NULL;
}

/* Its condition, in the words that let SQLite use it. */
static const char *
narrow_condition(const llmlab__trace_query_t *query)
{
    return query->user != NULL    ? " AND t.user=?7 AND t.user<>0"
           : query->agent != NULL ? " AND t.agent=?5 AND t.agent<>0"
                                  : " AND t.status<>1";
}

static void
score_text(const llmlab__trace_query_t *query, llmlab__buf_t *out)
{
    if (query->score == NULL && !query->has_min_score &&
        !query->has_max_score) {
        return;
    }
    llmlab__buf_text(out,
                     " AND EXISTS (SELECT 1 FROM score s INDEXED BY "
                     "score_by_trace WHERE s.project=?1 AND "
                     "s.trace_high=t.trace_high AND s.trace_low=t.trace_low");
    llmlab__buf_text(out, query->score != NULL ? " AND s.name=?21" : "");
    llmlab__buf_text(out, query->has_min_score ? " AND s.value>=?22" : "");
    llmlab__buf_text(out, query->has_max_score ? " AND s.value<=?23" : "");
    llmlab__buf_text(out, ")");
}

static void
filters_text(const llmlab__trace_query_t *query, llmlab__buf_t *out)
{
    llmlab__buf_text(out, query->status != 0 ? " AND t.status=?4" : "");
    llmlab__buf_text(out, query->agent != NULL ? " AND t.agent=?5" : "");
    llmlab__buf_text(out, query->user != NULL ? " AND t.user=?7" : "");
    llmlab__buf_text(out, query->environment != NULL ? " AND t.environment=?15"
                                                     : "");
    llmlab__buf_text(out, query->session != NULL ? " AND t.session=?8" : "");
    llmlab__buf_text(out,
                     query->model != NULL ? " AND instr(t.models,?6)>0" : "");
    llmlab__buf_text(out, query->name != NULL ? " AND t.name=?16" : "");
    llmlab__buf_text(out, query->tag != NULL
                              ? " AND EXISTS (SELECT 1 FROM json_each(ifnull("
                                "t.tags,'[]')) WHERE value=?17)"
                              : "");
    llmlab__buf_text(out, query->min_cost_nano + query->min_cost_rest > 0
                              ? " AND (t.cost_nano,t.cost_rest)>=(?18,?19)"
                              : "");
    llmlab__buf_text(
        out, query->min_duration_ns > 0 ? " AND t.end_ns-t.start_ns>=?20" : "");
    llmlab__buf_text(out, query->unpriced ? " AND t.unpriced>0" : "");
    llmlab__buf_text(out, query->errors ? " AND t.errors>0" : "");
    score_text(query, out);
}

static void
range_text(const llmlab__trace_query_t *query, const char *index,
           llmlab__buf_t *out)
{
    llmlab__buf_printf(out,
                       " FROM trace t INDEXED BY %s WHERE t.project=?1 AND "
                       "t.start_ns>=?2 AND t.start_ns<?3%s",
                       index == NULL ? "trace_by_start" : index,
                       index == NULL ? "" : narrow_condition(query));
}

#define BELOW_COST                                            \
    " AND (t.cost_nano,t.cost_rest,t.trace_high,t.trace_low)" \
    "<(?9,?10,?11,?12)"
#define DEAREST_ORDER                              \
    " ORDER BY t.cost_nano DESC,t.cost_rest DESC," \
    "t.trace_high DESC,t.trace_low DESC LIMIT ?13"

static void
key_read(sqlite3_stmt *sql, llmlab__cursor_t *out)
{
    out->major = sqlite3_column_int64(sql, 0);
    out->minor = sqlite3_column_int64(sql, 1);
    out->trace_high = (uint64_t)sqlite3_column_int64(sql, 2);
    out->trace_low = (uint64_t)sqlite3_column_int64(sql, 3);
}

/* Walk back in time. What does not match is passed over, but not for ever. */
static llmlab_status_t
newest_find(ask_t *ask, llmlab__page_end_t *end)
{
    const llmlab__trace_query_t *query = ask->query;
    llmlab__cursor_t key = query->cursor;
    llmlab__buf_t text;
    sqlite3_stmt *sql;
    llmlab_status_t status = LLMLAB_OK;
    int seen = 0;

    llmlab__buf_init(&text);
    llmlab__buf_text(&text, "SELECT t.start_ns,0,t.trace_high,t.trace_low,1");
    filters_text(query, &text);
    range_text(query, narrow_index(query), &text);
    llmlab__buf_text(&text, query->has_cursor
                                ? " AND (t.start_ns,t.trace_high,t.trace_low)"
                                  "<(?9,?11,?12)"
                                : "");
    llmlab__buf_text(&text, " ORDER BY t.start_ns DESC,t.trace_high DESC,"
                            "t.trace_low DESC LIMIT ?13");
    llmlab__buf_append(&text, "", 1);
    sql = prepare(ask, &text);
    llmlab__buf_cleanup(&text);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 13, SCAN_MAX);
    while (ask->count < ask->capacity &&
           (status = llmlab__query_step(ask->connection, sql)) == LLMLAB_OK) {
        key_read(sql, &key);
        seen++;
        if (sqlite3_column_int(sql, 4) != 0) {
            ask->keys[ask->count++] = key;
        }
    }
    sqlite3_finalize(sql);
    end->more = seen == SCAN_MAX;
    end->last = key;
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* Are there so few that all may be looked at? */
static llmlab_status_t
few_count(ask_t *ask, const char *index, bool *few)
{
    llmlab__buf_t text;
    sqlite3_stmt *sql;
    llmlab_status_t status;

    llmlab__buf_init(&text);
    llmlab__buf_text(&text, "SELECT count(*) FROM (SELECT 1");
    range_text(ask->query, index, &text);
    llmlab__buf_text(&text, " LIMIT ?13)");
    llmlab__buf_append(&text, "", 1);
    sql = prepare(ask, &text);
    llmlab__buf_cleanup(&text);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 13, SORT_MAX + 1);
    status = llmlab__query_step(ask->connection, sql);
    *few = status == LLMLAB_OK && sqlite3_column_int64(sql, 0) <= SORT_MAX;
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
dearest_of_few(ask_t *ask, const char *index)
{
    llmlab__buf_t text;
    sqlite3_stmt *sql;
    llmlab_status_t status = LLMLAB_OK;

    llmlab__buf_init(&text);
    llmlab__buf_text(&text,
                     "SELECT t.cost_nano,t.cost_rest,t.trace_high,t.trace_low");
    range_text(ask->query, index, &text);
    filters_text(ask->query, &text);
    llmlab__buf_text(&text, ask->query->has_cursor ? BELOW_COST : "");
    llmlab__buf_text(&text, DEAREST_ORDER);
    llmlab__buf_append(&text, "", 1);
    sql = prepare(ask, &text);
    llmlab__buf_cleanup(&text);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 13, (int64_t)ask->capacity);
    while (ask->count < ask->capacity &&
           (status = llmlab__query_step(ask->connection, sql)) == LLMLAB_OK) {
        key_read(sql, &ask->keys[ask->count++]);
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* A UTC day's traces from its dearest on. */
typedef struct day_s {
    int64_t day;
    int count; /* in keys; fewer than CHUNK: there are no others */
    int at;
    llmlab__cursor_t keys[CHUNK];
} day_t;

static bool
is_dearer(const llmlab__cursor_t *a, const llmlab__cursor_t *b)
{
    if (a->major != b->major) {
        return a->major > b->major;
    }
    if (a->minor != b->minor) {
        return a->minor > b->minor;
    }
    return a->trace_high != b->trace_high
               ? (int64_t)a->trace_high > (int64_t)b->trace_high
               : (int64_t)a->trace_low > (int64_t)b->trace_low;
}

static llmlab_status_t
day_fill(ask_t *ask, sqlite3_stmt *sql, day_t *day,
         const llmlab__cursor_t *below)
{
    llmlab_status_t status = LLMLAB_OK;

    sqlite3_reset(sql);
    sqlite3_bind_int64(sql, 9, below->major);
    sqlite3_bind_int64(sql, 10, below->minor);
    sqlite3_bind_int64(sql, 11, (int64_t)below->trace_high);
    sqlite3_bind_int64(sql, 12, (int64_t)below->trace_low);
    sqlite3_bind_int64(sql, 13, CHUNK);
    sqlite3_bind_int64(sql, 14, day->day);
    day->at = 0;
    day->count = 0;
    while (day->count < CHUNK &&
           (status = llmlab__query_step(ask->connection, sql)) == LLMLAB_OK) {
        key_read(sql, &day->keys[day->count++]);
    }
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* Take the dearest of all days' first ones, again and again. */
static llmlab_status_t
days_merge(ask_t *ask, sqlite3_stmt *sql, day_t *days, size_t count)
{
    static const llmlab__cursor_t above = {INT64_MAX, INT64_MAX, INT64_MAX,
                                           INT64_MAX};
    const llmlab__trace_query_t *query = ask->query;
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0; i < count && status == LLMLAB_OK; i++) {
        days[i].day = ask->start_ns / DAY_NS + (int64_t)i;
        status = day_fill(ask, sql, &days[i],
                          query->has_cursor ? &query->cursor : &above);
    }
    while (status == LLMLAB_OK && ask->count < ask->capacity) {
        day_t *best = NULL;

        for (size_t i = 0; i < count; i++) {
            if (days[i].at < days[i].count &&
                (best == NULL ||
                 is_dearer(&days[i].keys[days[i].at], &best->keys[best->at]))) {
                best = &days[i];
            }
        }
        if (best == NULL) {
            break;
        }
        ask->keys[ask->count++] = best->keys[best->at++];
        if (best->at == best->count && best->count == CHUNK) {
            llmlab__cursor_t last = best->keys[CHUNK - 1];

            status = day_fill(ask, sql, best, &last);
        }
    }
    return status;
}

static llmlab_status_t
dearest_of_many(ask_t *ask)
{
    size_t count =
        (size_t)((ask->end_ns - 1) / DAY_NS - ask->start_ns / DAY_NS + 1);
    day_t *days = llmlab__calloc(count, sizeof(*days));
    llmlab__buf_t text;
    sqlite3_stmt *sql;
    llmlab_status_t status;

    if (days == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a list");
    }
    llmlab__buf_init(&text);
    llmlab__buf_text(
        &text, "SELECT t.cost_nano,t.cost_rest,t.trace_high,t.trace_low "
               "FROM trace t INDEXED BY trace_by_cost WHERE t.project=?1 AND "
               "t.start_ns/86400000000000=?14 AND t.start_ns>=?2 AND "
               "t.start_ns<?3" BELOW_COST);
    filters_text(ask->query, &text);
    llmlab__buf_text(&text, DEAREST_ORDER);
    llmlab__buf_append(&text, "", 1);
    sql = prepare(ask, &text);
    llmlab__buf_cleanup(&text);
    status = sql == NULL ? LLMLAB_EIO : days_merge(ask, sql, days, count);
    sqlite3_finalize(sql);
    llmlab__free(days);
    return status;
}

static llmlab_status_t
dearest_find(ask_t *ask)
{
    const char *index = narrow_index(ask->query);
    bool few = false;
    llmlab_status_t status =
        index == NULL ? LLMLAB_OK : few_count(ask, index, &few);

    if (status != LLMLAB_OK) {
        return status;
    }
    return few ? dearest_of_few(ask, index) : dearest_of_many(ask);
}

/* The id of a label that a question names. False: no such label, so that no
 * trace can have it. */
static bool
label_read(llmlab__reader_t *reader, const llmlab__trace_query_t *query,
           llmlab__label_kind_t kind, const char *text, int64_t *out)
{
    *out = text == NULL
               ? 0
               : llmlab__sqlite_label_find(reader, query->project, kind, text);
    return text == NULL || *out != 0;
}

static bool
labels_read(llmlab__reader_t *reader, ask_t *ask)
{
    const llmlab__trace_query_t *query = ask->query;
    int64_t model;
    bool good =
        label_read(reader, query, LLMLAB__LABEL_AGENT, query->agent,
                   &ask->agent) &&
        label_read(reader, query, LLMLAB__LABEL_MODEL, query->model, &model) &&
        label_read(reader, query, LLMLAB__LABEL_USER, query->user,
                   &ask->user) &&
        label_read(reader, query, LLMLAB__LABEL_ENVIRONMENT, query->environment,
                   &ask->environment);

    if (good) {
        (void)snprintf(ask->model, sizeof(ask->model), ",%lld,",
                       (long long)model);
    }
    return good;
}

llmlab_status_t
llmlab__sqlite_trace(llmlab__reader_t *reader, int64_t project,
                     uint64_t trace_high, uint64_t trace_low,
                     llmlab__trace_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__query(connection,
                      "SELECT " TRACE_COLUMNS "FROM trace t WHERE "
                      "t.project=? AND t.trace_high=? AND t.trace_low=?",
                      "iii", project, (int64_t)trace_high, (int64_t)trace_low);
    llmlab__trace_row_t row;
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        trace_read(sql, &row);
        (void)visit(payload, &row);
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

llmlab_status_t
llmlab__sqlite_traces(llmlab__reader_t *reader,
                      const llmlab__trace_query_t *query,
                      llmlab__trace_fn visit, void *payload,
                      llmlab__page_end_t *end)
{
    ask_t ask = {.connection = &reader->connection,
                 .query = query,
                 .start_ns = query->start_ns,
                 .end_ns = query->end_ns,
                 .capacity = query->limit + 1};
    llmlab_status_t status = LLMLAB_OK;

    memset(end, 0, sizeof(*end));
    if (!labels_read(reader, &ask)) {
        return LLMLAB_OK;
    }
    status = llmlab__session_bounds(&reader->connection, query->project,
                                    query->session, &ask.start_ns, &ask.end_ns);
    if (status != LLMLAB_OK || ask.start_ns >= ask.end_ns) {
        return status;
    }
    ask.keys = llmlab__calloc(ask.capacity, sizeof(*ask.keys));
    if (ask.keys == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a list");
    }
    status = query->order == LLMLAB__NEWEST_FIRST ? newest_find(&ask, end)
                                                  : dearest_find(&ask);
    if (ask.count == ask.capacity) {
        ask.count--;
        end->more = true;
        end->last = ask.keys[ask.count - 1];
    }
    for (size_t i = 0; i < ask.count && status == LLMLAB_OK; i++) {
        status =
            llmlab__sqlite_trace(reader, query->project, ask.keys[i].trace_high,
                                 ask.keys[i].trace_low, visit, payload);
    }
    llmlab__free(ask.keys);
    return status;
}
