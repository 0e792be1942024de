/* What the store keeps of projects, keys, the people who log in, and accounts
 * at providers. Part of the store's interface: store->ops->admin. */
#ifndef LLMLAB_STORE_ADMIN_H
#define LLMLAB_STORE_ADMIN_H

#include "store/store.h"

#define LLMLAB__PASSWORD_TEXT 128

/* A person who logs in. Not a user: that is who an agent serves. */
typedef struct llmlab__account_s {
    int64_t id;
    char uuid[37];
    char email[LLMLAB__EMAIL_SIZE + 1]; /* in lower case */
    char name[LLMLAB__NAME_SIZE + 1];
    char password[LLMLAB__PASSWORD_TEXT]; /* Argon2id; "": none yet */
    bool server_admin;
    int64_t disabled_ns; /* 0: not */
    int64_t created_ns;
    int64_t version;
} llmlab__account_t;

typedef struct llmlab__member_s {
    int64_t project;
    llmlab__role_t role;
    int64_t since_ns;
    int64_t version;
    llmlab__account_t account;
} llmlab__member_t;

typedef struct llmlab__session_s {
    unsigned char hash[LLMLAB__HASH_SIZE];
    int64_t account;
    int64_t created_ns;
    int64_t seen_ns;
} llmlab__session_t;

typedef enum llmlab__ticket_kind_e {
    LLMLAB__TICKET_INVITATION = 1,
    LLMLAB__TICKET_RESET = 2
} llmlab__ticket_kind_t;

/* Lets somebody in once, who has its token. */
typedef struct llmlab__ticket_s {
    unsigned char hash[LLMLAB__HASH_SIZE];
    llmlab__ticket_kind_t kind;
    int64_t id;
    int64_t project; /* 0: of the server */
    int64_t account; /* 0: none yet */
    char email[LLMLAB__EMAIL_SIZE + 1];
    llmlab__role_t role;
    int64_t created_ns;
    int64_t expires_ns;
} llmlab__ticket_t;

typedef enum llmlab__provider_status_e {
    LLMLAB__PROVIDER_UNVERIFIED = 0,
    LLMLAB__PROVIDER_VERIFIED = 1,
    LLMLAB__PROVIDER_ERROR = 2
} llmlab__provider_status_t;

/* An account at a provider. Texts and bytes are borrowed. */
typedef struct llmlab__provider_s {
    int64_t id;
    int64_t project;
    const char *provider;
    const char *name;
    const char *settings; /* a JSON object */
    const void *secret;   /* sealed */
    size_t secret_size;
    const char *hint;
    llmlab__provider_status_t status;
    const char *error_message;
    int64_t verified_ns;
    int64_t created_ns;
    int64_t version;
} llmlab__provider_t;

typedef bool (*llmlab__project_fn)(void *payload,
                                   const llmlab__project_t *project);
typedef bool (*llmlab__account_fn)(void *payload,
                                   const llmlab__account_t *account);
typedef bool (*llmlab__member_fn)(void *payload,
                                  const llmlab__member_t *member);
typedef bool (*llmlab__ticket_fn)(void *payload,
                                  const llmlab__ticket_t *ticket);
typedef bool (*llmlab__provider_fn)(void *payload,
                                    const llmlab__provider_t *provider);

/* Lists go by id, from the one after `after`. add sets the id and is
 * LLMLAB_EINVAL when there is one already; update and remove are
 * LLMLAB_ENOTFOUND when there is none, and a version grows with each update. */
