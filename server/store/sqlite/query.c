#include "store/sqlite/query.h"

#include <stdarg.h>
#include <string.h>

#include "base/status.h"

static sqlite3_stmt *
prepare(llmlab__connection_t *connection, const char *text, const char *format,
        va_list arguments)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(connection->db, text, -1, &statement, NULL) !=
        SQLITE_OK) {
        (void)llmlab__connection_fail(connection, "prepare a statement");
        return NULL;
    }
    for (int i = 1; *format != '\0'; i++, format++) {
        int64_t number;
        const void *bytes;

        switch (*format) {
        case 'i':
            sqlite3_bind_int64(statement, i, va_arg(arguments, int64_t));
            break;
        case 'n':
            number = va_arg(arguments, int64_t);
            if (number != 0) {
                sqlite3_bind_int64(statement, i, number);
            }
            break;
        case 't':
            sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1,
                              SQLITE_TRANSIENT);
            break;
        default:
            bytes = va_arg(arguments, const void *);
            sqlite3_bind_blob64(statement, i, bytes, va_arg(arguments, size_t),
                                SQLITE_TRANSIENT);
            break;
        }
    }
    return statement;
}

sqlite3_stmt *
llmlab__query(llmlab__connection_t *connection, const char *text,
              const char *format, ...)
{
    sqlite3_stmt *statement;
    va_list arguments;

    va_start(arguments, format);
    statement = prepare(connection, text, format, arguments);
    va_end(arguments);
    return statement;
}

llmlab_status_t
llmlab__query_step(llmlab__connection_t *connection, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW) {
        return LLMLAB_OK;
    }
    return code == SQLITE_DONE
               ? llmlab__fail(LLMLAB_ENOTFOUND, "there is none")
               : llmlab__connection_fail(connection, "read a row");
}

static llmlab_status_t
run(llmlab__connection_t *connection, sqlite3_stmt *statement)
{
    llmlab_status_t status = LLMLAB_EIO;
    int code;

    if (statement == NULL) {
        return LLMLAB_EIO;
    }
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    if (code == SQLITE_DONE) {
        status = LLMLAB_OK;
    } else if (code == SQLITE_CONSTRAINT_UNIQUE ||
               code == SQLITE_CONSTRAINT_PRIMARYKEY) {
        status = llmlab__fail(LLMLAB_EINVAL, "there is one already");
    } else {
        status = llmlab__connection_fail(connection, "change a row");
    }
    sqlite3_finalize(statement);
    return status;
}

llmlab_status_t
llmlab__execute(llmlab__connection_t *connection, const char *text,
                const char *format, ...)
{
    sqlite3_stmt *statement;
    va_list arguments;

    va_start(arguments, format);
    statement = prepare(connection, text, format, arguments);
    va_end(arguments);
    return run(connection, statement);
}

llmlab_status_t
llmlab__execute_one(llmlab__connection_t *connection, const char *text,
                    const char *format, ...)
{
    llmlab_status_t status;
    sqlite3_stmt *statement;
    va_list arguments;

    va_start(arguments, format);
    statement = prepare(connection, text, format, arguments);
    va_end(arguments);
    status = run(connection, statement);
    return status == LLMLAB_OK && sqlite3_changes(connection->db) == 0
               ? llmlab__fail(LLMLAB_ENOTFOUND, "there is none")
               : status;
}

void
llmlab__column_copy(sqlite3_stmt *statement, int column, char *out,
                    size_t capacity)
{
    llmlab__text_t text = llmlab__column_text(statement, column);
    size_t size = text.size < capacity ? text.size : capacity - 1;

    if (text.data != NULL) {
        memcpy(out, text.data, size);
    }
    out[text.data == NULL ? 0 : size] = '\0';
}
