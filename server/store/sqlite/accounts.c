/* People who log in: accounts, what they are members of, sessions, and the
 * tickets that let somebody in once. */
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/status.h"
#include "store/sqlite/admin.h"

/* No session lives as long as this. */
#define FORGET_NS (INT64_C(86400) * 1000000000)

static void
account_read(sqlite3_stmt *sql, llmlab__account_t *out)
{
    memset(out, 0, sizeof(*out));
    out->id = sqlite3_column_int64(sql, 0);
    llmlab__column_copy(sql, 1, out->uuid, sizeof(out->uuid));
    llmlab__column_copy(sql, 2, out->email, sizeof(out->email));
    llmlab__column_copy(sql, 3, out->name, sizeof(out->name));
    llmlab__column_copy(sql, 4, out->password, sizeof(out->password));
    out->server_admin = sqlite3_column_int(sql, 5) != 0;
    out->disabled_ns = sqlite3_column_int64(sql, 6);
    out->created_ns = sqlite3_column_int64(sql, 7);
    out->version = sqlite3_column_int64(sql, 8);
}

llmlab_status_t
llmlab__sqlite_account_get(llmlab__reader_t *reader, int64_t id,
                           llmlab__account_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_ACCOUNT_GET);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_int64(sql, 1, id);
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        account_read(sql, out);
    }
    sqlite3_reset(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_account_find(llmlab__reader_t *reader, const char *email,
                            llmlab__account_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql = llmlab__query(connection,
                                      "SELECT " LLMLAB__ACCOUNT_COLUMNS
                                      " FROM account a WHERE a.email=?",
                                      "t", email);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        account_read(sql, out);
    }
    sqlite3_finalize(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_accounts(llmlab__reader_t *reader, int64_t after, size_t limit,
                        llmlab__account_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status;
    sqlite3_stmt *sql =
        llmlab__query(connection,
                      "SELECT " LLMLAB__ACCOUNT_COLUMNS " FROM account a WHERE "
                      "a.id>? ORDER BY a.id LIMIT ?",
                      "ii", after, (int64_t)limit);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__account_t account;

        account_read(sql, &account);
        if (!visit(payload, &account)) {
            break;
        }
    }
    return llmlab__walk_end(sql, status);
}

static llmlab_status_t
count(llmlab__connection_t *connection, sqlite3_stmt *sql, int64_t *out)
{
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    *out = sqlite3_column_int64(sql, 0);
    sqlite3_finalize(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_account_count(llmlab__reader_t *reader, int64_t *out)
{
    llmlab__connection_t *connection = &reader->connection;

    return count(connection,
                 llmlab__query(connection, "SELECT count(*) FROM account", ""),
                 out);
}

llmlab_status_t
llmlab__sqlite_account_add(llmlab__reader_t *changer,
                           llmlab__account_t *account)
{
    llmlab__connection_t *connection = &changer->connection;
    llmlab_status_t status;

    llmlab__uuid7(account->uuid);
    account->created_ns = llmlab__clock_real_ns();
    account->version = 1;
    status = llmlab__execute(
        connection,
        "INSERT INTO account(uuid,email,name,password,server_admin,created_ns) "
        "VALUES(?,?,?,?,?,?)",
        "ttttii", account->uuid, account->email, account->name,
        account->password, (int64_t)account->server_admin, account->created_ns);
    account->id = sqlite3_last_insert_rowid(connection->db);
    return status;
}

llmlab_status_t
llmlab__sqlite_account_update(llmlab__reader_t *changer,
                              const llmlab__account_t *account)
{
    return llmlab__execute_one(
        &changer->connection,
        "UPDATE account SET name=?2,password=?3,server_admin=?4,disabled_ns=?5,"
        "version=version+1 WHERE id=?1",
        "ittin", account->id, account->name, account->password,
        (int64_t)account->server_admin, account->disabled_ns);
}

llmlab_status_t
llmlab__sqlite_member_get(llmlab__reader_t *reader, int64_t project,
                          int64_t account, llmlab__member_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_MEMBER_ROLE);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    memset(out, 0, sizeof(*out));
    sqlite3_bind_int64(sql, 1, project);
    sqlite3_bind_int64(sql, 2, account);
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        out->project = project;
        out->role = (llmlab__role_t)sqlite3_column_int(sql, 0);
        out->since_ns = sqlite3_column_int64(sql, 1);
        out->version = sqlite3_column_int64(sql, 2);
    }
    sqlite3_reset(sql);
    return status == LLMLAB_OK
               ? llmlab__sqlite_account_get(reader, account, &out->account)
               : status;
}

llmlab_status_t
llmlab__sqlite_members(llmlab__reader_t *reader, int64_t project, int64_t after,
                       size_t limit, llmlab__member_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT " LLMLAB__ACCOUNT_COLUMNS ",m.role,m.created_ns,m.version "
        "FROM member m JOIN account a ON a.id=m.account WHERE m.project=? AND "
        "m.account>? ORDER BY m.account LIMIT ?",
        "iii", project, after, (int64_t)limit);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__member_t member = {.project = project};

        account_read(sql, &member.account);
        member.role = (llmlab__role_t)sqlite3_column_int(sql, 9);
        member.since_ns = sqlite3_column_int64(sql, 10);
        member.version = sqlite3_column_int64(sql, 11);
        if (!visit(payload, &member)) {
            break;
        }
    }
    return llmlab__walk_end(sql, status);
}

