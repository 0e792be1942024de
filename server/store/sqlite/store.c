#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/status.h"
#include "store/hash.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/sqlite_store.h"

#define BUSY_MS 10000
/* Pages of the log after which it is copied into the database. */
#define LOG_PAGES 8192

static int
on_log(void *payload, sqlite3 *db, const char *name, int pages)
{
    llmlab__sqlite_t *sqlite = payload;

    (void)db;
    (void)name;
    sqlite->log_pages = pages;
    return SQLITE_OK;
}

static void
sqlite_idle(llmlab__store_t *store)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;

    pthread_mutex_lock(&sqlite->write_lock);
    if (sqlite->log_pages >= LOG_PAGES) {
        /* Readers that overlap without a gap keep the log from beginning
         * anew: then, seldom, they are waited for. */
        int mode = sqlite->log_pages >= 8 * LOG_PAGES
                       ? SQLITE_CHECKPOINT_RESTART
                       : SQLITE_CHECKPOINT_PASSIVE;

        (void)sqlite3_busy_timeout(sqlite->writer.db, 1000);
        if (sqlite3_wal_checkpoint_v2(sqlite->writer.db, NULL, mode, NULL,
                                      NULL) == SQLITE_OK) {
            sqlite->log_pages = 0;
            atomic_fetch_add(&sqlite->checkpoints, 1);
        }
        (void)sqlite3_busy_timeout(sqlite->writer.db, BUSY_MS);
    }
    pthread_mutex_unlock(&sqlite->write_lock);
}

static uint64_t
file_bytes(const char *path, const char *end)
{
    char name[4096];
    struct stat file;
    int size = snprintf(name, sizeof(name), "%s%s", path, end);

    return size > 0 && (size_t)size < sizeof(name) && stat(name, &file) == 0
               ? (uint64_t)file.st_size
               : 0;
}

static void
sqlite_numbers(llmlab__store_t *store, llmlab__store_numbers_t *out)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;

    out->transactions = atomic_load(&sqlite->transactions);
    out->spans = atomic_load(&sqlite->spans);
    out->duplicates = atomic_load(&sqlite->duplicates);
    out->rejected = atomic_load(&sqlite->rejected);
    out->capped_labels = atomic_load(&sqlite->capped_labels);
    out->checkpoints = atomic_load(&sqlite->checkpoints);
    out->database_bytes = file_bytes(sqlite->path, "");
    out->log_bytes = file_bytes(sqlite->path, "-wal");
}

/* An answer is read from one state of the database, and the locks of a
 * snapshot are taken once. Without it each statement has its own. */
static void
reader_step(llmlab__reader_t *reader, llmlab__sql_t which)
{
    sqlite3_stmt *sql = llmlab__connection_sql(&reader->connection, which);

    if (sql != NULL) {
        (void)sqlite3_step(sql);
        sqlite3_reset(sql);
    }
}

static llmlab__reader_t *
sqlite_acquire(llmlab__store_t *store)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;
    llmlab__reader_t *reader;

    pthread_mutex_lock(&sqlite->reader_lock);
    reader = sqlite->readers;
    if (reader != NULL) {
        sqlite->readers = reader->next;
    }
    pthread_mutex_unlock(&sqlite->reader_lock);
    if (reader == NULL) {
        reader = llmlab__calloc(1, sizeof(*reader));
        if (reader != NULL &&
            llmlab__connection_open(&reader->connection, sqlite->path, false) !=
                LLMLAB_OK) {
            llmlab__free(reader);
            reader = NULL;
        } else if (reader != NULL) {
            reader->changes = &sqlite->changes;
        }
    }
    if (reader != NULL) {
        reader_step(reader, LLMLAB__SQL_BEGIN_READ);
    }
    return reader;
}

