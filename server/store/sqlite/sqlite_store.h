/* The SQLite store's own parts. One connection writes, as many as are needed
 * read; WAL lets them go on side by side. */
#ifndef LLMLAB_STORE_SQLITE_STORE_H
#define LLMLAB_STORE_SQLITE_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include <sqlite3.h>

#include "store/admin.h"
#include "store/sqlite/changes.h"
#include "store/sqlite/label_cache.h"
#include "store/sqlite/rollup_cache.h"
#include "store/sqlite/trace_cache.h"
#include "store/store.h"

#define LLMLAB__PROJECT_COLUMNS                         \
    "id,uuid,slug,name,created_ns,archived_ns,version," \
    "ifnull(retention_days,0)"
#define LLMLAB__KEY_COLUMNS                                          \
    "k.id,k.project,k.scope,k.created_ns,k.expires_ns,k.revoked_ns," \
    "k.hash,k.hint,k.name,p.slug,k.last_used_ns,k.requests_minute,"  \
    "k.rotated_from,k.created_by,k.version"
#define LLMLAB__ACCOUNT_COLUMNS                                           \
    "a.id,a.uuid,a.email,a.name,a.password,a.server_admin,a.disabled_ns," \
    "a.created_ns,a.version"

/* The statements a connection uses, prepared at their first use. */
typedef enum llmlab__sql_e {
    LLMLAB__SQL_BEGIN,
    LLMLAB__SQL_BEGIN_READ,
    LLMLAB__SQL_COMMIT,
    LLMLAB__SQL_SPAN_INSERT,
    LLMLAB__SQL_SPAN_GET,
    LLMLAB__SQL_SPAN_REPRICE,
    LLMLAB__SQL_SPAN_UNCOUNT,
    LLMLAB__SQL_SPAN_FILL,
    LLMLAB__SQL_TRACE_NODES,
    LLMLAB__SQL_TRACE_GET,
    LLMLAB__SQL_TRACE_PUT,
    LLMLAB__SQL_SERIES_FIND,
    LLMLAB__SQL_SERIES_INSERT,
    LLMLAB__SQL_SERIES_GET,
    LLMLAB__SQL_ROLLUP_GET,
    LLMLAB__SQL_ROLLUP_PUT,
    LLMLAB__SQL_ROLLUP_SCAN,
    LLMLAB__SQL_ROLLUP_SCAN_LATENCY,
    LLMLAB__SQL_REVISION_GET,
    LLMLAB__SQL_REVISION_PUT,
    LLMLAB__SQL_LABEL_FIND,
    LLMLAB__SQL_LABEL_INSERT,
    LLMLAB__SQL_LABEL_COUNT,
    LLMLAB__SQL_LABEL_TEXT,
    LLMLAB__SQL_INSTANCE_FIND,
    LLMLAB__SQL_INSTANCE_INSERT,
    LLMLAB__SQL_INSTANCE_UPDATE,
    LLMLAB__SQL_RECEIVED_SCAN,
    LLMLAB__SQL_RECEIVED_DELETE,
    LLMLAB__SQL_RECEIVED_INSERT,
    LLMLAB__SQL_SCORE_INSERT,
    LLMLAB__SQL_REMAINDER_INSERT,
    LLMLAB__SQL_DELETED_FIND,
    LLMLAB__SQL_SPAN_DELETE,
    LLMLAB__SQL_KEY_FIND,
    LLMLAB__SQL_PROJECT_FIND,
    LLMLAB__SQL_PROJECT_FORMER,
    LLMLAB__SQL_PROJECT_GET,
    LLMLAB__SQL_SESSION_GET,
    LLMLAB__SQL_ACCOUNT_GET,
    LLMLAB__SQL_MEMBER_ROLE,
    LLMLAB__SQL_SPANS_OF_TRACE,
    LLMLAB__SQL_NODES_OF_TRACE,
    LLMLAB__SQL_SPAN_VIEW,
    LLMLAB__SQL_ROLLUP_EXISTS,
    LLMLAB__SQL_SESSION_ADD,
    LLMLAB__SQL_COUNT
} llmlab__sql_t;

typedef struct llmlab__connection_s {
    sqlite3 *db;
    sqlite3_stmt *statements[LLMLAB__SQL_COUNT];
} llmlab__connection_t;

struct llmlab__reader_s {
    llmlab__connection_t connection;
    llmlab__changes_t *changes;
    struct llmlab__reader_s *next;
};

typedef struct llmlab__sqlite_s {
    llmlab__store_t store; /* first */
    char *path;
    int lock_fd; /* -1: not the owner */

    /* The writer's. Keys and projects made by this process take turns with
     * it. */
    pthread_mutex_t write_lock;
    llmlab__connection_t writer;
    llmlab__label_cache_t labels;
    llmlab__trace_cache_t traces;
    llmlab__rollup_cache_t rollups;
    uint64_t revision; /* the last transaction's number */
    int log_pages;     /* in the log since the last checkpoint */

    llmlab__changes_t changes;
    _Atomic uint64_t rewrites; /* upkeep.h's; odd: one is under way */

    llmlab__reader_t *changer; /* below write_lock; NULL: not needed yet */

    pthread_mutex_t reader_lock;
    llmlab__reader_t *readers; /* at rest */

    _Atomic uint64_t transactions;
    _Atomic uint64_t spans;
    _Atomic uint64_t duplicates;
    _Atomic uint64_t rejected;
    _Atomic uint64_t capped_labels;
    _Atomic uint64_t checkpoints;
} llmlab__sqlite_t;

