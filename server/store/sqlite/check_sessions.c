#include <stdio.h>

#include "base/status.h"
#include "store/sqlite/check.h"
#include "store/sqlite/query.h"

/* What a session's traces and its calls without spans add up to, beside what
 * its row says: session, then pairs. Rests are settled. */
#define SESSIONS                                                             \
    "WITH parts AS ("                                                        \
    "SELECT session,1 AS traces,steps,calls,errors,unpriced,cost_nano,"      \
    "cost_rest FROM trace WHERE project=?1 AND session IS NOT NULL "         \
    "UNION ALL SELECT session,0,spans,calls,iif(status=2,spans,0),unpriced," \
    "cost_nano,cost_rest FROM remainder WHERE project=?1 AND session IS "    \
    "NOT NULL), sums AS (SELECT session,sum(traces) AS traces,"              \
    "sum(steps) AS steps,sum(calls) AS calls,sum(errors) AS errors,"         \
    "sum(unpriced) AS unpriced,sum(cost_nano)+sum(cost_rest)/1000000 AS "    \
    "cost_nano,sum(cost_rest)%1000000 AS cost_rest FROM parts GROUP BY 1) "  \
    "SELECT s.number,s.traces,t.traces,s.steps,t.steps,s.calls,t.calls,"     \
    "s.errors,t.errors,s.unpriced,t.unpriced,s.cost_nano,t.cost_nano,"       \
    "s.cost_rest,t.cost_rest FROM session_sum s LEFT JOIN sums t USING "     \
    "(session) WHERE s.project=?1 AND s.start_ns>=?2"

/* Sessions outlive their traces: only those are compared that began where all
 * is still there, and only while no trace of the project was deleted. */
llmlab_status_t
llmlab__check_sessions(llmlab__checking_t *checking)
{
    static const char *const names[] = {"traces",   "steps",    "calls",
                                        "errors",   "unpriced", "cost_nano",
                                        "cost_rest"};
    llmlab__connection_t *connection = checking->connection;
    llmlab_status_t status = LLMLAB_EIO;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        SESSIONS " AND NOT EXISTS (SELECT 1 FROM deleted_trace WHERE "
                 "project=?1)",
        "ii", checking->project, checking->from_ns);

    while (sql != NULL &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        checking->check->rows++;
        for (int i = 0; i < 7; i++) {
            int64_t stored = sqlite3_column_int64(sql, 1 + 2 * i);
            int64_t expected = sqlite3_column_int64(sql, 2 + 2 * i);
            char place[96];

            if (stored != expected) {
                (void)snprintf(place, sizeof(place), "number %lld",
                               (long long)sqlite3_column_int64(sql, 0));
                llmlab__check_differs(checking, "session", names[i], place,
                                      stored, expected);
            }
        }
    }
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}
