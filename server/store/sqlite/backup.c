/* Copies of a database file: made while it is written to, put in its place,
 * and made anew without the gaps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/sqlite_store.h"

#define PATH_SIZE 4096
/* Of one step of a copy: 16 MiB. */
#define STEP_PAGES 2048

static const char *const ends[] = {"", "-wal", "-shm"};

static bool
path_join(char out[PATH_SIZE], const char *path, const char *end)
{
    int size = snprintf(out, PATH_SIZE, "%s%s", path, end);

    return size > 0 && size < PATH_SIZE;
}

llmlab_status_t
llmlab__owner_lock(const char *path, int *out_fd)
{
    char name[PATH_SIZE];

    *out_fd = -1;
    if (!path_join(name, path, "-owner")) {
        return llmlab__fail(LLMLAB_EINVAL, "the path is too long");
    }
    /* A file of its own: SQLite's locks on the database's would go with the
     * first descriptor that is closed. */
    *out_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*out_fd < 0) {
        return llmlab__fail(LLMLAB_EIO, "cannot open %s: %s", name,
                            strerror(errno));
    }
    if (flock(*out_fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(*out_fd);
        *out_fd = -1;
        return llmlab__fail(LLMLAB_EINVAL,
                            "another llmlab-server serves %s already", path);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
db_fail(sqlite3 *db, const char *what, const char *path)
{
    return llmlab__fail(LLMLAB_EIO, "cannot %s %s: %s", what, path,
                        db == NULL ? "out of memory" : sqlite3_errmsg(db));
}

static llmlab_status_t
db_open(sqlite3 **out, const char *path, int flags)
{
    if (sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        return db_fail(*out, "open", path);
    }
    (void)sqlite3_busy_timeout(*out, 10000);
    return LLMLAB_OK;
}

/* A number that the database tells of itself; -1: it cannot. */
static int64_t
db_number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *sql = NULL;
    int64_t number = -1;

    if (sqlite3_prepare_v2(db, text, -1, &sql, NULL) == SQLITE_OK &&
        sqlite3_step(sql) == SQLITE_ROW) {
        number = sqlite3_column_int64(sql, 0);
    }
    sqlite3_finalize(sql);
    return number;
}

/* Make what was written to a file, and its name, outlive a power cut. */
static bool
sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

static bool
sync_folder(const char *path)
{
    char folder[PATH_SIZE];
    char *slash;

    (void)snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        return sync_path(".", O_RDONLY | O_DIRECTORY);
    }
    slash[slash == folder] = '\0';
    return sync_path(folder, O_RDONLY | O_DIRECTORY);
}

static llmlab_status_t
put_in_place(const char *from, const char *to)
{
    return sync_path(from, O_RDONLY) && rename(from, to) == 0 && sync_folder(to)
               ? LLMLAB_OK
               : llmlab__fail(LLMLAB_EIO, "cannot write %s: %s", to,
                              strerror(errno));
}

/* The source's transaction is open: nothing that is written meanwhile makes
 * the copy begin anew. */
static llmlab_status_t
pages_copy(sqlite3 *from, sqlite3 *to, const char *to_path,
           llmlab__progress_fn progress, void *payload)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    llmlab_status_t status = LLMLAB_OK;
    int code = SQLITE_OK;

    if (copy == NULL) {
        return db_fail(to, "write", to_path);
    }
    while (status == LLMLAB_OK && code == SQLITE_OK) {
        int64_t total;

        code = sqlite3_backup_step(copy, STEP_PAGES);
        total = sqlite3_backup_pagecount(copy);
        if (!progress(payload, total - sqlite3_backup_remaining(copy), total)) {
            status = llmlab__fail(LLMLAB_ETIMEOUT, "stopped");
        }
    }
    if (sqlite3_backup_finish(copy) != SQLITE_OK && status == LLMLAB_OK) {
        status = db_fail(to, "write", to_path);
    }
    return status == LLMLAB_OK && code != SQLITE_DONE
               ? llmlab__fail(LLMLAB_EIO, "cannot write %s: %s", to_path,
                              sqlite3_errstr(code))
               : status;
}