llmlab_status_t llmlab__connection_open(llmlab__connection_t *connection,
                                        const char *path, bool writer);
/* Let go of the statements alone. */
void llmlab__connection_finish(llmlab__connection_t *connection);
void llmlab__connection_close(llmlab__connection_t *connection);
/* The statement, reset and unbound; NULL with the detail set. */
sqlite3_stmt *llmlab__connection_sql(llmlab__connection_t *connection,
                                     llmlab__sql_t which);
/* LLMLAB_EIO with the database's words as the detail. */
llmlab_status_t llmlab__connection_fail(const llmlab__connection_t *connection,
                                        const char *what);
/* Step a statement that answers no rows, and reset it. */
llmlab_status_t llmlab__connection_run(llmlab__connection_t *connection,
                                       sqlite3_stmt *statement,
                                       const char *what);

void llmlab__bind_text(sqlite3_stmt *statement, int column,
                       llmlab__text_t text);
llmlab__text_t llmlab__column_text(sqlite3_stmt *statement, int column);
llmlab__text_t llmlab__column_blob(sqlite3_stmt *statement, int column);

/* apply.c */
void llmlab__sqlite_apply(llmlab__store_t *store, llmlab__batch_t **batches,
                          size_t count);
/* Forget what the writer remembers: after a rollback. */
void llmlab__memory_clear(llmlab__sqlite_t *sqlite);

/* received.c: the record numbers of an instance that are known. */
typedef struct llmlab__interval_s {
    uint64_t first;
    uint64_t last;
} llmlab__interval_t;

typedef struct llmlab__intervals_s {
    llmlab__interval_t *of; /* in ascending order */
    size_t count;
    size_t capacity;
} llmlab__intervals_t;

/* Those that overlap or touch first..last. */
llmlab_status_t llmlab__received_load(llmlab__connection_t *connection,
                                      int64_t instance, uint64_t first,
                                      uint64_t last, llmlab__intervals_t *out);
bool llmlab__received_has(const llmlab__intervals_t *known, uint64_t number);
/* Put first..last in, merged with the known ones it touches. */
llmlab_status_t llmlab__received_add(llmlab__connection_t *connection,
                                     int64_t instance,
                                     const llmlab__intervals_t *known,
                                     uint64_t first, uint64_t last);

/* store.c: the connection for changes, below write_lock. */
llmlab_status_t llmlab__changer_open(llmlab__sqlite_t *sqlite);

/* change.c */
llmlab_status_t llmlab__sqlite_change_begin(llmlab__store_t *store,
                                            llmlab__reader_t **out);
llmlab_status_t llmlab__sqlite_change_end(llmlab__store_t *store,
                                          llmlab__reader_t *changer,
                                          bool commit);
llmlab_status_t llmlab__sqlite_audit_add(llmlab__reader_t *changer,
                                         const llmlab__audit_t *entry);
llmlab_status_t llmlab__sqlite_audit_list(llmlab__reader_t *reader,
                                          int64_t project, int64_t before,
                                          size_t limit, llmlab__audit_fn visit,
                                          void *payload);
llmlab_status_t
llmlab__sqlite_answer_find(llmlab__reader_t *changer,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__answer_t *out);
llmlab_status_t
llmlab__sqlite_answer_add(llmlab__reader_t *changer,
                          const unsigned char hash[LLMLAB__HASH_SIZE],
                          const llmlab__answer_t *answer);

extern const llmlab__admin_ops_t llmlab__sqlite_admin; /* admin.c */

/* keys.c */
void llmlab__project_read(sqlite3_stmt *sql, llmlab__project_t *out);
void llmlab__key_read(sqlite3_stmt *sql, llmlab__key_t *out);
llmlab_status_t llmlab__sqlite_project_find(llmlab__reader_t *reader,
                                            const char *name,
                                            llmlab__project_t *out);
llmlab_status_t llmlab__sqlite_project_get(llmlab__reader_t *reader, int64_t id,
                                           llmlab__project_t *out);
llmlab_status_t
llmlab__sqlite_key_find(llmlab__reader_t *reader,
                        const unsigned char hash[LLMLAB__HASH_SIZE],
                        llmlab__key_t *out);
llmlab_status_t llmlab__sqlite_secret(llmlab__store_t *store,
                                      unsigned char out[32]);

/* jobs.c */
extern const llmlab__job_ops_t llmlab__sqlite_job_ops;
/* scores.c */
extern const llmlab__score_ops_t llmlab__sqlite_score_ops;
/* LLMLAB_OK: the trace was deleted and nothing of it came since;
 * LLMLAB_ENOTFOUND: not so. */
llmlab_status_t llmlab__score_trace_gone(llmlab__connection_t *connection,
                                         int64_t project, uint64_t trace_high,
                                         uint64_t trace_low);
