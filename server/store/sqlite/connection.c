#include <string.h>

#include "base/status.h"
#include "store/sqlite/sqlite_store.h"

#define SUM_COLUMN_(name, column)    "," column
#define SUM_PARAMETER_(name, column) ",?"
#define SUM_COLUMNS                  LLMLAB__SUM_MAP(SUM_COLUMN_)
#define SUM_PARAMETERS               LLMLAB__SUM_MAP(SUM_PARAMETER_)

/* What llmlab__span_view_t tells, in its order. */
#define SPAN_VIEW                                                       \
    "s.span_id,s.parent_id,s.start_ns,s.duration_ns,s.ttft_ns,s.kind,"  \
    "s.status,s.counted,s.priced,s.match,s.usage_source,s.cost_source," \
    "s.cost_nano,s.cost_rest,s.client_nano,s.client_rest,s.name,"       \
    "(SELECT text FROM label WHERE id=s.provider),"                     \
    "(SELECT text FROM label WHERE id=s.model),"                        \
    "(SELECT text FROM label WHERE id=s.agent),"                        \
    "(SELECT text FROM label WHERE id=s.user),"                         \
    "(SELECT text FROM label WHERE id=s.environment),"                  \
    "(SELECT text FROM label WHERE id=s.service),"                      \
    "s.session,s.price_key,s.usage,s.tags,s.detail,s.trace_high,s.trace_low"

