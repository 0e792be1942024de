#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "store/pack.h"
#include "store/sqlite/check.h"
#include "store/sqlite/query.h"

static const char *const sum_names[LLMLAB__SUMS] = {
#define SUM_NAME_(name, column) column,
    LLMLAB__SUM_MAP(SUM_NAME_)
#undef SUM_NAME_
};

static void
row_place(char out[96], int view, int level, int64_t start, int64_t series)
{
    (void)snprintf(out, 96,
                   "view %d level %d start %" PRId64 " series %" PRId64, view,
                   level, start, series);
}

static void
sums_compare(llmlab__checking_t *checking, const char *where, const char *place,
             const llmlab__sums_t *stored, const llmlab__sums_t *delta)
{
    llmlab__sums_t expected = {{0}};

    (void)llmlab__sums_add(&expected, delta); /* settles the rests */
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        if (stored->of[i] != expected.of[i]) {
            llmlab__check_differs(checking, where, sum_names[i], place,
                                  stored->of[i], expected.of[i]);
        }
    }
}

static llmlab_status_t
latency_compare(llmlab__checking_t *checking, const char *place,
                llmlab__text_t stored, const llmlab__latency_delta_t *delta)
{
    static const llmlab__text_t empty = {NULL, 0};

    llmlab__buf_clear(&checking->scratch);
    if (delta != NULL &&
        !llmlab__latency_apply(empty, delta, &checking->scratch)) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for latencies");
    }
    if (stored.size != checking->scratch.size ||
        (stored.size > 0 &&
         memcmp(stored.data, checking->scratch.data, stored.size) != 0)) {
        llmlab__check_differs(checking, "roll-up", "latency", place,
                              (int64_t)stored.size,
                              (int64_t)checking->scratch.size);
    }
    return LLMLAB_OK;
}

typedef struct rows_s {
    llmlab__checking_t *checking;
    llmlab__reader_t *reader;
    llmlab__view_t view;
    llmlab__level_t level;
    llmlab_status_t status;
} rows_t;

/* The reader is the connection's container. */
static llmlab__reader_t *
reader_of(llmlab__checking_t *checking)
{
    return (llmlab__reader_t *)(void *)((char *)checking->connection -
                                        offsetof(llmlab__reader_t, connection));
}

static bool
on_row(void *payload, const llmlab__rollup_row_t *row)
{
    static const llmlab__sums_t none = {{0}};
    rows_t *rows = payload;
    llmlab__checking_t *checking = rows->checking;
    llmlab__rollup_key_t key;
    llmlab__rollup_entry_t *entry;
    char place[96];

    memset(&key, 0, sizeof(key));
    key.project = checking->project;
    key.view = (int32_t)rows->view;
    key.level = (int32_t)rows->level;
    key.start = row->start;
    rows->status =
        llmlab__sqlite_series(rows->reader, rows->view, row->series, key.by);
    if (rows->status != LLMLAB_OK) {
        return false;
    }
    checking->check->rows++;
    row_place(place, key.view, key.level, key.start, row->series);
    entry = llmlab__rollup_find(&checking->rollups, &key);
    sums_compare(checking, "roll-up", place, &row->sums,
                 entry == NULL ? &none : &entry->delta);
    rows->status =
        latency_compare(checking, place, row->latency,
                        entry == NULL ? NULL : &entry->latency_delta);
    if (entry != NULL) {
        entry->touched = false;
    }
    return rows->status == LLMLAB_OK;
}

/* What the spans say and no row does. */
static void
missing_tell(llmlab__checking_t *checking)
{
    static const llmlab__sums_t none = {{0}};

    for (size_t i = 0; i < checking->rollups.touched_count; i++) {
        llmlab__rollup_entry_t *entry = checking->rollups.touched[i];
        char place[96];

        if (entry->touched && entry->key.level <= LLMLAB__LEVEL_HOUR) {
            row_place(place, entry->key.view, entry->key.level,
                      entry->key.start, 0);
            sums_compare(checking, "roll-up", place, &none, &entry->delta);
        }
        entry->touched = false;
    }
    checking->rollups.touched_count = 0;
}

llmlab_status_t
llmlab__check_hour(llmlab__checking_t *checking, int64_t hour)
{
    rows_t rows = {.checking = checking, .reader = reader_of(checking)};

    for (int i = 0; i < LLMLAB__VIEWS * 2; i++) {
        llmlab__rollup_query_t query = {.project = checking->project,
                                        .view = (llmlab__view_t)(i / 2),
                                        .level = (llmlab__level_t)(i % 2),
                                        .latency = true};
        int64_t buckets = 3600 / llmlab__level_seconds(query.level);
        llmlab_status_t status;

        rows.view = query.view;
        rows.level = query.level;
        query.from = hour * buckets;
        query.to = query.from + buckets;
        status = llmlab__sqlite_rollups(rows.reader, &query, on_row, &rows);
        if (status != LLMLAB_OK || rows.status != LLMLAB_OK) {
            return status != LLMLAB_OK ? status : rows.status;
        }
    }
    missing_tell(checking);
    return LLMLAB_OK;
}

/* Rows of two levels of a view, walked side by side. */
typedef struct pair_s {
    llmlab__checking_t *checking;
    llmlab__view_t view;
    llmlab__level_t level; /* the coarser one */
    int64_t start;
    llmlab__latency_t latency;
} pair_t;

