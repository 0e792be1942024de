/* Statements that are needed too seldom to be kept. Values are bound by a
 * format: i int64_t, n int64_t (0 is NULL), t const char * (NULL is NULL),
 * b const void * and size_t. */
#ifndef LLMLAB_STORE_QUERY_H
#define LLMLAB_STORE_QUERY_H

#include "store/sqlite/sqlite_store.h"

/* Prepare and bind; the caller steps and finalizes. NULL with the detail
 * set. */
sqlite3_stmt *llmlab__query(llmlab__connection_t *connection, const char *text,
                            const char *format, ...);
/* Prepare, bind, step to the end. */
llmlab_status_t llmlab__execute(llmlab__connection_t *connection,
                                const char *text, const char *format, ...);
/* As above; LLMLAB_ENOTFOUND when no row was changed. */
llmlab_status_t llmlab__execute_one(llmlab__connection_t *connection,
                                    const char *text, const char *format, ...);
/* LLMLAB_OK at a row, LLMLAB_ENOTFOUND at the end. */
llmlab_status_t llmlab__query_step(llmlab__connection_t *connection,
                                   sqlite3_stmt *statement);
/* A column's text in memory of fixed size, cut if need be. */
void llmlab__column_copy(sqlite3_stmt *statement, int column, char *out,
                         size_t capacity);

#endif