static const char *const texts[LLMLAB__SQL_COUNT] = {
    [LLMLAB__SQL_BEGIN] = "BEGIN IMMEDIATE",
    [LLMLAB__SQL_BEGIN_READ] = "BEGIN",
    [LLMLAB__SQL_COMMIT] = "COMMIT",
    [LLMLAB__SQL_SPAN_INSERT] =
        "INSERT INTO span(project,start_ns,span_id,trace_high,trace_low,"
        "parent_id,duration_ns,ttft_ns,kind,status,name,provider,model,agent,"
        "user,environment,service,api_key,session,counted,priced,match,"
        "usage_source,cost_source,cost_nano,cost_rest,client_nano,client_rest,"
        "price_key,usage,tags,detail) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
        "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
    [LLMLAB__SQL_SPAN_GET] =
        "SELECT provider,model,agent,status,environment,api_key,user,tags,"
        "counted,priced,usage_source,duration_ns,ifnull(cost_nano,0),"
        "ifnull(cost_rest,0),ifnull(client_nano,0),ifnull(client_rest,0),"
        "usage FROM span WHERE project=? AND start_ns=? AND span_id=? AND "
        "trace_high=? AND trace_low=?",
    [LLMLAB__SQL_SPAN_REPRICE] =
        "UPDATE span SET cost_nano=?6,cost_rest=?7,priced=?8,match=?9,"
        "cost_source=?10,price_key=?11 WHERE project=?1 AND start_ns=?2 AND "
        "span_id=?3 AND trace_high=?4 AND trace_low=?5",
    [LLMLAB__SQL_SPAN_UNCOUNT] =
        "UPDATE span SET counted=0 WHERE project=? AND start_ns=? AND "
        "span_id=? AND trace_high=? AND trace_low=?",
    [LLMLAB__SQL_SPAN_FILL] =
        "UPDATE span SET agent=iif(agent=0,?6,agent),user=iif(user=0,?7,user),"
        "session=ifnull(session,?8) WHERE project=?1 AND start_ns=?2 AND "
        "span_id=?3 AND trace_high=?4 AND trace_low=?5",
    /* The inner limit bounds the rows looked at. */
    [LLMLAB__SQL_TRACE_NODES] =
        "SELECT span_id,parent_id,start_ns,usage IS NOT NULL OR "
        "cost_nano IS NOT NULL,counted,(agent=0)+2*(user=0)+"
        "4*(session IS NULL) FROM "
        "(SELECT * FROM span WHERE project=?1 AND start_ns BETWEEN ?2 AND ?3 "
        "LIMIT ?6) WHERE trace_high=?4 AND trace_low=?5",
    [LLMLAB__SQL_TRACE_GET] =
        "SELECT start_ns,last_ns,end_ns,root_id,root_ns,root_status,steps,"
        "calls,errors,unpriced,cost_nano,cost_rest,input_tokens,"
        "output_tokens,name,agent,user,environment,session,models,tags,runs "
        "FROM trace WHERE project=? AND trace_high=? AND trace_low=?",
    [LLMLAB__SQL_TRACE_PUT] =
        "INSERT INTO trace(project,trace_high,trace_low,start_ns,last_ns,"
        "end_ns,root_id,root_ns,root_status,status,steps,calls,errors,"
        "unpriced,cost_nano,cost_rest,input_tokens,output_tokens,name,agent,"
        "user,environment,session,models,tags,runs) VALUES(?,?,?,?,?,?,?,?,?,?,"
        "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
        "start_ns=excluded.start_ns,last_ns=excluded.last_ns,"
        "end_ns=excluded.end_ns,root_id=excluded.root_id,"
        "root_ns=excluded.root_ns,root_status=excluded.root_status,"
        "status=excluded.status,steps=excluded.steps,calls=excluded.calls,"
        "errors=excluded.errors,unpriced=excluded.unpriced,"
        "cost_nano=excluded.cost_nano,cost_rest=excluded.cost_rest,"
        "input_tokens=excluded.input_tokens,"
        "output_tokens=excluded.output_tokens,name=excluded.name,"
        "agent=excluded.agent,user=excluded.user,"
        "environment=excluded.environment,session=excluded.session,"
        "models=excluded.models,tags=excluded.tags,runs=excluded.runs",
    [LLMLAB__SQL_SERIES_FIND] =
        "SELECT id FROM series WHERE project=? AND provider=? AND model=? AND "
        "agent=? AND status=? AND environment=? AND api_key=?",
    [LLMLAB__SQL_SERIES_INSERT] =
        "INSERT INTO series(project,provider,model,agent,status,environment,"
        "api_key) VALUES(?,?,?,?,?,?,?)",
    [LLMLAB__SQL_SERIES_GET] =
        "SELECT provider,model,agent,status,environment,api_key FROM series "
        "WHERE id=?",
    [LLMLAB__SQL_ROLLUP_GET] =
        "SELECT sums,latency FROM rollup WHERE project=? AND view=? AND "
        "level=? AND start=? AND series=?",
    [LLMLAB__SQL_ROLLUP_PUT] =
        "REPLACE INTO rollup(project,view,level,start,series,sums,latency) "
        "VALUES(?,?,?,?,?,?,?)",
    [LLMLAB__SQL_ROLLUP_SCAN] =
        "SELECT start,series,sums FROM rollup WHERE project=? AND view=? AND "
        "level=? AND start>=? AND start<? ORDER BY start",
    [LLMLAB__SQL_ROLLUP_SCAN_LATENCY] =
        "SELECT start,series,sums,latency FROM rollup WHERE project=? AND "
        "view=? AND level=? AND start>=? AND start<? ORDER BY start",
    [LLMLAB__SQL_REVISION_GET] = "SELECT number FROM revision",
    [LLMLAB__SQL_REVISION_PUT] = "UPDATE revision SET number=?",
    [LLMLAB__SQL_LABEL_FIND] =
        "SELECT id FROM label WHERE project=? AND kind=? AND text=?",
    [LLMLAB__SQL_LABEL_INSERT] =
        "INSERT INTO label(project,kind,text,day) VALUES(?,?,?,?)",
    [LLMLAB__SQL_LABEL_COUNT] =
        "SELECT count(*) FROM label WHERE project=? AND kind=? AND day=?",
    [LLMLAB__SQL_LABEL_TEXT] = "SELECT text FROM label WHERE id=?",
    [LLMLAB__SQL_INSTANCE_FIND] =
        "SELECT id,project,accepted,delivered,rejected,dead,unsampled,dropped "
        "FROM instance WHERE uuid=?",
    [LLMLAB__SQL_INSTANCE_INSERT] =
        "INSERT INTO instance(uuid,project,api_key,sdk,service,environment,"
        "release,first_seen_ns,last_seen_ns,accepted,delivered,rejected,dead,"
        "unsampled,dropped) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?8,?9,?10,?11,?12,"
        "?13,?14)",
    [LLMLAB__SQL_INSTANCE_UPDATE] =
        "UPDATE instance SET last_seen_ns=?2,accepted=?3,delivered=?4,"
        "rejected=?5,dead=?6,unsampled=?7,dropped=?8 WHERE id=?1",
    [LLMLAB__SQL_RECEIVED_SCAN] =
        "SELECT first,last FROM received WHERE instance=? AND first<=? "
        "ORDER BY first DESC",
    [LLMLAB__SQL_RECEIVED_DELETE] =
        "DELETE FROM received WHERE instance=? AND first=?",
    [LLMLAB__SQL_RECEIVED_INSERT] =
        "REPLACE INTO received(instance,first,last) VALUES(?,?,?)",
    [LLMLAB__SQL_SCORE_INSERT] =
        "INSERT INTO score(project,id,trace_high,trace_low,span_id,at_ns,name,"
        "value,label,source,version,comment) VALUES(?,?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT DO NOTHING",
    [LLMLAB__SQL_REMAINDER_INSERT] =
        "INSERT INTO remainder(project,start_ns,provider,model,agent,user,"
        "environment,api_key,status,session,tags,latency_ns" SUM_COLUMNS
        ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?" SUM_PARAMETERS ")",
    [LLMLAB__SQL_DELETED_FIND] =
        "SELECT start_ns,last_ns FROM deleted_trace WHERE project=? AND "
        "trace_high=? AND trace_low=?",
    [LLMLAB__SQL_SPAN_DELETE] =
        "DELETE FROM span WHERE project=? AND start_ns=? AND span_id=? AND "
        "trace_high=? AND trace_low=?",
    [LLMLAB__SQL_KEY_FIND] =
        "SELECT " LLMLAB__KEY_COLUMNS " FROM api_key k JOIN project p ON "
        "p.id=k.project WHERE k.hash=? AND p.deleted_ns IS NULL",
    [LLMLAB__SQL_PROJECT_FIND] =
        "SELECT " LLMLAB__PROJECT_COLUMNS " FROM project WHERE (slug=?1 OR "
        "uuid=?1) AND deleted_ns IS NULL",
    [LLMLAB__SQL_PROJECT_FORMER] =
        "SELECT " LLMLAB__PROJECT_COLUMNS " FROM project WHERE id=(SELECT "
        "project FROM project_slug WHERE slug=?1) AND deleted_ns IS NULL",
    [LLMLAB__SQL_PROJECT_GET] =
        "SELECT " LLMLAB__PROJECT_COLUMNS " FROM project WHERE id=?1",
    [LLMLAB__SQL_SESSION_GET] =
        "SELECT hash,account,created_ns,seen_ns FROM session WHERE hash=?",
    [LLMLAB__SQL_ACCOUNT_GET] =
        "SELECT " LLMLAB__ACCOUNT_COLUMNS " FROM account a WHERE a.id=?",
    [LLMLAB__SQL_MEMBER_ROLE] =
        "SELECT role,created_ns,version FROM member WHERE project=? AND "
        "account=?",
    [LLMLAB__SQL_SPANS_OF_TRACE] =
        "SELECT " SPAN_VIEW " FROM span s WHERE s.project=?1 AND s.start_ns "
        "BETWEEN ?2 AND ?3 AND s.trace_high=?4 AND s.trace_low=?5 "
        "ORDER BY s.start_ns,s.span_id",
    [LLMLAB__SQL_NODES_OF_TRACE] =
        "SELECT span_id,parent_id,start_ns,counted=1 AND priced=0 AND "
        "(usage_source<>0 OR status=1),iif(counted=1,cost_nano,0),"
        "iif(counted=1,cost_rest,0) FROM span WHERE project=?1 AND start_ns "
        "BETWEEN ?2 AND ?3 AND trace_high=?4 AND trace_low=?5 "
        "ORDER BY start_ns,span_id",
    [LLMLAB__SQL_SPAN_VIEW] =
        "SELECT " SPAN_VIEW " FROM span s WHERE s.project=? AND s.start_ns=? "
        "AND s.span_id=? AND s.trace_high=? AND s.trace_low=?",
    [LLMLAB__SQL_ROLLUP_EXISTS] =
        "SELECT 1 FROM rollup WHERE project=? AND view=? AND level=? AND "
        "start=? AND series=?",
    [LLMLAB__SQL_SESSION_ADD] =
        "INSERT INTO session_sum(project,session,start_ns,last_ns,end_ns,"
        "traces,steps,calls,errors,unpriced,cost_nano,cost_rest,input_tokens,"
        "output_tokens,user) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT(project,session) DO UPDATE SET "
        "start_ns=min(start_ns,excluded.start_ns),"
        "last_ns=max(last_ns,excluded.last_ns),"
        "end_ns=max(end_ns,excluded.end_ns),traces=traces+excluded.traces,"
        "steps=steps+excluded.steps,calls=calls+excluded.calls,"
        "errors=errors+excluded.errors,unpriced=unpriced+excluded.unpriced,"
        "cost_nano=cost_nano+excluded.cost_nano+"
        "(cost_rest+excluded.cost_rest)/1000000,"
        "cost_rest=(cost_rest+excluded.cost_rest)%1000000,"
        "input_tokens=input_tokens+excluded.input_tokens,"
        "output_tokens=output_tokens+excluded.output_tokens,"
        "user=iif(excluded.user<>0,excluded.user,user)",
};

