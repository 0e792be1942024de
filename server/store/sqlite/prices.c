#include "store/prices.h"

#include "base/status.h"
#include "store/sqlite/query.h"

#define COLUMNS                                                          \
    "id,project,kind,provider,model,alias,value,note,from_s,created_ns," \
    "changed_ns,version"

static llmlab_status_t
walk(llmlab__connection_t *connection, sqlite3_stmt *sql,
     llmlab__price_fn visit, void *payload)
{
    llmlab_status_t status = LLMLAB_EIO;

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__price_t price = {
            .id = sqlite3_column_int64(sql, 0),
            .project = sqlite3_column_int64(sql, 1),
            .kind = (llmlab__price_kind_t)sqlite3_column_int(sql, 2),
            .provider = (const char *)sqlite3_column_text(sql, 3),
            .model = (const char *)sqlite3_column_text(sql, 4),
            .alias = (const char *)sqlite3_column_text(sql, 5),
            .value = (const char *)sqlite3_column_text(sql, 6),
            .note = (const char *)sqlite3_column_text(sql, 7),
            .from_s = sqlite3_column_int64(sql, 8),
            .created_ns = sqlite3_column_int64(sql, 9),
            .changed_ns = sqlite3_column_int64(sql, 10),
            .version = sqlite3_column_int64(sql, 11)};

        if (!visit(payload, &price)) {
            break;
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static llmlab_status_t
prices_list(llmlab__reader_t *reader, int64_t project, int64_t after,
            size_t limit, llmlab__price_fn visit, void *payload)
{
    return walk(&reader->connection,
                llmlab__query(&reader->connection,
                              "SELECT " COLUMNS " FROM price WHERE project=? "
                              "AND id>? ORDER BY id LIMIT ?",
                              "iii", project, after, (int64_t)limit),
                visit, payload);
}

static llmlab_status_t
prices_book(llmlab__reader_t *reader, int64_t project, llmlab__price_fn visit,
            void *payload)
{
    return walk(&reader->connection,
                llmlab__query(&reader->connection,
                              "SELECT " COLUMNS " FROM price WHERE project=? "
                              "ORDER BY kind,model,from_s,id",
                              "i", project),
                visit, payload);
}

static llmlab_status_t
prices_add(llmlab__reader_t *changer, llmlab__price_t *price)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status = llmlab__execute_one(
        connection,
        "INSERT INTO price(" COLUMNS ") VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT DO NOTHING",
        "iitttttiiii", price->project, (int64_t)price->kind, price->provider,
        price->model, price->alias, price->value, price->note, price->from_s,
        price->created_ns, price->changed_ns, price->version);

    price->id = sqlite3_last_insert_rowid(connection->db);
    return status == LLMLAB_ENOTFOUND
               ? llmlab__fail(LLMLAB_EINVAL, "there is such a price already")
               : status;
}

static llmlab_status_t
prices_change(llmlab__reader_t *changer, const llmlab__price_t *price)
{
    return llmlab__execute_one(
        &changer->connection,
        "UPDATE price SET value=?,note=?,changed_ns=?,version=? WHERE "
        "project=? AND id=?",
        "ttiiii", price->value, price->note, price->changed_ns, price->version,
        price->project, price->id);
}

static llmlab_status_t
prices_remove(llmlab__reader_t *changer, int64_t project, int64_t id)
{
    return llmlab__execute_one(&changer->connection,
                               "DELETE FROM price WHERE project=? AND id=?",
                               "ii", project, id);
}

const llmlab__price_ops_t llmlab__sqlite_price_ops = {
    .list = prices_list,
    .book = prices_book,
    .add = prices_add,
    .change = prices_change,
    .remove = prices_remove,
};
