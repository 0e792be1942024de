/* Lists of spans, newest first. Where a question names labels, the roll-ups
 * tell in which quarter hours there can be any. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"
#include "store/sqlite/apply.h"
#include "store/sqlite/query.h"

/* Spans and roll-up rows looked at for a page; then it ends as it is. */
#define WORK_MAX 10000
/* More series than these are not looked up one by one. */
#define SERIES_MAX 8

/* Any of these series must be in a quarter hour. */
typedef struct need_s {
    llmlab__view_t view;
    int count;
    int64_t series[SERIES_MAX];
} need_t;

typedef struct search_s {
    llmlab__connection_t *connection;
    const llmlab__call_query_t *query;
    need_t needs[LLMLAB__VIEWS + 1]; /* one to try */
    int need_count;
    int64_t from_ns;
    int64_t to_ns;
    int work;
    llmlab__cursor_t *keys;
    size_t count;
    size_t capacity; /* one more than a page has */
    llmlab__cursor_t last;
} search_t;

static const char *const columns[LLMLAB__CUBE + 1] = {
    "provider", "model", "agent", "status", "environment", "api_key", "user"};

/* The series of a view that match; *known is false when they are too many. */
static llmlab_status_t
need_read(search_t *search, llmlab__view_t view, need_t *need, bool *known)
{
    const llmlab__call_query_t *query = search->query;
    llmlab__buf_t text;
    sqlite3_stmt *sql;
    llmlab_status_t status = LLMLAB_OK;

    need->view = view;
    need->count = 0;
    *known = true;
    if (view == LLMLAB__VIEW_USER || view == LLMLAB__VIEW_AGENT ||
        view == LLMLAB__VIEW_TAG) {
        int64_t label =
            query->value[view == LLMLAB__VIEW_USER    ? LLMLAB__BY_USER
                         : view == LLMLAB__VIEW_AGENT ? LLMLAB__BY_AGENT
                                                      : LLMLAB__BY_TAG];

        /* A tag that the day's cap turned into `other` has no label. */
        *known = view != LLMLAB__VIEW_TAG || label >= 0;
        need->series[need->count++] = label;
        return LLMLAB_OK;
    }
    llmlab__buf_init(&text);
    llmlab__buf_text(&text, "SELECT id FROM series WHERE project=?1");
    for (int i = 0; i < LLMLAB__CUBE; i++) {
        unsigned bit = 1u << i;

        if ((llmlab__view_dimensions(view) & bit) == 0) {
            llmlab__buf_printf(&text, " AND %s=0", columns[i]);
        } else if (query->only & bit) {
            llmlab__buf_printf(&text, " AND %s=%lld", columns[i],
                               (long long)query->value[i]);
        }
    }
    llmlab__buf_printf(&text, " LIMIT %d", SERIES_MAX + 1);
    llmlab__buf_append(&text, "", 1);
    sql = text.failed
              ? NULL
              : llmlab__query(search->connection, (const char *)text.data, "i",
                              query->project);
    llmlab__buf_cleanup(&text);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while (*known && (status = llmlab__query_step(search->connection, sql)) ==
                         LLMLAB_OK) {
        *known = need->count < SERIES_MAX;
        if (*known) {
            need->series[need->count++] = sqlite3_column_int64(sql, 0);
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static llmlab_status_t
needs_read(search_t *search)
{
    static const llmlab__view_t views[] = {
        LLMLAB__VIEW_USER, LLMLAB__VIEW_AGENT, LLMLAB__VIEW_TAG,
        LLMLAB__VIEW_MODEL, LLMLAB__VIEW_SENDER};
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0;
         i < sizeof(views) / sizeof(views[0]) && status == LLMLAB_OK; i++) {
        bool known;

        if ((llmlab__view_dimensions(views[i]) & search->query->only) == 0) {
            continue;
        }
        status = need_read(search, views[i], &search->needs[search->need_count],
                           &known);
        search->need_count += known;
    }
    return status;
}

static bool
row_exists(search_t *search, llmlab__view_t view, llmlab__level_t level,
           int64_t start, int64_t series)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(search->connection, LLMLAB__SQL_ROLLUP_EXISTS);
    int code;

    search->work++;
    if (sql == NULL) {
        return true; /* the walk over the spans fails in its turn */
    }
    sqlite3_bind_int64(sql, 1, search->query->project);
    sqlite3_bind_int(sql, 2, (int)view);
    sqlite3_bind_int(sql, 3, (int)level);
    sqlite3_bind_int64(sql, 4, start);
    sqlite3_bind_int64(sql, 5, series);
    code = sqlite3_step(sql);
    sqlite3_reset(sql);
    return code != SQLITE_DONE;
}

static bool
unit_may_match(search_t *search, llmlab__level_t level, int64_t start)
{
    bool all = true;

    for (int i = 0; i < search->need_count && all; i++) {
        const need_t *need = &search->needs[i];
        bool any = false;

        for (int j = 0; j < need->count && !any; j++) {
            any = row_exists(search, need->view, level, start, need->series[j]);
        }
        all = any;
    }
    return all;
}

/* The last quarter hour before `before` in which there can be any, not before
 * `from`; or, when enough was looked at, *before is as far as that goes. */
static bool
quarter_find(search_t *search, int64_t from, int64_t *before)
{
    int level = LLMLAB__LEVEL_EIGHT_DAYS;
    int64_t at = *before - 1; /* the last quarter hour of what is left */

    while (at >= from && search->work < WORK_MAX) {
        int64_t quarters = llmlab__level_seconds((llmlab__level_t)level) / 900;
        int64_t unit = at / quarters;

        if (unit_may_match(search, (llmlab__level_t)level, unit)) {
            if (level == LLMLAB__LEVEL_QUARTER) {
                *before = at;
                return true;
            }
            level--;
            continue;
        }
        at = unit * quarters - 1;
        /* At the end of a greater unit the next one is asked first. */
        while (level < LLMLAB__LEVEL_EIGHT_DAYS &&
               (at + 1) % (llmlab__level_seconds((llmlab__level_t)(level + 1)) /
                           900) ==
                   0) {
            level++;
        }
    }
    *before = at + 1 > from ? at + 1 : from;
    return false;
}

/* Parameters: 1 project, 2 and 3 the range, 4 to 7 the cursor, 8 limit,
 * 9 tag, 10 session. */
static sqlite3_stmt *
spans_prepare(const search_t *search)
{
    const llmlab__call_query_t *query = search->query;
    llmlab__buf_t text;
    sqlite3_stmt *sql;

    llmlab__buf_init(&text);
    llmlab__buf_text(&text, "SELECT start_ns,span_id,trace_high,trace_low,1");
    for (int i = 0; i <= LLMLAB__BY_USER; i++) {
        if (query->only >> i & 1) {
            llmlab__buf_printf(&text, " AND %s=%lld", columns[i],
                               (long long)query->value[i]);
        }
    }
    if (query->only >> LLMLAB__BY_TAG & 1) {
        llmlab__buf_text(&text, *query->tag == '\0'
                                    ? " AND ifnull(tags,'[]')='[]'"
                                    : " AND EXISTS (SELECT 1 FROM json_each("
                                      "ifnull(tags,'[]')) WHERE value=?9)");
    }
    if (query->only >> LLMLAB__BY_SESSION & 1) {
        llmlab__buf_text(&text, *query->session == '\0' ? " AND session IS NULL"
                                                        : " AND session=?10");
    }
    if (query->kind >= 0) {
        llmlab__buf_printf(&text, " AND kind=%d", query->kind);
    }
    llmlab__buf_text(&text, query->unpriced ? " AND counted=1 AND priced=0 AND "
                                              "(usage_source<>0 OR status=1)"
                                            : "");
    llmlab__buf_text(
        &text, " FROM span WHERE project=?1 AND start_ns>=?2 AND start_ns<?3 "
               "AND (start_ns,span_id,trace_high,trace_low)<(?4,?5,?6,?7) "
               "ORDER BY start_ns DESC,span_id DESC,trace_high DESC,"
               "trace_low DESC LIMIT ?8");
    llmlab__buf_append(&text, "", 1);
    sql = text.failed
              ? NULL
              : llmlab__query(search->connection, (const char *)text.data, "");
    llmlab__buf_cleanup(&text);
    if (sql != NULL) {
        sqlite3_bind_int64(sql, 1, query->project);
        if (query->tag != NULL) {
            sqlite3_bind_text(sql, 9, query->tag, -1, SQLITE_STATIC);
        }
        if (query->session != NULL) {
            sqlite3_bind_text(sql, 10, query->session, -1, SQLITE_STATIC);
        }
    }
    return sql;
}

/* Look through the spans of a range. */
static llmlab_status_t
range_search(search_t *search, sqlite3_stmt *sql, int64_t from_ns,
             int64_t to_ns)
{
    llmlab_status_t status = LLMLAB_OK;
    int left = WORK_MAX - search->work;

    sqlite3_reset(sql);
    sqlite3_bind_int64(sql, 2, from_ns);
    sqlite3_bind_int64(sql, 3, to_ns);
    sqlite3_bind_int64(sql, 4, search->last.major);
    sqlite3_bind_int64(sql, 5, search->last.minor);
    sqlite3_bind_int64(sql, 6, (int64_t)search->last.trace_high);
    sqlite3_bind_int64(sql, 7, (int64_t)search->last.trace_low);
    sqlite3_bind_int64(sql, 8, left > 0 ? left : 0);
    while (search->count < search->capacity &&
           (status = llmlab__query_step(search->connection, sql)) ==
               LLMLAB_OK) {
        search->work++;
        search->last.major = sqlite3_column_int64(sql, 0);
        search->last.minor = sqlite3_column_int64(sql, 1);
        search->last.trace_high = (uint64_t)sqlite3_column_int64(sql, 2);
        search->last.trace_low = (uint64_t)sqlite3_column_int64(sql, 3);
        if (sqlite3_column_int(sql, 4) != 0) {
            search->keys[search->count++] = search->last;
        }
    }
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static llmlab_status_t
quarters_search(search_t *search, sqlite3_stmt *sql)
{
    int64_t from = search->from_ns / LLMLAB__QUARTER_NS;
    int64_t before =
        (least(search->to_ns - 1, search->last.major)) / LLMLAB__QUARTER_NS + 1;
    llmlab_status_t status = LLMLAB_OK;

    while (status == LLMLAB_OK && search->count < search->capacity &&
           search->work < WORK_MAX) {
        bool found = quarter_find(search, from, &before);

        if (found) {
            status = range_search(
                search, sql, most(search->from_ns, before * LLMLAB__QUARTER_NS),
                least(search->to_ns, (before + 1) * LLMLAB__QUARTER_NS));
        }
        if (search->count < search->capacity && search->work < WORK_MAX) {
            if (!found) {
                return status; /* there are no others */
            }
        } else if (!found) {
            /* All from here on is looked through. */
            search->last = (llmlab__cursor_t){before * LLMLAB__QUARTER_NS,
                                              INT64_MIN, 0, 0};
        }
    }
    return status;
}

static llmlab_status_t
rows_visit(const search_t *search, llmlab__span_fn visit, void *payload)
{
    llmlab__span_view_t row;
    int code = SQLITE_ROW;

    for (size_t i = 0; i < search->count; i++) {
        sqlite3_stmt *sql =
            llmlab__connection_sql(search->connection, LLMLAB__SQL_SPAN_VIEW);

        if (sql == NULL) {
            return LLMLAB_EIO;
        }
        sqlite3_bind_int64(sql, 1, search->query->project);
        sqlite3_bind_int64(sql, 2, search->keys[i].major);
        sqlite3_bind_int64(sql, 3, search->keys[i].minor);
        sqlite3_bind_int64(sql, 4, (int64_t)search->keys[i].trace_high);
        sqlite3_bind_int64(sql, 5, (int64_t)search->keys[i].trace_low);
        code = sqlite3_step(sql);
        if (code == SQLITE_ROW) {
            llmlab__span_view_read(sql, &row);
            (void)visit(payload, &row);
        }
        sqlite3_reset(sql);
        if (code != SQLITE_ROW) {
            return llmlab__connection_fail(search->connection, "read a span");
        }
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__sqlite_calls(llmlab__reader_t *reader,
                     const llmlab__call_query_t *query, llmlab__span_fn visit,
                     void *payload, llmlab__page_end_t *end)
{
    search_t search = {.connection = &reader->connection,
                       .query = query,
                       .from_ns = query->start_ns,
                       .to_ns = query->end_ns,
                       .capacity = query->limit + 1,
                       .last = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};
    sqlite3_stmt *sql = NULL;
    llmlab_status_t status;

    memset(end, 0, sizeof(*end));
    if (query->has_cursor) {
        search.last = query->cursor;
    }
    search.keys = llmlab__calloc(search.capacity, sizeof(*search.keys));
    if (search.keys == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a list");
    }
    status = needs_read(&search);
    if (status == LLMLAB_OK) {
        status = llmlab__session_bounds(search.connection, query->project,
                                        query->session, &search.from_ns,
                                        &search.to_ns);
    }
    if (status == LLMLAB_OK && search.from_ns < search.to_ns) {
        sql = spans_prepare(&search);
        status = sql == NULL ? LLMLAB_EIO
                 : search.need_count > 0
                     ? quarters_search(&search, sql)
                     : range_search(&search, sql, search.from_ns, search.to_ns);
    }
    sqlite3_finalize(sql);
    end->more = search.work >= WORK_MAX;
    end->last = search.last;
    if (search.count == search.capacity) {
        search.count--;
        end->more = true;
        end->last = search.keys[search.count - 1];
    }
    if (status == LLMLAB_OK) {
        status = rows_visit(&search, visit, payload);
    }
    llmlab__free(search.keys);
    return status;
}