static void
sqlite_release(llmlab__store_t *store, llmlab__reader_t *reader)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;

    if (reader == NULL) {
        return;
    }
    /* A statement left open would keep its snapshot of the database. */
    for (int i = 0; i < LLMLAB__SQL_COUNT; i++) {
        sqlite3_reset(reader->connection.statements[i]);
    }
    if (!sqlite3_get_autocommit(reader->connection.db)) {
        reader_step(reader, LLMLAB__SQL_COMMIT);
    }
    pthread_mutex_lock(&sqlite->reader_lock);
    reader->next = sqlite->readers;
    sqlite->readers = reader;
    pthread_mutex_unlock(&sqlite->reader_lock);
}

static llmlab_status_t
sqlite_ping(llmlab__reader_t *reader)
{
    llmlab__project_t project;
    llmlab_status_t status = llmlab__sqlite_project_get(reader, 0, &project);

    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

llmlab_status_t
llmlab__changer_open(llmlab__sqlite_t *sqlite)
{
    llmlab__reader_t *changer = llmlab__calloc(1, sizeof(*changer));
    llmlab_status_t status;

    if (changer == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a connection");
    }
    status = llmlab__connection_open(&changer->connection, sqlite->path, true);
    if (status != LLMLAB_OK) {
        llmlab__free(changer);
        return status;
    }
    (void)sqlite3_exec(changer->connection.db, "PRAGMA cache_size=-2048", NULL,
                       NULL, NULL);
    (void)sqlite3_wal_hook(changer->connection.db, on_log, sqlite);
    sqlite->changer = changer;
    return LLMLAB_OK;
}

static llmlab_status_t
revision_read(llmlab__connection_t *connection, uint64_t *out)
{
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_REVISION_GET);
    int code;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    code = sqlite3_step(sql);
    *out = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(sql, 0) : 0;
    sqlite3_reset(sql);
    return code == SQLITE_ROW
               ? LLMLAB_OK
               : llmlab__connection_fail(connection, "read the revision");
}

static llmlab_status_t
revision_load(llmlab__sqlite_t *sqlite)
{
    llmlab_status_t status = revision_read(&sqlite->writer, &sqlite->revision);

    llmlab__changes_set_base(&sqlite->changes, sqlite->revision);
    return status;
}

static llmlab_status_t
sqlite_changed(llmlab__reader_t *reader, int64_t project, int64_t from,
               int64_t to, uint64_t *out)
{
    uint64_t seen;
    llmlab_status_t status = revision_read(&reader->connection, &seen);

    *out = 0;
    if (status == LLMLAB_OK) {
        uint64_t last =
            llmlab__changes_last(reader->changes, project, from, to);

        *out = last <= seen ? last : 0;
    }
    return status;
}

static void
sqlite_close(llmlab__store_t *store)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;

    while (sqlite->readers != NULL) {
        llmlab__reader_t *reader = sqlite->readers;

        sqlite->readers = reader->next;
        llmlab__connection_close(&reader->connection);
        llmlab__free(reader);
    }
    if (sqlite->changer != NULL) {
        llmlab__connection_close(&sqlite->changer->connection);
        llmlab__free(sqlite->changer);
    }
    llmlab__label_cache_cleanup(&sqlite->labels);
    llmlab__trace_cache_cleanup(&sqlite->traces);
    llmlab__rollup_cache_cleanup(&sqlite->rollups);
    llmlab__connection_close(&sqlite->writer);
    llmlab__changes_cleanup(&sqlite->changes);
    pthread_mutex_destroy(&sqlite->write_lock);
    pthread_mutex_destroy(&sqlite->reader_lock);
    if (sqlite->lock_fd >= 0) {
        (void)close(sqlite->lock_fd);
    }
    llmlab__free(sqlite->path);
    llmlab__free(sqlite);
}

static uint64_t
sqlite_rewrites(const llmlab__store_t *store)
{
    const llmlab__sqlite_t *sqlite = (const llmlab__sqlite_t *)store;

    return atomic_load(&sqlite->rewrites);
}

