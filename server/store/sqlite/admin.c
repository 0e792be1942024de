/* Projects and keys, as the API changes them. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/status.h"
#include "store/sqlite/admin.h"

/* Rows that one step of the purge deletes of a table. */
#define PURGE_ROWS "2000"

llmlab_status_t
llmlab__walk_end(sqlite3_stmt *sql, llmlab_status_t status)
{
    sqlite3_finalize(sql);
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static llmlab_status_t
projects(llmlab__reader_t *reader, int64_t account, int64_t after, size_t limit,
         llmlab__project_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT " LLMLAB__PROJECT_COLUMNS " FROM project WHERE id>?1 AND "
        "deleted_ns IS NULL AND (?2=0 OR id IN (SELECT project FROM member "
        "WHERE account=?2)) ORDER BY id LIMIT ?3",
        "iii", after, account, (int64_t)limit);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__project_t project;

        llmlab__project_read(sql, &project);
        if (!visit(payload, &project)) {
            break;
        }
    }
    return llmlab__walk_end(sql, status);
}

/* A slug that another project had before is that project's no longer. */
static llmlab_status_t
slug_take(llmlab__connection_t *connection, const char *slug)
{
    return llmlab__execute(connection, "DELETE FROM project_slug WHERE slug=?",
                           "t", slug);
}

static llmlab_status_t
project_add(llmlab__reader_t *changer, llmlab__project_t *project)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status = slug_take(connection, project->slug);

    llmlab__uuid7(project->uuid);
    project->created_ns = llmlab__clock_real_ns();
    project->version = 1;
    if (status == LLMLAB_OK) {
        status = llmlab__execute(
            connection,
            "INSERT INTO project(uuid,slug,name,created_ns) VALUES(?,?,?,?)",
            "ttti", project->uuid, project->slug, project->name,
            project->created_ns);
    }
    project->id = sqlite3_last_insert_rowid(connection->db);
    return status;
}

static llmlab_status_t
project_update(llmlab__reader_t *changer, const llmlab__project_t *project)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status = slug_take(connection, project->slug);

    if (status == LLMLAB_OK) {
        status = llmlab__execute(
            connection,
            "INSERT INTO project_slug(slug,project) SELECT slug,id FROM project"
            " WHERE id=? AND slug<>? ON CONFLICT DO UPDATE SET "
            "project=excluded.project",
            "it", project->id, project->slug);
    }
    return status != LLMLAB_OK
               ? status
               : llmlab__execute_one(
                     connection,
                     "UPDATE project SET slug=?2,name=?3,archived_ns=?4,"
                     "version=version+1 WHERE id=?1 AND deleted_ns IS NULL",
                     "ittn", project->id, project->slug, project->name,
                     project->archived_ns);
}

static llmlab_status_t
project_remove(llmlab__reader_t *changer, int64_t id)
{
    static const char *const texts[] = {
        "DELETE FROM project_slug WHERE project=?",
        "DELETE FROM member WHERE project=?",
        "DELETE FROM ticket WHERE project=?",
        "DELETE FROM provider_account WHERE project=?",
        "DELETE FROM price WHERE project=?"};
    llmlab__connection_t *connection = &changer->connection;
    int64_t now = llmlab__clock_real_ns();
    llmlab_status_t status = llmlab__execute_one(
        connection,
        "UPDATE project SET deleted_ns=?2,slug=uuid WHERE id=?1 AND "
        "deleted_ns IS NULL",
        "ii", id, now);

    for (size_t i = 0;
         i < sizeof(texts) / sizeof(texts[0]) && status == LLMLAB_OK; i++) {
        status = llmlab__execute(connection, texts[i], "i", id);
    }
    return status != LLMLAB_OK
               ? status
               : llmlab__execute(connection,
                                 "UPDATE api_key SET revoked_ns="
                                 "coalesce(revoked_ns,?2) WHERE project=?1",
                                 "ii", id, now);
}

/* Delete some rows of the project in a table, by its primary key. */
static llmlab_status_t
purge_table(llmlab__connection_t *connection, const char *table,
            const char *columns, int64_t project)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s WHERE "
                   "project=? LIMIT " PURGE_ROWS ")",
                   table, columns, columns, table);
    return llmlab__execute(connection, text, "i", project);
}