llmlab_status_t
llmlab__connection_fail(const llmlab__connection_t *connection,
                        const char *what)
{
    return llmlab__fail(LLMLAB_EIO, "cannot %s: %s", what,
                        sqlite3_errmsg(connection->db));
}

llmlab_status_t
llmlab__connection_open(llmlab__connection_t *connection, const char *path,
                        bool writer)
{
    /* A page holds a dozen spans; the log is bounded by the writer's own
     * checkpoints. */
    static const char writer_pragmas[] =
        "PRAGMA page_size=8192; PRAGMA journal_mode=WAL;"
        "PRAGMA synchronous=FULL; PRAGMA cache_size=-32768;"
        "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0;"
        "PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=134217728";
    static const char reader_pragmas[] =
        "PRAGMA query_only=ON; PRAGMA cache_size=-16384;"
        "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0";
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                (writer ? SQLITE_OPEN_CREATE : 0);

    memset(connection, 0, sizeof(*connection));
    if (sqlite3_open_v2(path, &connection->db, flags, NULL) != SQLITE_OK) {
        int number =
            connection->db == NULL ? 0 : sqlite3_system_errno(connection->db);
        llmlab_status_t status = llmlab__fail(
            LLMLAB_EIO, "cannot open %s: %s", path,
            number != 0              ? strerror(number)
            : connection->db == NULL ? "out of memory"
                                     : sqlite3_errmsg(connection->db));

        llmlab__connection_close(connection);
        return status;
    }
    (void)sqlite3_busy_timeout(connection->db, 10000);
    (void)sqlite3_extended_result_codes(connection->db, 1);
    if (sqlite3_exec(connection->db, writer ? writer_pragmas : reader_pragmas,
                     NULL, NULL, NULL) != SQLITE_OK) {
        llmlab_status_t status =
            llmlab__fail(LLMLAB_EIO, "cannot open %s: %s", path,
                         sqlite3_errmsg(connection->db));

        llmlab__connection_close(connection);
        return status;
    }
    return LLMLAB_OK;
}

