#include "base/alloc.h"
#include "base/status.h"
#include "store/sqlite/sqlite_store.h"

static bool
intervals_push(llmlab__intervals_t *intervals, uint64_t first, uint64_t last)
{
    if (intervals->count == intervals->capacity) {
        size_t capacity =
            intervals->capacity == 0 ? 16 : intervals->capacity * 2;
        void *grown =
            llmlab__realloc(intervals->of, capacity * sizeof(*intervals->of));

        if (grown == NULL) {
            return false;
        }
        intervals->of = grown;
        intervals->capacity = capacity;
    }
    intervals->of[intervals->count].first = first;
    intervals->of[intervals->count].last = last;
    intervals->count++;
    return true;
}

llmlab_status_t
llmlab__received_load(llmlab__connection_t *connection, int64_t instance,
                      uint64_t first, uint64_t last, llmlab__intervals_t *out)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_RECEIVED_SCAN);
    llmlab_status_t status = LLMLAB_OK;
    int code;

    out->count = 0;
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    /* Descending from the last interval that can touch, until one does not:
     * they are disjoint. */
    sqlite3_bind_int64(sql, 1, instance);
    sqlite3_bind_int64(sql, 2, (int64_t)last + 1);
    while ((code = sqlite3_step(sql)) == SQLITE_ROW) {
        uint64_t known_first = (uint64_t)sqlite3_column_int64(sql, 0);
        uint64_t known_last = (uint64_t)sqlite3_column_int64(sql, 1);

        if (known_last + 1 < first) {
            code = SQLITE_DONE;
            break;
        }
        if (!intervals_push(out, known_first, known_last)) {
            status = llmlab__fail(LLMLAB_ENOMEM, "no memory for intervals");
            break;
        }
    }
    if (status == LLMLAB_OK && code != SQLITE_DONE) {
        status = llmlab__connection_fail(connection, "read record numbers");
    }
    sqlite3_reset(sql);
    for (size_t i = 0; i < out->count / 2; i++) {
        llmlab__interval_t swap = out->of[i];

        out->of[i] = out->of[out->count - 1 - i];
        out->of[out->count - 1 - i] = swap;
    }
    return status;
}

bool
llmlab__received_has(const llmlab__intervals_t *known, uint64_t number)
{
    size_t low = 0;
    size_t high = known->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (known->of[middle].last < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < known->count && known->of[low].first <= number;
}

llmlab_status_t
llmlab__received_add(llmlab__connection_t *connection, int64_t instance,
                     const llmlab__intervals_t *known, uint64_t first,
                     uint64_t last)
{
    sqlite3_stmt *sql;
    llmlab_status_t status = LLMLAB_OK;

    if (known->count == 1 && known->of[0].first <= first &&
        known->of[0].last >= last) {
        return LLMLAB_OK;
    }
    for (size_t i = 0; i < known->count && status == LLMLAB_OK; i++) {
        if (known->of[i].first < first) {
            first = known->of[i].first;
        }
        if (known->of[i].last > last) {
            last = known->of[i].last;
        }
        if (i > 0) { /* the first one's row is overwritten or deleted below */
            sql =
                llmlab__connection_sql(connection, LLMLAB__SQL_RECEIVED_DELETE);
            if (sql == NULL) {
                return LLMLAB_EIO;
            }
            sqlite3_bind_int64(sql, 1, instance);
            sqlite3_bind_int64(sql, 2, (int64_t)known->of[i].first);
            status =
                llmlab__connection_run(connection, sql, "merge record numbers");
        }
    }
    if (status == LLMLAB_OK && known->count > 0 &&
        known->of[0].first != first) {
        sql = llmlab__connection_sql(connection, LLMLAB__SQL_RECEIVED_DELETE);
        if (sql == NULL) {
            return LLMLAB_EIO;
        }
        sqlite3_bind_int64(sql, 1, instance);
        sqlite3_bind_int64(sql, 2, (int64_t)known->of[0].first);
        status =
            llmlab__connection_run(connection, sql, "merge record numbers");
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    sql = llmlab__connection_sql(connection, LLMLAB__SQL_RECEIVED_INSERT);
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, instance);
    sqlite3_bind_int64(sql, 2, (int64_t)first);
    sqlite3_bind_int64(sql, 3, (int64_t)last);
    return llmlab__connection_run(connection, sql, "store record numbers");
}