/* Every table that has rows of projects says so by a column `project`. The
 * audit log stays, and so do the revoked keys: their numbers must not be given
 * to others. */
static llmlab_status_t
purge_project(llmlab__connection_t *connection, int64_t project,
              int *out_changes)
{
    int before = sqlite3_total_changes(connection->db);
    llmlab_status_t status = llmlab__execute(
        connection,
        "DELETE FROM received WHERE instance IN (SELECT id FROM instance WHERE "
        "project=? ORDER BY project LIMIT 200)",
        "i", project);
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT m.name,(SELECT group_concat(name) FROM "
        "pragma_table_info(m.name) WHERE pk>0) FROM sqlite_schema m WHERE "
        "m.type='table' AND m.name NOT IN ('audit','api_key','instance') AND "
        "EXISTS "
        "(SELECT 1 FROM pragma_table_info(m.name) WHERE name='project')",
        "");

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while (status == LLMLAB_OK &&
           (status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        status =
            purge_table(connection, (const char *)sqlite3_column_text(sql, 0),
                        (const char *)sqlite3_column_text(sql, 1), project);
    }
    status = llmlab__walk_end(sql, status);
    if (status == LLMLAB_OK) {
        status = llmlab__execute(
            connection,
            "DELETE FROM instance WHERE id IN (SELECT id FROM instance i WHERE "
            "project=? AND NOT EXISTS (SELECT 1 FROM received WHERE "
            "instance=i.id) LIMIT " PURGE_ROWS ")",
            "i", project);
    }
    *out_changes = sqlite3_total_changes(connection->db) - before;
    return status;
}

static llmlab_status_t
purge(llmlab__reader_t *changer, bool *out_more)
{
    llmlab__connection_t *connection = &changer->connection;
    sqlite3_stmt *sql = llmlab__query(
        connection, "SELECT id FROM project WHERE deleted_ns>0 LIMIT 1", "");
    llmlab_status_t status;
    int64_t project = 0;
    int changes = 0;

    *out_more = false;
    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        project = sqlite3_column_int64(sql, 0);
    }
    sqlite3_finalize(sql);
    if (status != LLMLAB_OK) {
        return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
    }
    *out_more = true;
    status = purge_project(connection, project, &changes);
    if (status == LLMLAB_OK && changes == 0) {
        /* The row stays: a number that another project got would find in the
         * writer's memory, in audit log and tokens what was this one's. */
        status = llmlab__execute(connection,
                                 "UPDATE project SET deleted_ns=-deleted_ns,"
                                 "name='' WHERE id=?",
                                 "i", project);
    }
    return status;
}

static llmlab_status_t
key_get(llmlab__reader_t *reader, int64_t project, int64_t id,
        llmlab__key_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT " LLMLAB__KEY_COLUMNS " FROM api_key k JOIN project p ON "
        "p.id=k.project WHERE k.id=?1 AND (?2=0 OR k.project=?2) AND "
        "p.deleted_ns IS NULL",
        "ii", id, project);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        llmlab__key_read(sql, out);
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
keys(llmlab__reader_t *reader, int64_t project, int64_t after, size_t limit,
     llmlab__key_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT " LLMLAB__KEY_COLUMNS " FROM api_key k JOIN project p ON "
        "p.id=k.project WHERE (?1=0 OR k.project=?1) AND k.id>?2 AND "
        "p.deleted_ns IS NULL ORDER BY k.id LIMIT ?3",
        "iii", project, after, (int64_t)limit);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__key_t key;

        llmlab__key_read(sql, &key);
        if (!visit(payload, &key)) {
            break;
        }
    }
    return llmlab__walk_end(sql, status);
}

