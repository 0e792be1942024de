#include "bench/support/bare.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/support/bench.h"

#define CHUNK 20000 /* rows held in memory at a time */

typedef struct copy_s {
    sqlite3 *from;
    sqlite3 *to;
    bench_bare_t *out;
    int rows_per_commit;
} copy_t;

static int
fail(copy_t *copy, sqlite3 *db)
{
    snprintf(copy->out->error, sizeof copy->out->error, "%s",
             sqlite3_errmsg(db));
    return -1;
}

static int
copy_schema(copy_t *copy)
{
    sqlite3_stmt *list;
    int status = 0;

    if (sqlite3_prepare_v2(copy->from,
                           "SELECT sql FROM sqlite_master WHERE sql NOT NULL "
                           "AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
                           -1, &list, NULL) != SQLITE_OK) {
        return fail(copy, copy->from);
    }
    while (status == 0 && sqlite3_step(list) == SQLITE_ROW) {
        if (sqlite3_exec(copy->to, (const char *)sqlite3_column_text(list, 0),
                         NULL, NULL, NULL) != SQLITE_OK) {
            status = fail(copy, copy->to);
        }
    }
    sqlite3_finalize(list);
    return status;
}

/* Insert what was read, timed. */
static int
insert(copy_t *copy, sqlite3_stmt *write, sqlite3_value **values, int rows,
       int columns)
{
    int64_t start = bench_now();
    int status = 0;
    int i;
    int k;

    for (i = 0; status == 0 && i < rows; i++) {
        if (i % copy->rows_per_commit == 0) {
            sqlite3_exec(copy->to, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        }
        for (k = 0; k < columns; k++) {
            sqlite3_bind_value(write, k + 1, values[i * columns + k]);
        }
        if (sqlite3_step(write) != SQLITE_DONE) {
            status = fail(copy, copy->to);
        }
        sqlite3_reset(write);
        if ((i + 1) % copy->rows_per_commit == 0 || i + 1 == rows) {
            if (sqlite3_exec(copy->to, "COMMIT", NULL, NULL, NULL) !=
                SQLITE_OK) {
                status = fail(copy, copy->to);
            }
        }
    }
    copy->out->seconds += (double)(bench_now() - start) / 1e9;
    copy->out->rows += (uint64_t)rows;
    return status;
}

static int
copy_rows(copy_t *copy, sqlite3_stmt *read, sqlite3_stmt *write,
          uint64_t *copied)
{
    int columns = sqlite3_column_count(read);
    sqlite3_value **values =
        calloc(CHUNK * (size_t)columns, sizeof(sqlite3_value *));
    int status = 0;
    int rows;
    int i;

    do {
        for (rows = 0; rows < CHUNK && sqlite3_step(read) == SQLITE_ROW;
             rows++) {
            for (i = 0; i < columns; i++) {
                values[rows * columns + i] =
                    sqlite3_value_dup(sqlite3_column_value(read, i));
            }
        }
        status = insert(copy, write, values, rows, columns);
        *copied += (uint64_t)rows;
        for (i = 0; i < rows * columns; i++) {
            sqlite3_value_free(values[i]);
        }
    } while (status == 0 && rows == CHUNK);
    free(values);
    return status;
}

static int
copy_table(copy_t *copy, const char *table, uint64_t limit, uint64_t *copied)
{
    sqlite3_stmt *read = NULL;
    sqlite3_stmt *write = NULL;
    char marks[512] = "?";
    char sql[768];
    int status = -1;
    int i;

    snprintf(sql, sizeof sql, "SELECT * FROM %s LIMIT %llu", table,
             (unsigned long long)limit);
    if (sqlite3_prepare_v2(copy->from, sql, -1, &read, NULL) != SQLITE_OK) {
        return fail(copy, copy->from);
    }
    for (i = 1; i < sqlite3_column_count(read); i++) {
        strcat(marks, ",?");
    }
    snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (%s)", table, marks);
    if (sqlite3_prepare_v2(copy->to, sql, -1, &write, NULL) == SQLITE_OK) {
        status = copy_rows(copy, read, write, copied);
    } else {
        fail(copy, copy->to);
    }
    sqlite3_finalize(read);
    sqlite3_finalize(write);
    return status;
}

int
bench_bare_run(bench_bare_t *out, const char *from, const char *to,
               uint64_t max_spans, int rows_per_commit)
{
    /* What a batch makes the server write. */
    static const char *const tables[] = {"label", "instance", "received",
                                         "trace", "rollup",   "series"};
    copy_t copy = {NULL, NULL, out, rows_per_commit};
    uint64_t other = 0;
    int status = -1;
    size_t i;

    memset(out, 0, sizeof *out);
    if (sqlite3_open_v2(from, &copy.from, SQLITE_OPEN_READONLY, NULL) !=
        SQLITE_OK) {
        fail(&copy, copy.from);
        goto out;
    }
    if (sqlite3_open(to, &copy.to) != SQLITE_OK ||
        sqlite3_exec(copy.to,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "PRAGMA cache_size=-65536",
                     NULL, NULL, NULL) != SQLITE_OK) {
        fail(&copy, copy.to);
        goto out;
    }
    status = copy_schema(&copy);
    if (status == 0) {
        status = copy_table(&copy, "span", max_spans, &out->spans);
    }
    for (i = 0; status == 0 && i < sizeof tables / sizeof *tables; i++) {
        status = copy_table(&copy, tables[i], max_spans, &other);
    }

out:
    sqlite3_close(copy.from);
    sqlite3_close(copy.to);
    return status;
}

int64_t
bench_bare_number(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t number = -1;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        number = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}
