/* What no roll-up holds is read from the spans, and from the sums that stand
 * for calls without spans. */
#include <string.h>

#include "store/sqlite/apply.h"
#include "store/sqlite/query.h"

#define PLACE                                                        \
    "start_ns,provider,model,agent,status,environment,api_key,user," \
    "session,tags,"
#define RANGE                     " WHERE project=? AND start_ns>=? AND start_ns<?"
#define SUM_COLUMN_(name, column) column ","

static void
place_read(sqlite3_stmt *sql, llmlab__crossing_row_t *row)
{
    row->start_ns = sqlite3_column_int64(sql, 0);
    for (int i = 0; i <= LLMLAB__BY_USER; i++) {
        row->by[i] = sqlite3_column_int64(sql, 1 + i);
    }
    row->session = llmlab__column_text(sql, 8);
    row->tags = llmlab__column_text(sql, 9);
}

static void
span_read(sqlite3_stmt *sql, llmlab__crossing_row_t *row)
{
    llmlab__contribution_t what;

    llmlab__span_contribution(sql, 10, (int)row->by[LLMLAB__BY_STATUS], &what);
    row->sums = what.sums;
    row->latency_ns = what.latency_ns;
}

static void
remainder_read(sqlite3_stmt *sql, llmlab__crossing_row_t *row)
{
    for (int i = 0; i < LLMLAB__SUMS; i++) {
        row->sums.of[i] = sqlite3_column_int64(sql, 10 + i);
    }
    row->latency_ns = -1;
}

llmlab_status_t
llmlab__sqlite_crossing(llmlab__reader_t *reader, int64_t project,
                        int64_t from_ns, int64_t to_ns,
                        llmlab__crossing_fn visit, void *payload)
{
    static const struct {
        const char *text;
        void (*read)(sqlite3_stmt *sql, llmlab__crossing_row_t *row);
    } parts[] = {
        {"SELECT " PLACE "counted,priced,usage_source,duration_ns,"
         "ifnull(cost_nano,0),ifnull(cost_rest,0),ifnull(client_nano,0),"
         "ifnull(client_rest,0),usage FROM span" RANGE,
         span_read},
        {"SELECT " PLACE LLMLAB__SUM_MAP(SUM_COLUMN_) "0 FROM remainder" RANGE,
         remainder_read},
    };
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status = LLMLAB_OK;
    bool more = true;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && more; i++) {
        llmlab__crossing_row_t row;
        sqlite3_stmt *sql = llmlab__query(connection, parts[i].text, "iii",
                                          project, from_ns, to_ns);

        if (sql == NULL) {
            return LLMLAB_EIO;
        }
        memset(&row, 0, sizeof(row));
        while (more &&
               (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
            place_read(sql, &row);
            parts[i].read(sql, &row);
            more = visit(payload, &row);
        }
        sqlite3_finalize(sql);
        if (status != LLMLAB_ENOTFOUND && status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}