static const llmlab__store_ops_t sqlite_ops = {
    .admin = &llmlab__sqlite_admin,
    .close = sqlite_close,
    .apply = llmlab__sqlite_apply,
    .idle = sqlite_idle,
    .numbers = sqlite_numbers,
    .acquire = sqlite_acquire,
    .release = sqlite_release,
    .ping = sqlite_ping,
    .project_find = llmlab__sqlite_project_find,
    .project_get = llmlab__sqlite_project_get,
    .key_find = llmlab__sqlite_key_find,
    .secret = llmlab__sqlite_secret,
    .change_begin = llmlab__sqlite_change_begin,
    .change_end = llmlab__sqlite_change_end,
    .audit_add = llmlab__sqlite_audit_add,
    .audit_list = llmlab__sqlite_audit_list,
    .answer_find = llmlab__sqlite_answer_find,
    .answer_add = llmlab__sqlite_answer_add,
    .rollups = llmlab__sqlite_rollups,
    .series = llmlab__sqlite_series,
    .crossing = llmlab__sqlite_crossing,
    .calls = llmlab__sqlite_calls,
    .sessions = llmlab__sqlite_sessions,
    .changed = sqlite_changed,
    .label_find = llmlab__sqlite_label_find,
    .label_text = llmlab__sqlite_label_text,
    .traces = llmlab__sqlite_traces,
    .trace = llmlab__sqlite_trace,
    .spans = llmlab__sqlite_spans,
    .nodes = llmlab__sqlite_nodes,
    .span = llmlab__sqlite_span,
    .rewrites = sqlite_rewrites,
};

static pthread_once_t process_once = PTHREAD_ONCE_INIT;

static void
process_setup(void)
{
    /* Counting its memory would cost a lock for each allocation. Refused,
     * and harmless, when somebody has used SQLite before. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    llmlab__os_random(&llmlab__hash_seed, sizeof(llmlab__hash_seed));
}

llmlab_status_t
llmlab__store_sqlite_open(llmlab__store_t **out, const char *path)
{
    llmlab__sqlite_t *sqlite = llmlab__calloc(1, sizeof(*sqlite));
    llmlab_status_t status;

    *out = NULL;
    if (sqlite == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for the store");
    }
    (void)pthread_once(&process_once, process_setup);
    sqlite->store.ops = &sqlite_ops;
    sqlite->store.jobs = &llmlab__sqlite_job_ops;
    sqlite->store.prices = &llmlab__sqlite_price_ops;
    sqlite->store.scores = &llmlab__sqlite_score_ops;
    sqlite->store.upkeep = &llmlab__sqlite_upkeep_ops;
    sqlite->lock_fd = -1;
    (void)pthread_mutex_init(&sqlite->write_lock, NULL);
    (void)pthread_mutex_init(&sqlite->reader_lock, NULL);
    llmlab__changes_init(&sqlite->changes);
    sqlite->rollups.changes = &sqlite->changes;
    sqlite->path = llmlab__strndup(path, strlen(path));
    status = sqlite->path == NULL
                 ? llmlab__fail(LLMLAB_ENOMEM, "no memory for the store")
                 : llmlab__connection_open(&sqlite->writer, path, true);
    if (status == LLMLAB_OK) {
        status = llmlab__migrate(sqlite->writer.db);
    }
    if (status == LLMLAB_OK) {
        status = revision_load(sqlite);
    }
    if (status != LLMLAB_OK) {
        sqlite_close(&sqlite->store);
        return status;
    }
    (void)sqlite3_wal_hook(sqlite->writer.db, on_log, sqlite);
    *out = &sqlite->store;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__store_sqlite_own(llmlab__store_t *store)
{
    llmlab__sqlite_t *sqlite = (llmlab__sqlite_t *)store;

    return llmlab__owner_lock(sqlite->path, &sqlite->lock_fd);
}
