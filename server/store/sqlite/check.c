/* Are the sums what the spans say? Hour by hour, so that the memory it takes is
 * that of one hour. */
#include "store/sqlite/check.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "store/sqlite/query.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)

#define SUM_COLUMN_(name, column) "," column
#define REMAINDERS                                                      \
    "SELECT provider,model,agent,status,environment,api_key,user,tags," \
    "start_ns,latency_ns" LLMLAB__SUM_MAP(                              \
        SUM_COLUMN_) " FROM remainder WHERE "                           \
                     "project=? AND start_ns>=? AND start_ns<?"

void
llmlab__check_differs(llmlab__checking_t *checking, const char *where,
                      const char *what, const char *place, int64_t stored,
                      int64_t expected)
{
    llmlab__difference_t difference = {.project = checking->project,
                                       .where = where,
                                       .what = what,
                                       .stored = stored,
                                       .expected = expected};

    (void)snprintf(difference.place, sizeof(difference.place), "%s", place);
    checking->check->differences++;
    checking->check->differs(checking->check->payload, &difference);
}

static llmlab_status_t
place_read(llmlab__checking_t *checking, sqlite3_stmt *sql, int64_t start_ns,
           llmlab__place_t *out)
{
    memset(out, 0, sizeof(*out));
    out->project = checking->project;
    out->start_ns = start_ns;
    out->tags = &checking->tags;
    for (int i = 0; i <= LLMLAB__BY_USER; i++) {
        out->by[i] = sqlite3_column_int64(sql, i);
    }
    checking->tags.count = 0; /* its text went with the row before */
    return llmlab__tags_read(checking->connection, &checking->labels,
                             checking->project, 0, llmlab__column_text(sql, 7),
                             &checking->tags);
}

static llmlab_status_t
spans_add(llmlab__checking_t *checking, int64_t hour)
{
    llmlab__connection_t *connection = checking->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT provider,model,agent,status,environment,api_key,user,tags,"
        "counted,priced,usage_source,duration_ns,ifnull(cost_nano,0),"
        "ifnull(cost_rest,0),ifnull(client_nano,0),ifnull(client_rest,0),"
        "usage,start_ns,trace_high,trace_low FROM span WHERE project=? AND "
        "start_ns>=? AND start_ns<?",
        "iii", checking->project, hour, hour + HOUR_NS);

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__contribution_t what;
        llmlab__place_t place;
        int outcome = sqlite3_column_int(sql, LLMLAB__BY_STATUS);

        checking->check->spans++;
        llmlab__span_contribution(sql, 8, outcome, &what);
        status =
            place_read(checking, sql, sqlite3_column_int64(sql, 17), &place);
        if (status == LLMLAB_OK) {
            status = llmlab__contribute(&checking->rollups, &place, &what, 1);
        }
        if (status == LLMLAB_OK) {
            status = llmlab__tracing_add(
                checking, (uint64_t)sqlite3_column_int64(sql, 18),
                (uint64_t)sqlite3_column_int64(sql, 19),
                outcome == LLMLAB_ERROR, &what.sums);
        }
        if (status != LLMLAB_OK) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static llmlab_status_t
remainders_add(llmlab__checking_t *checking, int64_t hour)
{
    llmlab__connection_t *connection = checking->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(connection, REMAINDERS, "iii",
                                      checking->project, hour, hour + HOUR_NS);

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__contribution_t what = {.latency_ns =
                                           sqlite3_column_int64(sql, 9)};
        llmlab__place_t place;

        for (int i = 0; i < LLMLAB__SUMS; i++) {
            what.sums.of[i] = sqlite3_column_int64(sql, 10 + i);
        }
        status =
            place_read(checking, sql, sqlite3_column_int64(sql, 8), &place);
        if (status == LLMLAB_OK) {
            status = llmlab__contribute(&checking->rollups, &place, &what, 1);
        }
        if (status != LLMLAB_OK) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* The next hour that has anything; LLMLAB_ENOTFOUND. */
static llmlab_status_t
hour_next(llmlab__checking_t *checking, int64_t from, int64_t *out)
{
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        checking->connection,
        "SELECT min(ifnull((SELECT min(start_ns) FROM span WHERE project=?1 "
        "AND start_ns>=?2),9e18),ifnull((SELECT min(start_ns) FROM remainder "
        "WHERE project=?1 AND start_ns>=?2),9e18),ifnull((SELECT min(start)*"
        "3600000000000 FROM rollup WHERE project=?1 AND view=0 AND level=1 AND "
        "start>=?2/3600000000000),9e18))",
        "ii", checking->project, from);

    if (sql != NULL) {
        status = llmlab__query_step(checking->connection, sql);
    }
    if (status == LLMLAB_OK) {
        if (sqlite3_column_type(sql, 0) == SQLITE_FLOAT) {
            status = LLMLAB_ENOTFOUND;
        } else {
            *out = sqlite3_column_int64(sql, 0) / HOUR_NS * HOUR_NS;
        }
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
hour_check(llmlab__checking_t *checking, int64_t hour)
{
    llmlab_status_t status;

    llmlab__rollup_cache_clear(&checking->rollups);
    checking->check->hours++;
    status = spans_add(checking, hour);
    if (status == LLMLAB_OK) {
        status = remainders_add(checking, hour);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__rollup_gather(&checking->rollups);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__check_hour(checking, hour / HOUR_NS);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__tracing_check(checking, hour + HOUR_NS);
    }
    return status;
}

static llmlab_status_t
project_check(llmlab__checking_t *checking, int64_t now)
{
    llmlab__check_t *check = checking->check;
    int64_t hour = checking->from_ns;
    int64_t first = 0;
    llmlab_status_t status;

    while ((status = hour_next(checking, hour, &hour)) == LLMLAB_OK) {
        first = first == 0 ? hour : first;
        if (!check->progress(check->payload, hour - first,
                             now > first ? now - first : 1)) {
            return llmlab__fail(LLMLAB_ETIMEOUT, "stopped");
        }
        status = hour_check(checking, hour);
        if (status != LLMLAB_OK) {
            return status;
        }
        hour += HOUR_NS;
    }
    if (status == LLMLAB_ENOTFOUND) {
        status = llmlab__tracing_check(checking, INT64_MAX);
    }
    if (status == LLMLAB_OK) {
        status = llmlab__check_sessions(checking);
    }
    return status == LLMLAB_OK ? llmlab__check_coarser(checking) : status;
}

llmlab_status_t
llmlab__sqlite_check(llmlab__reader_t *reader, llmlab__check_t *check)
{
    int64_t now = llmlab__clock_real_ns();
    llmlab__checking_t checking = {.check = check,
                                   .connection = &reader->connection,
                                   .labels = {.find_only = true}};
    llmlab__keeping_t keeping = {0};
    llmlab_status_t status;

    llmlab__buf_init(&checking.scratch);
    while ((status = llmlab__sqlite_upkeep_ops.keeping(
                reader, keeping.project, &keeping)) == LLMLAB_OK) {
        int64_t from = keeping.complete_from_ns > check->from_ns
                           ? keeping.complete_from_ns
                           : check->from_ns;

        checking.project = keeping.project;
        checking.from_ns = (from + HOUR_NS - 1) / HOUR_NS * HOUR_NS;
        status = project_check(&checking, now);
        if (status != LLMLAB_OK) {
            break;
        }
    }
    llmlab__rollup_cache_cleanup(&checking.rollups);
    llmlab__label_cache_cleanup(&checking.labels);
    llmlab__tracing_cleanup(&checking.tracing);
    llmlab__buf_cleanup(&checking.scratch);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}