static llmlab_status_t
key_add(llmlab__reader_t *changer, llmlab__key_t *key)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status = llmlab__execute(
        connection,
        "INSERT INTO api_key(project,name,scope,hash,hint,created_ns,"
        "expires_ns,requests_minute,rotated_from,created_by) "
        "VALUES(?,?,?,?,?,?,?,?,?,?)",
        "itibtinnnt", key->project, key->name, (int64_t)key->scope,
        (const void *)key->hash, (size_t)LLMLAB__HASH_SIZE, key->hint,
        key->created_ns, key->expires_ns, key->requests_minute,
        key->rotated_from, key->created_by);

    key->id = sqlite3_last_insert_rowid(connection->db);
    key->version = 1;
    return status;
}

static llmlab_status_t
key_update(llmlab__reader_t *changer, const llmlab__key_t *key)
{
    return llmlab__execute_one(
        &changer->connection,
        "UPDATE api_key SET name=?3,expires_ns=?4,revoked_ns=?5,"
        "requests_minute=?6,version=version+1 WHERE id=?1 AND project=?2",
        "iitnnn", key->id, key->project, key->name, key->expires_ns,
        key->revoked_ns, key->requests_minute);
}

static llmlab_status_t
key_used(llmlab__reader_t *changer, int64_t id, int64_t at_ns)
{
    return llmlab__execute(
        &changer->connection,
        "UPDATE api_key SET last_used_ns=max(coalesce(last_used_ns,0),?2) "
        "WHERE id=?1",
        "ii", id, at_ns);
}

static llmlab_status_t
setting_get(llmlab__reader_t *reader, const char *name, llmlab__buf_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql = llmlab__query(
        connection, "SELECT value FROM setting WHERE name=?", "t", name);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        llmlab__buf_append(out, sqlite3_column_blob(sql, 0),
                           (size_t)sqlite3_column_bytes(sql, 0));
        status = out->failed ? LLMLAB_ENOMEM : LLMLAB_OK;
    }
    sqlite3_finalize(sql);
    return status;
}

static llmlab_status_t
setting_put(llmlab__reader_t *changer, const char *name, const void *value,
            size_t size)
{
    return llmlab__execute(&changer->connection,
                           "REPLACE INTO setting(name,value) VALUES(?,?)", "tb",
                           name, value, size);
}

const llmlab__admin_ops_t llmlab__sqlite_admin = {
    .projects = projects,
    .project_add = project_add,
    .project_update = project_update,
    .project_remove = project_remove,
    .purge = purge,
    .key_get = key_get,
    .keys = keys,
    .key_add = key_add,
    .key_update = key_update,
    .key_used = key_used,
    .account_get = llmlab__sqlite_account_get,
    .account_find = llmlab__sqlite_account_find,
    .accounts = llmlab__sqlite_accounts,
    .account_count = llmlab__sqlite_account_count,
    .account_add = llmlab__sqlite_account_add,
    .account_update = llmlab__sqlite_account_update,
    .member_get = llmlab__sqlite_member_get,
    .members = llmlab__sqlite_members,
    .member_add = llmlab__sqlite_member_add,
    .member_update = llmlab__sqlite_member_update,
    .member_remove = llmlab__sqlite_member_remove,
    .owner_count = llmlab__sqlite_owner_count,
    .session_get = llmlab__sqlite_session_get,
    .session_add = llmlab__sqlite_session_add,
    .session_seen = llmlab__sqlite_session_seen,
    .session_remove = llmlab__sqlite_session_remove,
    .sessions_remove = llmlab__sqlite_sessions_remove,
    .tickets = llmlab__sqlite_tickets,
    .ticket_add = llmlab__sqlite_ticket_add,
    .ticket_find = llmlab__sqlite_ticket_find,
    .ticket_take = llmlab__sqlite_ticket_take,
    .ticket_remove = llmlab__sqlite_ticket_remove,
    .providers = llmlab__sqlite_providers,
    .provider_get = llmlab__sqlite_provider_get,
    .provider_add = llmlab__sqlite_provider_add,
    .provider_update = llmlab__sqlite_provider_update,
    .provider_remove = llmlab__sqlite_provider_remove,
    .provider_secrets = llmlab__sqlite_provider_secrets,
    .provider_reseal = llmlab__sqlite_provider_reseal,
    .setting_get = setting_get,
    .setting_put = setting_put,
};