static llmlab_status_t
finer_add(pair_t *pair, int64_t from, int64_t to)
{
    llmlab__checking_t *checking = pair->checking;
    llmlab__connection_t *connection = checking->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT series,sums,latency FROM rollup WHERE project=? AND view=? AND "
        "level=? AND start>=? AND start<?",
        "iiiii", checking->project, (int64_t)pair->view,
        (int64_t)pair->level - 1, from, to);

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__contribution_t what = {.latency_ns = -1};
        llmlab__rollup_key_t key;

        memset(&key, 0, sizeof(key));
        key.view = (int32_t)pair->view;
        key.by[0] = sqlite3_column_int64(sql, 0);
        if (!llmlab__sums_unpack(llmlab__column_blob(sql, 1), &what.sums) ||
            !llmlab__latency_sum(&pair->latency, llmlab__column_blob(sql, 2),
                                 1)) {
            status = llmlab__fail(LLMLAB_EIO, "a stored sum is damaged");
            break;
        }
        status = llmlab__rollup_add(&checking->rollups, &key, &what, 1);
        if (status != LLMLAB_OK) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static llmlab_status_t
coarser_compare(pair_t *pair)
{
    static const llmlab__sums_t none = {{0}};
    llmlab__checking_t *checking = pair->checking;
    llmlab__connection_t *connection = checking->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT series,sums,latency FROM rollup WHERE project=? AND view=? AND "
        "level=? AND start=?",
        "iiii", checking->project, (int64_t)pair->view, (int64_t)pair->level,
        pair->start);

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__rollup_entry_t *entry;
        llmlab__rollup_key_t key;
        llmlab__sums_t sums;
        char place[96];

        memset(&key, 0, sizeof(key));
        key.view = (int32_t)pair->view;
        key.by[0] = sqlite3_column_int64(sql, 0);
        if (!llmlab__sums_unpack(llmlab__column_blob(sql, 1), &sums) ||
            !llmlab__latency_sum(&pair->latency, llmlab__column_blob(sql, 2),
                                 -1)) {
            status = llmlab__fail(LLMLAB_EIO, "a stored sum is damaged");
            break;
        }
        checking->check->rows++;
        row_place(place, key.view, (int)pair->level, pair->start, key.by[0]);
        entry = llmlab__rollup_find(&checking->rollups, &key);
        sums_compare(checking, "coarser roll-up", place, &sums,
                     entry == NULL ? &none : &entry->delta);
        if (entry != NULL) {
            entry->touched = false;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static void
latency_left(pair_t *pair)
{
    int64_t left = 0;
    char place[96];

    for (size_t i = 0; i < LLMLAB__LATENCY_BUCKETS; i++) {
        const int64_t *octave = pair->latency.octaves[i / 32];

        left += octave != NULL && octave[i % 32] != 0;
    }
    if (left != 0) {
        row_place(place, (int)pair->view, (int)pair->level, pair->start, 0);
        llmlab__check_differs(pair->checking, "coarser roll-up", "latency",
                              place, left, 0);
    }
}

static llmlab_status_t
bucket_check(pair_t *pair)
{
    llmlab__checking_t *checking = pair->checking;
    int64_t children =
        llmlab__level_seconds(pair->level) /
        llmlab__level_seconds((llmlab__level_t)(pair->level - 1));
    llmlab_status_t status;

    llmlab__rollup_cache_clear(&checking->rollups);
    status =
        finer_add(pair, pair->start * children, (pair->start + 1) * children);
    if (status == LLMLAB_OK) {
        status = coarser_compare(pair);
    }
    if (status == LLMLAB_OK) {
        latency_left(pair);
        missing_tell(checking);
    }
    llmlab__latency_cleanup(&pair->latency);
    return status;
}

/* The next coarser bucket that has rows of either level. */
static llmlab_status_t
bucket_next(pair_t *pair, int64_t from)
{
    int64_t children =
        llmlab__level_seconds(pair->level) /
        llmlab__level_seconds((llmlab__level_t)(pair->level - 1));
    llmlab__connection_t *connection = pair->checking->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT min(ifnull((SELECT min(start) FROM rollup WHERE project=?1 AND "
        "view=?2 AND level=?3 AND start>=?4),9e18),ifnull((SELECT min(start)/?5"
        " FROM rollup WHERE project=?1 AND view=?2 AND level=?3-1 AND "
        "start>=?4*?5),9e18))",
        "iiiii", pair->checking->project, (int64_t)pair->view,
        (int64_t)pair->level, from, children);

    if (sql != NULL) {
        status = llmlab__query_step(connection, sql);
    }
    if (status == LLMLAB_OK) {
        pair->start = sqlite3_column_int64(sql, 0);
        status = sqlite3_column_type(sql, 0) == SQLITE_FLOAT ? LLMLAB_ENOTFOUND
                                                             : LLMLAB_OK;
    }
    sqlite3_finalize(sql);
    return status;
}

llmlab_status_t
llmlab__check_coarser(llmlab__checking_t *checking)
{
    for (int i = 0; i < LLMLAB__VIEWS * 2; i++) {
        pair_t pair = {.checking = checking,
                       .view = (llmlab__view_t)(i / 2),
                       .level = i % 2 == 0 ? LLMLAB__LEVEL_DAY
                                           : LLMLAB__LEVEL_EIGHT_DAYS};
        int64_t from = checking->check->from_ns / 1000000000 /
                       llmlab__level_seconds(pair.level);
        llmlab_status_t status;

        while ((status = bucket_next(&pair, from)) == LLMLAB_OK) {
            status = bucket_check(&pair);
            if (status != LLMLAB_OK) {
                return status;
            }
            from = pair.start + 1;
        }
        if (status != LLMLAB_ENOTFOUND) {
            return status;
        }
    }
    return LLMLAB_OK;
}