typedef struct llmlab__admin_ops_s {
    /* account 0: all projects; else those it is a member of. */
    llmlab_status_t (*projects)(llmlab__reader_t *reader, int64_t account,
                                int64_t after, size_t limit,
                                llmlab__project_fn visit, void *payload);
    llmlab_status_t (*project_add)(llmlab__reader_t *changer,
                                   llmlab__project_t *project);
    /* A slug that it had before stays known, until another takes it. */
    llmlab_status_t (*project_update)(llmlab__reader_t *changer,
                                      const llmlab__project_t *project);
    /* It is gone at once; what it holds goes bit by bit, by the purge. */
    llmlab_status_t (*project_remove)(llmlab__reader_t *changer, int64_t id);
    /* Delete some thousand rows of removed projects. *out_more: there are
     * more. */
    llmlab_status_t (*purge)(llmlab__reader_t *changer, bool *out_more);

    llmlab_status_t (*key_get)(llmlab__reader_t *reader, int64_t project,
                               int64_t id, llmlab__key_t *out);
    /* project 0: of all projects. */
    llmlab_status_t (*keys)(llmlab__reader_t *reader, int64_t project,
                            int64_t after, size_t limit, llmlab__key_fn visit,
                            void *payload);
    llmlab_status_t (*key_add)(llmlab__reader_t *changer, llmlab__key_t *key);
    /* name, expires_ns, revoked_ns, requests_minute */
    llmlab_status_t (*key_update)(llmlab__reader_t *changer,
                                  const llmlab__key_t *key);
    llmlab_status_t (*key_used)(llmlab__reader_t *changer, int64_t id,
                                int64_t at_ns);

    llmlab_status_t (*account_get)(llmlab__reader_t *reader, int64_t id,
                                   llmlab__account_t *out);
    llmlab_status_t (*account_find)(llmlab__reader_t *reader, const char *email,
                                    llmlab__account_t *out);
    llmlab_status_t (*accounts)(llmlab__reader_t *reader, int64_t after,
                                size_t limit, llmlab__account_fn visit,
                                void *payload);
    /* How many accounts there are. */
    llmlab_status_t (*account_count)(llmlab__reader_t *reader, int64_t *out);
    llmlab_status_t (*account_add)(llmlab__reader_t *changer,
                                   llmlab__account_t *account);
    /* name, password, server_admin, disabled_ns */
    llmlab_status_t (*account_update)(llmlab__reader_t *changer,
                                      const llmlab__account_t *account);

    llmlab_status_t (*member_get)(llmlab__reader_t *reader, int64_t project,
                                  int64_t account, llmlab__member_t *out);
    llmlab_status_t (*members)(llmlab__reader_t *reader, int64_t project,
                               int64_t after, size_t limit,
                               llmlab__member_fn visit, void *payload);
    llmlab_status_t (*member_add)(llmlab__reader_t *changer,
                                  const llmlab__member_t *member);
    /* role */
    llmlab_status_t (*member_update)(llmlab__reader_t *changer,
                                     const llmlab__member_t *member);
    llmlab_status_t (*member_remove)(llmlab__reader_t *changer, int64_t project,
                                     int64_t account);
    llmlab_status_t (*owner_count)(llmlab__reader_t *reader, int64_t project,
                                   int64_t *out);

    llmlab_status_t (*session_get)(llmlab__reader_t *reader,
                                   const unsigned char hash[LLMLAB__HASH_SIZE],
                                   llmlab__session_t *out);
    /* Those that are over for long are forgotten by the way. */
    llmlab_status_t (*session_add)(llmlab__reader_t *changer,
                                   const llmlab__session_t *session);
    llmlab_status_t (*session_seen)(llmlab__reader_t *changer,
                                    const unsigned char hash[LLMLAB__HASH_SIZE],
                                    int64_t at_ns);
    llmlab_status_t (*session_remove)(
        llmlab__reader_t *changer, const unsigned char hash[LLMLAB__HASH_SIZE]);
    /* All of an account. */
    llmlab_status_t (*sessions_remove)(llmlab__reader_t *changer,
                                       int64_t account);

    llmlab_status_t (*tickets)(llmlab__reader_t *reader, int64_t project,
                               int64_t after, size_t limit,
                               llmlab__ticket_fn visit, void *payload);
    llmlab_status_t (*ticket_add)(llmlab__reader_t *changer,
                                  llmlab__ticket_t *ticket);
    llmlab_status_t (*ticket_find)(llmlab__reader_t *reader,
                                   const unsigned char hash[LLMLAB__HASH_SIZE],
                                   llmlab__ticket_t *out);
    /* Find it and take it away: it is used once. */
    llmlab_status_t (*ticket_take)(llmlab__reader_t *changer,
                                   const unsigned char hash[LLMLAB__HASH_SIZE],
                                   llmlab__ticket_t *out);
    llmlab_status_t (*ticket_remove)(llmlab__reader_t *changer, int64_t project,
                                     int64_t id);

    /* Borrowed parts of the provider live until the visit returns. */
    llmlab_status_t (*providers)(llmlab__reader_t *reader, int64_t project,
                                 int64_t after, size_t limit,
                                 llmlab__provider_fn visit, void *payload);
    llmlab_status_t (*provider_get)(llmlab__reader_t *reader, int64_t project,
                                    int64_t id, llmlab__provider_fn visit,
                                    void *payload);
    llmlab_status_t (*provider_add)(llmlab__reader_t *changer,
                                    llmlab__provider_t *provider);
    llmlab_status_t (*provider_update)(llmlab__reader_t *changer,
                                       const llmlab__provider_t *provider);
    llmlab_status_t (*provider_remove)(llmlab__reader_t *changer,
                                       int64_t project, int64_t id);
    /* Every provider of every project. */
    llmlab_status_t (*provider_secrets)(llmlab__reader_t *reader,
                                        llmlab__provider_fn visit,
                                        void *payload);
    llmlab_status_t (*provider_reseal)(llmlab__reader_t *changer, int64_t id,
                                       const void *secret, size_t size);

    /* A value kept under a name. get appends to out. */
    llmlab_status_t (*setting_get)(llmlab__reader_t *reader, const char *name,
                                   llmlab__buf_t *out);
    llmlab_status_t (*setting_put)(llmlab__reader_t *changer, const char *name,
                                   const void *value, size_t size);
} llmlab__admin_ops_t;

#endif