llmlab_status_t
llmlab__sqlite_backup(const char *from_path, const char *to_path,
                      llmlab__progress_fn progress, void *payload,
                      int64_t *bytes)
{
    sqlite3 *from = NULL;
    sqlite3 *to = NULL;
    char name[PATH_SIZE];
    llmlab_status_t status;

    if (!path_join(name, to_path, ".new")) {
        return llmlab__fail(LLMLAB_EINVAL, "the path is too long");
    }
    if (access(from_path, R_OK) != 0) {
        return llmlab__fail(LLMLAB_EIO, "cannot open %s: %s", from_path,
                            strerror(errno));
    }
    (void)unlink(name);
    status = db_open(&from, from_path, SQLITE_OPEN_READWRITE);
    if (status == LLMLAB_OK) {
        status = db_open(&to, name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    }
    if (status == LLMLAB_OK) {
        (void)chmod(name, 0600);
        (void)sqlite3_exec(to, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
        if (sqlite3_exec(from, "BEGIN; SELECT 1 FROM project LIMIT 1", NULL,
                         NULL, NULL) != SQLITE_OK) {
            status = db_fail(from, "read", from_path);
        }
    }
    if (status == LLMLAB_OK) {
        status = pages_copy(from, to, to_path, progress, payload);
    }
    if (status == LLMLAB_OK) {
        /* One file, whole by itself. */
        (void)sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
        *bytes = db_number(to, "SELECT page_count*page_size FROM "
                               "pragma_page_count,pragma_page_size");
    }
    sqlite3_close(from);
    sqlite3_close(to);
    if (status == LLMLAB_OK) {
        status = put_in_place(name, to_path);
    }
    if (status != LLMLAB_OK) {
        (void)unlink(name);
    }
    return status;
}

/* Is the file a database of ours that this program understands? */
static llmlab_status_t
backup_check(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *sql = NULL;
    int newest = 0;
    int64_t version;
    llmlab_status_t status = db_open(&db, path, SQLITE_OPEN_READONLY);

    for (const llmlab__migration_t *step = llmlab__migrations;
         step->number != 0; step++) {
        newest = step->number;
    }
    version = status == LLMLAB_OK ? db_number(db, "PRAGMA user_version") : 0;
    if (status == LLMLAB_OK &&
        (version < 1 || db_number(db, "SELECT count(*) FROM project") < 0)) {
        status = llmlab__fail(LLMLAB_EINVAL, "%s is no backup of llmlab-server",
                              path);
    }
    if (status == LLMLAB_OK && version > newest) {
        status = llmlab__fail(LLMLAB_EUNSUPPORTED,
                              "%s is a newer llmlab-server's: use that", path);
    }
    if (status == LLMLAB_OK &&
        (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &sql, NULL) !=
             SQLITE_OK ||
         sqlite3_step(sql) != SQLITE_ROW ||
         strcmp((const char *)sqlite3_column_text(sql, 0), "ok") != 0)) {
        status = llmlab__fail(LLMLAB_EINVAL, "%s is damaged", path);
    }
    sqlite3_finalize(sql);
    sqlite3_close(db);
    return status;
}

/* Put the file `name` in the place of the database; what was there gets the
 * name `kept`. */
static llmlab_status_t
replace(const char *path, const char *name, const char *kept)
{
    char from[PATH_SIZE];
    char to[PATH_SIZE];

    /* The log belongs to the file: its name goes first, so that no half of a
     * pair is ever taken for a whole. */
    for (int i = 2; i >= 0; i--) {
        if (!path_join(from, path, ends[i]) || !path_join(to, kept, ends[i])) {
            return llmlab__fail(LLMLAB_EINVAL, "the path is too long");
        }
        if (rename(from, to) != 0 && errno != ENOENT) {
            return llmlab__fail(LLMLAB_EIO, "cannot move %s: %s", from,
                                strerror(errno));
        }
    }
    return put_in_place(name, path);
}

llmlab_status_t
llmlab__sqlite_restore(const char *backup, const char *path,
                       llmlab__progress_fn progress, void *payload,
                       int64_t *bytes)
{
    char name[PATH_SIZE];
    char kept[PATH_SIZE];
    int fd;
    llmlab_status_t status = backup_check(backup);

    if (status == LLMLAB_OK && (!path_join(name, path, "-restored") ||
                                !path_join(kept, path, "-replaced"))) {
        status = llmlab__fail(LLMLAB_EINVAL, "the path is too long");
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab__owner_lock(path, &fd);
    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab__sqlite_backup(backup, name, progress, payload, bytes);
    if (status == LLMLAB_OK) {
        status = replace(path, name, kept);
    }
    (void)close(fd);
    return status;
}

typedef struct vacuum_s {
    llmlab__progress_fn progress;
    void *payload;
    const char *name;
    int64_t expected;
} vacuum_t;

static int
on_vacuum(void *payload)
{
    vacuum_t *vacuum = payload;
    struct stat file;

    return stat(vacuum->name, &file) == 0 &&
           !vacuum->progress(vacuum->payload,
                             file.st_size < vacuum->expected ? file.st_size
                                                             : vacuum->expected,
                             vacuum->expected);
}

static llmlab_status_t
vacuum_into(sqlite3 *db, const char *path, vacuum_t *vacuum)
{
    sqlite3_stmt *sql = NULL;
    llmlab_status_t status = LLMLAB_OK;

    sqlite3_progress_handler(db, 1000000, on_vacuum, vacuum);
    if (sqlite3_prepare_v2(db, "VACUUM INTO ?", -1, &sql, NULL) != SQLITE_OK ||
        sqlite3_bind_text(sql, 1, vacuum->name, -1, SQLITE_STATIC) !=
            SQLITE_OK ||
        sqlite3_step(sql) != SQLITE_DONE) {
        status = sqlite3_errcode(db) == SQLITE_INTERRUPT
                     ? llmlab__fail(LLMLAB_ETIMEOUT, "stopped")
                     : db_fail(db, "compact", path);
    }
    sqlite3_finalize(sql);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return status;
}

/* Under the owner's lock. */
static llmlab_status_t
compact(const char *path, vacuum_t *vacuum, int64_t *before, int64_t *after)
{
    sqlite3 *db = NULL;
    struct stat file;
    llmlab_status_t status = db_open(&db, path, SQLITE_OPEN_READWRITE);

    if (status == LLMLAB_OK && sqlite3_exec(db,
                                            "PRAGMA locking_mode=EXCLUSIVE;"
                                            "PRAGMA wal_checkpoint(TRUNCATE)",
                                            NULL, NULL, NULL) != SQLITE_OK) {
        status = db_fail(db, "compact", path);
    }
    if (status == LLMLAB_OK) {
        *before = stat(path, &file) == 0 ? file.st_size : 0;
        vacuum->expected =
            *before - db_number(db, "SELECT freelist_count*page_size FROM "
                                    "pragma_freelist_count,pragma_page_size");
        (void)unlink(vacuum->name);
        status = vacuum_into(db, path, vacuum);
    }
    /* The last one to close takes the log away. */
    sqlite3_close(db);
    if (status == LLMLAB_OK) {
        (void)chmod(vacuum->name, 0600);
        status = put_in_place(vacuum->name, path);
    }
    if (status == LLMLAB_OK) {
        *after = stat(path, &file) == 0 ? file.st_size : 0;
    } else {
        (void)unlink(vacuum->name);
    }
    return status;
}

llmlab_status_t
llmlab__sqlite_compact(const char *path, llmlab__progress_fn progress,
                       void *payload, int64_t *before, int64_t *after)
{
    char name[PATH_SIZE];
    vacuum_t vacuum = {.progress = progress, .payload = payload, .name = name};
    int fd;
    llmlab_status_t status;

    if (!path_join(name, path, "-compacted")) {
        return llmlab__fail(LLMLAB_EINVAL, "the path is too long");
    }
    if (access(path, R_OK) != 0) {
        return llmlab__fail(LLMLAB_EIO, "cannot open %s: %s", path,
                            strerror(errno));
    }
    status = llmlab__owner_lock(path, &fd);
    if (status == LLMLAB_OK) {
        status = compact(path, &vacuum, before, after);
        (void)close(fd);
    }
    return status;
}
