#include "store/sqlite/upgrade.h"

#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "store/sqlite/apply.h"

/* Rows between two writes: the memory they take is bounded. */
#define ROWS_MAX 8192
#define DAY_NS   (INT64_C(86400) * 1000000000)

#define SUM_COLUMN_(name, column) "," column
#define OLD_ROWS                                                    \
    "SELECT project,start,provider,model,agent,status,environment," \
    "api_key" LLMLAB__SUM_MAP(SUM_COLUMN_) " FROM rollup_old WHERE level=0"
#define SPANS                                                          \
    "SELECT project,start_ns,provider,model,agent,status,environment," \
    "api_key,user,tags,counted,priced,usage_source,duration_ns,"       \
    "ifnull(cost_nano,0),ifnull(cost_rest,0),ifnull(client_nano,0),"   \
    "ifnull(client_rest,0),usage FROM span"
/* Calls that are in the old rows, as those of spans are. */
#define REMAINDERS                                       \
    "SELECT project,start_ns,user,tags" LLMLAB__SUM_MAP( \
        SUM_COLUMN_) " FROM remainder"

typedef struct upgrade_s {
    llmlab__connection_t connection;
    llmlab__rollup_cache_t rollups;
    llmlab__label_cache_t labels;
    llmlab__tags_t tags;
    int64_t day;
} upgrade_t;

static llmlab_status_t
on_old_row(upgrade_t *upgrade, sqlite3_stmt *sql)
{
    llmlab__contribution_t what = {.latency_ns = -1};
    llmlab__rollup_key_t key;

    memset(&key, 0, sizeof(key));
    key.project = sqlite3_column_int64(sql, 0);
    key.view = LLMLAB__VIEW_ALL;
    key.start = sqlite3_column_int64(sql, 1);
    for (int i = 0; i < LLMLAB__CUBE; i++) {
        key.by[i] = sqlite3_column_int64(sql, 2 + i);
    }
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        what.sums.of[i] = sqlite3_column_int64(sql, 2 + LLMLAB__CUBE + i);
    }
    return llmlab__rollup_add(&upgrade->rollups, &key, &what, 1);
}

static llmlab_status_t
users_and_tags(upgrade_t *upgrade, sqlite3_stmt *sql, int64_t user,
               llmlab__text_t tags, const llmlab__contribution_t *what)
{
    llmlab__rollup_key_t key;
    llmlab_status_t status;

    memset(&key, 0, sizeof(key));
    key.project = sqlite3_column_int64(sql, 0);
    key.view = LLMLAB__VIEW_USER;
    key.start = sqlite3_column_int64(sql, 1) / LLMLAB__QUARTER_NS;
    key.by[LLMLAB__BY_USER] = user;
    status = llmlab__rollup_add(&upgrade->rollups, &key, what, 1);
    key.by[LLMLAB__BY_USER] = 0;
    if (status == LLMLAB_OK) {
        upgrade->tags.count = 0; /* its text went with the row before */
        status =
            llmlab__tags_read(&upgrade->connection, &upgrade->labels,
                              key.project, upgrade->day, tags, &upgrade->tags);
    }
    key.view = LLMLAB__VIEW_TAG;
    for (size_t i = 0; i < upgrade->tags.count && status == LLMLAB_OK; i++) {
        key.by[LLMLAB__BY_TAG] = upgrade->tags.of[i];
        status = llmlab__rollup_add(&upgrade->rollups, &key, what, 1);
    }
    return status;
}

/* The cube has the span's sums from the old rows already: there it brings its
 * latency alone. */
static llmlab_status_t
on_span(upgrade_t *upgrade, sqlite3_stmt *sql)
{
    llmlab__contribution_t latency = {.latency_ns = -1};
    llmlab__contribution_t what;
    llmlab__rollup_key_t key;
    llmlab_status_t status;

    llmlab__span_contribution(sql, 10, sqlite3_column_int(sql, 5), &what);
    latency.latency_ns = what.latency_ns;
    memset(&key, 0, sizeof(key));
    key.project = sqlite3_column_int64(sql, 0);
    key.view = LLMLAB__VIEW_ALL;
    key.start = sqlite3_column_int64(sql, 1) / LLMLAB__QUARTER_NS;
    for (int i = 0; i < LLMLAB__CUBE; i++) {
        key.by[i] = sqlite3_column_int64(sql, 2 + i);
    }
    status = llmlab__rollup_add(&upgrade->rollups, &key, &latency, 1);
    return status == LLMLAB_OK
               ? users_and_tags(upgrade, sql, sqlite3_column_int64(sql, 8),
                                llmlab__column_text(sql, 9), &what)
               : status;
}

static llmlab_status_t
on_remainder(upgrade_t *upgrade, sqlite3_stmt *sql)
{
    llmlab__contribution_t what = {.latency_ns = -1};

    for (int i = 0; i < LLMLAB__SUMS; i++) {
        what.sums.of[i] = sqlite3_column_int64(sql, 4 + i);
    }
    return users_and_tags(upgrade, sql, sqlite3_column_int64(sql, 2),
                          llmlab__column_text(sql, 3), &what);
}

static llmlab_status_t
walk(upgrade_t *upgrade, const char *text,
     llmlab_status_t (*on_row)(upgrade_t *upgrade, sqlite3_stmt *sql))
{
    llmlab__connection_t *connection = &upgrade->connection;
    llmlab_status_t status = LLMLAB_OK;
    sqlite3_stmt *sql = NULL;
    int code;

    if (sqlite3_prepare_v2(connection->db, text, -1, &sql, NULL) != SQLITE_OK) {
        return llmlab__connection_fail(connection, "read the old roll-ups");
    }
    while (status == LLMLAB_OK && (code = sqlite3_step(sql)) != SQLITE_DONE) {
        status = code == SQLITE_ROW
                     ? on_row(upgrade, sql)
                     : llmlab__connection_fail(connection, "read old rows");
        if (status == LLMLAB_OK && upgrade->rollups.touched_count > ROWS_MAX) {
            status = llmlab__rollup_flush(connection, &upgrade->rollups);
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_OK
               ? llmlab__rollup_flush(connection, &upgrade->rollups)
               : status;
}

llmlab_status_t
llmlab__upgrade_series(sqlite3 *db)
{
    upgrade_t upgrade = {.connection = {.db = db},
                         .day = llmlab__clock_real_ns() / DAY_NS};
    llmlab_status_t status;

    status = walk(&upgrade, OLD_ROWS, on_old_row);
    if (status == LLMLAB_OK) {
        status = walk(&upgrade, SPANS, on_span);
    }
    if (status == LLMLAB_OK) {
        status = walk(&upgrade, REMAINDERS, on_remainder);
    }
    llmlab__connection_finish(&upgrade.connection);
    llmlab__rollup_cache_cleanup(&upgrade.rollups);
    llmlab__label_cache_cleanup(&upgrade.labels);
    if (status == LLMLAB_OK && sqlite3_exec(db, "DROP TABLE rollup_old", NULL,
                                            NULL, NULL) != SQLITE_OK) {
        status = llmlab__connection_fail(&upgrade.connection, "drop old rows");
    }
    return status;
}