/* One of this id that is there already stays as it is. */
llmlab_status_t llmlab__score_insert(llmlab__connection_t *connection,
                                     int64_t project, const char *id,
                                     const llmlab__score_row_t *row);
/* prices.c */
extern const llmlab__price_ops_t llmlab__sqlite_price_ops;

/* expire.c */
extern const llmlab__upkeep_ops_t llmlab__sqlite_upkeep_ops;

/* erase.c */
llmlab_status_t llmlab__sqlite_trace_delete(llmlab__store_t *store,
                                            int64_t project, uint64_t high,
                                            uint64_t low, int64_t limit,
                                            llmlab__removed_t *out);
llmlab_status_t llmlab__sqlite_user_forget(llmlab__store_t *store,
                                           llmlab__job_t *job, const char *user,
                                           void (*keep)(llmlab__job_t *job,
                                                        int64_t label));
llmlab_status_t llmlab__sqlite_user_trace(llmlab__reader_t *reader,
                                          int64_t project, int64_t label,
                                          int64_t *start_ns, uint64_t *high,
                                          uint64_t *low);

/* backup.c: be the one process that serves the file, as long as the
 * descriptor is open. LLMLAB_EINVAL when another is. */
llmlab_status_t llmlab__owner_lock(const char *path, int *out_fd);

/* check.c */
llmlab_status_t llmlab__sqlite_check(llmlab__reader_t *reader,
                                     llmlab__check_t *check);

/* series.c */

/* The number of a combination, made if it is new. */
llmlab_status_t llmlab__series_intern(llmlab__connection_t *connection,
                                      int64_t project, llmlab__view_t view,
                                      const int64_t by[LLMLAB__ROLLED],
                                      int64_t *out);
llmlab_status_t llmlab__sqlite_series(llmlab__reader_t *reader,
                                      llmlab__view_t view, int64_t series,
                                      int64_t by[LLMLAB__ROLLED]);
llmlab_status_t llmlab__sqlite_rollups(llmlab__reader_t *reader,
                                       const llmlab__rollup_query_t *query,
                                       llmlab__rollup_fn visit, void *payload);

/* crossing.c */
llmlab_status_t llmlab__sqlite_crossing(llmlab__reader_t *reader,
                                        int64_t project, int64_t from_ns,
                                        int64_t to_ns,
                                        llmlab__crossing_fn visit,
                                        void *payload);

/* session.c */

/* Spans of a trace of another session name this one. */
llmlab_status_t llmlab__session_reach(llmlab__connection_t *connection,
                                      int64_t project, llmlab__text_t session,
                                      int64_t user, int64_t start_ns,
                                      int64_t last_ns);
/* Narrow a time range to what can hold spans of a session, and traces of it;
 * none when there is no such session. NULL: any. */
llmlab_status_t llmlab__session_bounds(llmlab__connection_t *connection,
                                       int64_t project, const char *session,
                                       int64_t *from_ns, int64_t *to_ns);
/* Add calls without spans to their session. */
llmlab_status_t llmlab__session_add(llmlab__connection_t *connection,
                                    int64_t project, const llmlab__row_t *row,
                                    int64_t user);
llmlab_status_t llmlab__sqlite_sessions(llmlab__reader_t *reader,
                                        const llmlab__session_query_t *query,
                                        llmlab__session_fn visit,
                                        void *payload);

/* calls.c */
llmlab_status_t llmlab__sqlite_calls(llmlab__reader_t *reader,
                                     const llmlab__call_query_t *query,
                                     llmlab__span_fn visit, void *payload,
                                     llmlab__page_end_t *end);

/* queries.c */

/* A row of the statements that select SPAN_VIEW. */
void llmlab__span_view_read(sqlite3_stmt *sql, llmlab__span_view_t *row);
int64_t llmlab__sqlite_label_find(llmlab__reader_t *reader, int64_t project,
                                  llmlab__label_kind_t kind, const char *text);
llmlab__text_t llmlab__sqlite_label_text(llmlab__reader_t *reader, int64_t id);
llmlab_status_t llmlab__sqlite_traces(llmlab__reader_t *reader,
                                      const llmlab__trace_query_t *query,
                                      llmlab__trace_fn visit, void *payload,
                                      llmlab__page_end_t *end);
llmlab_status_t llmlab__sqlite_trace(llmlab__reader_t *reader, int64_t project,
                                     uint64_t trace_high, uint64_t trace_low,
                                     llmlab__trace_fn visit, void *payload);
llmlab_status_t llmlab__sqlite_nodes(llmlab__reader_t *reader, int64_t project,
                                     const llmlab__trace_row_t *trace,
                                     llmlab__node_fn visit, void *payload);
llmlab_status_t llmlab__sqlite_span(llmlab__reader_t *reader, int64_t project,
                                    const llmlab__cursor_t *key,
                                    llmlab__span_fn visit, void *payload);
llmlab_status_t llmlab__sqlite_spans(llmlab__reader_t *reader, int64_t project,
                                     const llmlab__trace_row_t *trace,
                                     llmlab__span_fn visit, void *payload);

#endif