void
llmlab__connection_finish(llmlab__connection_t *connection)
{
    for (int i = 0; i < LLMLAB__SQL_COUNT; i++) {
        sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
}

void
llmlab__connection_close(llmlab__connection_t *connection)
{
    llmlab__connection_finish(connection);
    sqlite3_close(connection->db);
    connection->db = NULL;
}

sqlite3_stmt *
llmlab__connection_sql(llmlab__connection_t *connection, llmlab__sql_t which)
{
    sqlite3_stmt **statement = &connection->statements[which];

    if (*statement != NULL) {
        sqlite3_reset(*statement);
        sqlite3_clear_bindings(*statement);
        return *statement;
    }
    if (sqlite3_prepare_v3(connection->db, texts[which], -1,
                           SQLITE_PREPARE_PERSISTENT, statement,
                           NULL) != SQLITE_OK) {
        llmlab__connection_fail(connection, "prepare a statement");
        return NULL;
    }
    return *statement;
}

llmlab_status_t
llmlab__connection_run(llmlab__connection_t *connection,
                       sqlite3_stmt *statement, const char *what)
{
    int code = sqlite3_step(statement);
    llmlab_status_t status = code == SQLITE_DONE
                                 ? LLMLAB_OK
                                 : llmlab__connection_fail(connection, what);

    sqlite3_reset(statement);
    return status;
}

void
llmlab__bind_text(sqlite3_stmt *statement, int column, llmlab__text_t text)
{
    if (text.data != NULL) {
        sqlite3_bind_text64(statement, column, text.data, text.size,
                            SQLITE_STATIC, SQLITE_UTF8);
    }
}

llmlab__text_t
llmlab__column_blob(sqlite3_stmt *statement, int column)
{
    llmlab__text_t text;

    text.data = sqlite3_column_blob(statement, column);
    text.size = (size_t)sqlite3_column_bytes(statement, column);
    return text;
}

llmlab__text_t
llmlab__column_text(sqlite3_stmt *statement, int column)
{
    llmlab__text_t text;

    text.data = (const char *)sqlite3_column_text(statement, column);
    text.size = (size_t)sqlite3_column_bytes(statement, column);
    return text;
}
