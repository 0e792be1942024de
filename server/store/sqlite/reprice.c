/* Stored calls priced again: what they cost is written, and every sum that
 * they are in is corrected in the same transaction. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/sqlite/apply.h"
#include "store/sqlite/query.h"
#include "store/sqlite/upkeep.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

llmlab_status_t
llmlab__sqlite_newest(llmlab__reader_t *reader, int64_t project,
                      int64_t *start_ns)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql =
        llmlab__query(connection,
                      "SELECT start_ns FROM span WHERE project=? ORDER BY "
                      "start_ns DESC LIMIT 1",
                      "i", project);

    if (sql != NULL) {
        status = llmlab__query_step(connection, sql);
    }
    if (status == LLMLAB_OK) {
        *start_ns = sqlite3_column_int64(sql, 0);
    }
    sqlite3_finalize(sql);
    return status;
}

static sqlite3_stmt *
spans_behind(llmlab__connection_t *connection, const llmlab__reprice_t *reprice,
             const llmlab__span_place_t *place)
{
    return llmlab__query(
        connection,
        "SELECT start_ns,span_id,trace_high,trace_low,kind,status,counted,"
        "priced,match,usage_source,cost_source,cost_nano,cost_rest,"
        "(SELECT text FROM label WHERE id=provider),"
        "(SELECT text FROM label WHERE id=model),price_key,usage,detail "
        "FROM span WHERE project=?1 AND start_ns>=?2 AND start_ns<?3 AND "
        "(start_ns,span_id,trace_high,trace_low)>(?2,?4,?5,?6) ORDER BY "
        "start_ns,span_id,trace_high,trace_low LIMIT ?7",
        "iiiiiii", reprice->project, place->start_ns, reprice->end_ns,
        place->span_id, place->trace_high, place->trace_low, reprice->limit);
}

static void
view_read(sqlite3_stmt *sql, llmlab__span_view_t *out)
{
    memset(out, 0, sizeof(*out));
    out->start_ns = sqlite3_column_int64(sql, 0);
    out->span_id = (uint64_t)sqlite3_column_int64(sql, 1);
    out->kind = sqlite3_column_int(sql, 4);
    out->status = sqlite3_column_int(sql, 5);
    out->counted = sqlite3_column_int(sql, 6);
    out->priced = sqlite3_column_int(sql, 7);
    out->match = sqlite3_column_int(sql, 8);
    out->usage_source = sqlite3_column_int(sql, 9);
    out->cost_source = sqlite3_column_int(sql, 10);
    out->has_cost = sqlite3_column_type(sql, 11) != SQLITE_NULL;
    out->cost_nano = sqlite3_column_int64(sql, 11);
    out->cost_rest = sqlite3_column_int64(sql, 12);
    out->provider = llmlab__column_text(sql, 13);
    out->model = llmlab__column_text(sql, 14);
    out->price_key = llmlab__column_text(sql, 15);
    out->usage = llmlab__column_text(sql, 16);
    out->detail = llmlab__column_text(sql, 17);
}

static void
price_of(const llmlab__span_view_t *view, llmlab__call_price_t *out)
{
    memset(out, 0, sizeof(*out));
    out->has_cost = view->has_cost;
    out->priced = view->priced;
    out->match = view->match;
    out->cost_source = view->cost_source;
    out->nano = view->cost_nano;
    out->rest = view->cost_rest;
    (void)snprintf(out->key, sizeof(out->key), "%.*s",
                   (int)view->price_key.size,
                   view->price_key.size > 0 ? view->price_key.data : "");
}

static bool
same(const llmlab__call_price_t *a, const llmlab__call_price_t *b)
{
    return a->has_cost == b->has_cost && a->priced == b->priced &&
           a->match == b->match && a->cost_source == b->cost_source &&
           a->nano == b->nano && a->rest == b->rest &&
           strcmp(a->key, b->key) == 0;
}

static llmlab_status_t
correct(llmlab__sqlite_t *sqlite, int64_t project,
        const llmlab__span_place_t *place, const llmlab__call_price_t *price)
{
    llmlab__apply_t apply = {.sqlite = sqlite,
                             .connection = &sqlite->writer,
                             .day = llmlab__clock_real_ns() / DAY_NS};
    llmlab__node_t node = {.span_id = (uint64_t)place->span_id,
                           .start_ns = place->start_ns};
    llmlab__trace_t *trace;
    llmlab_status_t status = llmlab__trace_get(
        apply.connection, &sqlite->traces, project, (uint64_t)place->trace_high,
        (uint64_t)place->trace_low, &trace);

    return status == LLMLAB_OK
               ? llmlab__span_reprice(&apply, trace, &node, price)
               : status;
}

/* sqlite NULL: only ask. */
static llmlab_status_t
walk(llmlab__connection_t *connection, llmlab__sqlite_t *sqlite,
     const llmlab__reprice_t *reprice, llmlab__span_place_t *place, bool *more)
{
    sqlite3_stmt *sql = spans_behind(connection, reprice, place);
    llmlab_status_t status = LLMLAB_EIO;
    int64_t count = 0;

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__span_view_t view;
        llmlab__call_price_t before;
        llmlab__call_price_t now;

        view_read(sql, &view);
        *place =
            (llmlab__span_place_t){.start_ns = view.start_ns,
                                   .span_id = (int64_t)view.span_id,
                                   .trace_high = sqlite3_column_int64(sql, 2),
                                   .trace_low = sqlite3_column_int64(sql, 3)};
        count++;
        if (view.usage.data == NULL ||
            view.cost_source == LLMLAB_COST_PROVIDER) {
            continue;
        }
        price_of(&view, &before);
        now = before;
        if (!reprice->price(reprice->payload, &view, &now)) {
            status = LLMLAB_EIO;
            break;
        }
        if (sqlite != NULL && !same(&before, &now)) {
            status = correct(sqlite, reprice->project, place, &now);
            if (status != LLMLAB_OK) {
                break;
            }
        }
    }
    sqlite3_finalize(sql);
    *more = count == reprice->limit;
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

llmlab_status_t
llmlab__sqlite_reprice(llmlab__store_t *store, const llmlab__reprice_t *reprice,
                       llmlab__span_place_t *place, bool *more)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab_status_t status;

    if (!reprice->apply) {
        llmlab__reader_t *reader = store->ops->acquire(store);

        status = reader == NULL
                     ? LLMLAB_EIO
                     : walk(&reader->connection, NULL, reprice, place, more);
        store->ops->release(store, reader);
        return status;
    }
    status = llmlab__upkeep_begin(sqlite);
    if (status != LLMLAB_OK) {
        return status;
    }
    status = walk(&sqlite->writer, sqlite, reprice, place, more);
    if (status == LLMLAB_OK) {
        status = llmlab__sums_write(sqlite);
    }
    return llmlab__upkeep_end(sqlite, status);
}
