/* What admin.c's table takes from accounts.c and providers.c. */
#ifndef LLMLAB_STORE_SQLITE_ADMIN_H
#define LLMLAB_STORE_SQLITE_ADMIN_H

#include "store/admin.h"
#include "store/sqlite/query.h"

/* The end of a walk: the end of the rows is no failure. */
llmlab_status_t llmlab__walk_end(sqlite3_stmt *sql, llmlab_status_t status);

llmlab_status_t llmlab__sqlite_account_get(llmlab__reader_t *reader, int64_t id,
                                           llmlab__account_t *out);
llmlab_status_t llmlab__sqlite_account_find(llmlab__reader_t *reader,
                                            const char *email,
                                            llmlab__account_t *out);
llmlab_status_t llmlab__sqlite_accounts(llmlab__reader_t *reader, int64_t after,
                                        size_t limit, llmlab__account_fn visit,
                                        void *payload);
llmlab_status_t llmlab__sqlite_account_count(llmlab__reader_t *reader,
                                             int64_t *out);
llmlab_status_t llmlab__sqlite_account_add(llmlab__reader_t *changer,
                                           llmlab__account_t *account);
llmlab_status_t llmlab__sqlite_account_update(llmlab__reader_t *changer,
                                              const llmlab__account_t *account);
llmlab_status_t llmlab__sqlite_member_get(llmlab__reader_t *reader,
                                          int64_t project, int64_t account,
                                          llmlab__member_t *out);
llmlab_status_t llmlab__sqlite_members(llmlab__reader_t *reader,
                                       int64_t project, int64_t after,
                                       size_t limit, llmlab__member_fn visit,
                                       void *payload);
llmlab_status_t llmlab__sqlite_member_add(llmlab__reader_t *changer,
                                          const llmlab__member_t *member);
llmlab_status_t llmlab__sqlite_member_update(llmlab__reader_t *changer,
                                             const llmlab__member_t *member);
llmlab_status_t llmlab__sqlite_member_remove(llmlab__reader_t *changer,
                                             int64_t project, int64_t account);
llmlab_status_t llmlab__sqlite_owner_count(llmlab__reader_t *reader,
                                           int64_t project, int64_t *out);
llmlab_status_t
llmlab__sqlite_session_get(llmlab__reader_t *reader,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__session_t *out);
llmlab_status_t llmlab__sqlite_session_add(llmlab__reader_t *changer,
                                           const llmlab__session_t *session);
llmlab_status_t
llmlab__sqlite_session_seen(llmlab__reader_t *changer,
                            const unsigned char hash[LLMLAB__HASH_SIZE],
                            int64_t at_ns);
llmlab_status_t
llmlab__sqlite_session_remove(llmlab__reader_t *changer,
                              const unsigned char hash[LLMLAB__HASH_SIZE]);
llmlab_status_t llmlab__sqlite_sessions_remove(llmlab__reader_t *changer,
                                               int64_t account);
llmlab_status_t llmlab__sqlite_tickets(llmlab__reader_t *reader,
                                       int64_t project, int64_t after,
                                       size_t limit, llmlab__ticket_fn visit,
                                       void *payload);
llmlab_status_t llmlab__sqlite_ticket_add(llmlab__reader_t *changer,
                                          llmlab__ticket_t *ticket);
llmlab_status_t
llmlab__sqlite_ticket_find(llmlab__reader_t *reader,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__ticket_t *out);
llmlab_status_t
llmlab__sqlite_ticket_take(llmlab__reader_t *changer,
                           const unsigned char hash[LLMLAB__HASH_SIZE],
                           llmlab__ticket_t *out);
llmlab_status_t llmlab__sqlite_ticket_remove(llmlab__reader_t *changer,
                                             int64_t project, int64_t id);
llmlab_status_t llmlab__sqlite_providers(llmlab__reader_t *reader,
                                         int64_t project, int64_t after,
                                         size_t limit,
                                         llmlab__provider_fn visit,
                                         void *payload);
llmlab_status_t llmlab__sqlite_provider_get(llmlab__reader_t *reader,
                                            int64_t project, int64_t id,
                                            llmlab__provider_fn visit,
                                            void *payload);
llmlab_status_t llmlab__sqlite_provider_add(llmlab__reader_t *changer,
                                            llmlab__provider_t *provider);
llmlab_status_t
llmlab__sqlite_provider_update(llmlab__reader_t *changer,
                               const llmlab__provider_t *provider);
llmlab_status_t llmlab__sqlite_provider_remove(llmlab__reader_t *changer,
                                               int64_t project, int64_t id);
llmlab_status_t llmlab__sqlite_provider_secrets(llmlab__reader_t *reader,
                                                llmlab__provider_fn visit,
                                                void *payload);
llmlab_status_t llmlab__sqlite_provider_reseal(llmlab__reader_t *changer,
                                               int64_t id, const void *secret,
                                               size_t size);

#endif