llmlab_status_t
llmlab__sqlite_member_add(llmlab__reader_t *changer,
                          const llmlab__member_t *member)
{
    return llmlab__execute(
        &changer->connection,
        "INSERT INTO member(project,account,role,created_ns) VALUES(?,?,?,?)",
        "iiii", member->project, member->account.id, (int64_t)member->role,
        llmlab__clock_real_ns());
}

llmlab_status_t
llmlab__sqlite_member_update(llmlab__reader_t *changer,
                             const llmlab__member_t *member)
{
    return llmlab__execute_one(&changer->connection,
                               "UPDATE member SET role=?3,version=version+1 "
                               "WHERE project=?1 AND account=?2",
                               "iii", member->project, member->account.id,
                               (int64_t)member->role);
}

llmlab_status_t
llmlab__sqlite_member_remove(llmlab__reader_t *changer, int64_t project,
                             int64_t account)
{
    return llmlab__execute_one(
        &changer->connection,
        "DELETE FROM member WHERE project=? AND account=?", "ii", project,
        account);
}

llmlab_status_t
llmlab__sqlite_owner_count(llmlab__reader_t *reader, int64_t project,
                           int64_t *out)
{
    llmlab__connection_t *connection = &reader->connection;

    return count(connection,
                 llmlab__query(connection,
                               "SELECT count(*) FROM member WHERE project=? "
                               "AND role=?",
                               "ii", project, (int64_t)LLMLAB__ROLE_OWNER),
                 out);
}

llmlab_status_t
llmlab__sqlite_session_get(llmlab__reader_t *reader,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__session_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    sqlite3_stmt *sql =
        llmlab__connection_sql(connection, LLMLAB__SQL_SESSION_GET);
    llmlab_status_t status;

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    sqlite3_bind_blob(sql, 1, hash, LLMLAB__HASH_SIZE, SQLITE_STATIC);
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK &&
        sqlite3_column_bytes(sql, 0) == LLMLAB__HASH_SIZE) {
        memcpy(out->hash, sqlite3_column_blob(sql, 0), LLMLAB__HASH_SIZE);
        out->account = sqlite3_column_int64(sql, 1);
        out->created_ns = sqlite3_column_int64(sql, 2);
        out->seen_ns = sqlite3_column_int64(sql, 3);
    }
    sqlite3_reset(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_session_add(llmlab__reader_t *changer,
                           const llmlab__session_t *session)
{
    llmlab_status_t status = llmlab__execute(
        &changer->connection, "DELETE FROM session WHERE created_ns<?", "i",
        session->created_ns - FORGET_NS);

    return status != LLMLAB_OK
               ? status
               : llmlab__execute(
                     &changer->connection,
                     "INSERT INTO session(hash,account,created_ns,seen_ns) "
                     "VALUES(?,?,?,?)",
                     "biii", (const void *)session->hash,
                     (size_t)LLMLAB__HASH_SIZE, session->account,
                     session->created_ns, session->seen_ns);
}

llmlab_status_t
llmlab__sqlite_session_seen(llmlab__reader_t *changer,
                            const unsigned char hash[LLMLAB__HASH_SIZE],
                            int64_t at_ns)
{
    return llmlab__execute(
        &changer->connection,
        "UPDATE session SET seen_ns=max(seen_ns,?2) WHERE hash=?1", "bi",
        (const void *)hash, (size_t)LLMLAB__HASH_SIZE, at_ns);
}

llmlab_status_t
llmlab__sqlite_session_remove(llmlab__reader_t *changer,
                              const unsigned char hash[LLMLAB__HASH_SIZE])
{
    return llmlab__execute_one(&changer->connection,
                               "DELETE FROM session WHERE hash=?", "b",
                               (const void *)hash, (size_t)LLMLAB__HASH_SIZE);
}

llmlab_status_t
llmlab__sqlite_sessions_remove(llmlab__reader_t *changer, int64_t account)
{
    return llmlab__execute(&changer->connection,
                           "DELETE FROM session WHERE account=?", "i", account);
}

#define TICKET_COLUMNS \
    "hash,kind,id,project,account,email,role,created_ns,expires_ns"

static void
ticket_read(sqlite3_stmt *sql, llmlab__ticket_t *out)
{
    memset(out, 0, sizeof(*out));
    if (sqlite3_column_bytes(sql, 0) == LLMLAB__HASH_SIZE) {
        memcpy(out->hash, sqlite3_column_blob(sql, 0), LLMLAB__HASH_SIZE);
    }
    out->kind = (llmlab__ticket_kind_t)sqlite3_column_int(sql, 1);
    out->id = sqlite3_column_int64(sql, 2);
    out->project = sqlite3_column_int64(sql, 3);
    out->account = sqlite3_column_int64(sql, 4);
    llmlab__column_copy(sql, 5, out->email, sizeof(out->email));
    out->role = (llmlab__role_t)sqlite3_column_int(sql, 6);
    out->created_ns = sqlite3_column_int64(sql, 7);
    out->expires_ns = sqlite3_column_int64(sql, 8);
}

llmlab_status_t
llmlab__sqlite_tickets(llmlab__reader_t *reader, int64_t project, int64_t after,
                       size_t limit, llmlab__ticket_fn visit, void *payload)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT " TICKET_COLUMNS " FROM ticket WHERE project=? AND id>? AND "
        "kind=? AND expires_ns>? ORDER BY id LIMIT ?",
        "iiiii", project, after, (int64_t)LLMLAB__TICKET_INVITATION,
        llmlab__clock_real_ns(), (int64_t)limit);

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    while ((status = llmlab__query_step(connection, sql)) == LLMLAB_OK) {
        llmlab__ticket_t ticket;

        ticket_read(sql, &ticket);
        if (!visit(payload, &ticket)) {
            break;
        }
    }
    return llmlab__walk_end(sql, status);
}

llmlab_status_t
llmlab__sqlite_ticket_add(llmlab__reader_t *changer, llmlab__ticket_t *ticket)
{
    llmlab__connection_t *connection = &changer->connection;
    sqlite3_stmt *sql =
        llmlab__query(connection,
                      "SELECT coalesce(max(id),0)+1 FROM ticket WHERE "
                      "project=?",
                      "i", ticket->project);
    llmlab_status_t status = count(connection, sql, &ticket->id);

    /* Those that nobody used in time, and what this one takes the place of. */
    if (status == LLMLAB_OK) {
        status = llmlab__execute(
            connection,
            "DELETE FROM ticket WHERE expires_ns<=? OR (kind=? AND project=? "
            "AND email=?)",
            "iiit", ticket->created_ns, (int64_t)ticket->kind, ticket->project,
            ticket->email);
    }
    return status != LLMLAB_OK
               ? status
               : llmlab__execute(connection,
                                 "INSERT INTO ticket(" TICKET_COLUMNS
                                 ") VALUES(?,?,?,?,?,?,?,?,?)",
                                 "biiiitiii", (const void *)ticket->hash,
                                 (size_t)LLMLAB__HASH_SIZE,
                                 (int64_t)ticket->kind, ticket->id,
                                 ticket->project, ticket->account,
                                 ticket->email, (int64_t)ticket->role,
                                 ticket->created_ns, ticket->expires_ns);
}

llmlab_status_t
llmlab__sqlite_ticket_find(llmlab__reader_t *reader,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__ticket_t *out)
{
    llmlab__connection_t *connection = &reader->connection;
    llmlab_status_t status;
    sqlite3_stmt *sql = llmlab__query(
        connection,
        "SELECT " TICKET_COLUMNS " FROM ticket WHERE hash=? AND expires_ns>?",
        "bi", (const void *)hash, (size_t)LLMLAB__HASH_SIZE,
        llmlab__clock_real_ns());

    if (sql == NULL) {
        return LLMLAB_EIO;
    }
    status = llmlab__query_step(connection, sql);
    if (status == LLMLAB_OK) {
        ticket_read(sql, out);
    }
    sqlite3_finalize(sql);
    return status;
}

llmlab_status_t
llmlab__sqlite_ticket_take(llmlab__reader_t *changer,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__ticket_t *out)
{
    llmlab_status_t status = llmlab__sqlite_ticket_find(changer, hash, out);

    return status != LLMLAB_OK
               ? status
               : llmlab__execute(&changer->connection,
                                 "DELETE FROM ticket WHERE hash=?", "b",
                                 (const void *)hash, (size_t)LLMLAB__HASH_SIZE);
}

llmlab_status_t
llmlab__sqlite_ticket_remove(llmlab__reader_t *changer, int64_t project,
                             int64_t id)
{
    return llmlab__execute_one(&changer->connection,
                               "DELETE FROM ticket WHERE project=? AND id=?",
                               "ii", project, id);
}
