/* How somebody gets in without a session: the first account, an invitation, a
 * reset. Each needs a token that is good once. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "api/api.h"
#include "api/auth.h"
#include "base/clock.h"
#include "http/fields.h"
#include "services/names.h"
#include "services/password.h"
#include "services/ticket.h"
#include "store/admin.h"

static bool
no_such_token(llmlab__request_t *request)
{
    return llmlab__reply_refuse(request, 400, "no-such-token",
                                "The token is not good", "token",
                                "it was used, is over, or never was");
}

static bool
hash_password(llmlab__request_t *request, const char *password,
              char out[LLMLAB__PASSWORD_TEXT])
{
    return llmlab__password_hash(password, out) ||
           llmlab__reply_refuse(request, 503, "busy", "No memory", NULL,
                                "try again");
}

static void
reader_end(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;

    store->ops->release(store, request->reader);
    request->reader = NULL;
}

static void
caller_set(llmlab__request_t *request, const llmlab__account_t *account)
{
    request->caller.account = account->id;
    (void)snprintf(request->caller.name, sizeof(request->caller.name), "%s",
                   account->email);
}

/* Within a change. */
static void
setup_commit(llmlab__request_t *request, llmlab__account_t *account)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    int64_t count;

    if (ops->account_count(request->reader, &count) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot count accounts");
    } else if (count != 0) {
        (void)no_such_token(request);
    } else if (ops->account_add(request->changer, account) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot make an account");
    } else {
        caller_set(request, account);
        if (llmlab__session_begin(request, account) &&
            llmlab__change_audit(request, "auth.setup", account->email, NULL)) {
            request->reply.status = 201;
        }
    }
}

/* The first account: an admin of the server. */
void
llmlab__api_setup(llmlab__request_t *request)
{
    llmlab__server_t *server = request->server;
    llmlab__account_t account = {.server_admin = true};
    unsigned char hash[LLMLAB__HASH_SIZE];
    const char *token = NULL;
    const char *email = NULL;
    const char *name = "";
    const char *password = NULL;
    const llmlab__field_t fields[] = {
        {.name = "token",
         .required = true,
         .low = 1,
         .high = 64,
         .out = &token},
        {.name = "email",
         .required = true,
         .low = 3,
         .high = LLMLAB__EMAIL_SIZE,
         .out = &email},
        {.name = "name", .high = LLMLAB__NAME_SIZE, .out = &name},
        {.name = "password",
         .required = true,
         .low = LLMLAB__PASSWORD_MIN,
         .high = LLMLAB__PASSWORD_MAX,
         .out = &password}};

    if (!llmlab__request_fields(request, fields, 4)) {
        return;
    }
    if (!llmlab__email_read(email, account.email)) {
        llmlab__reply_refuse(request, 400, "bad-field",
                             "A field of the body is wrong", "email",
                             "email: an e-mail address is needed");
        return;
    }
    llmlab__ticket_hash(token, hash);
    if (!atomic_load(&server->setup_open) ||
        sodium_memcmp(hash, server->setup_token, sizeof(hash)) != 0) {
        (void)no_such_token(request);
        return;
    }
    (void)snprintf(account.name, sizeof(account.name), "%s", name);
    if (!hash_password(request, password, account.password)) {
        return;
    }
    reader_end(request);
    if (llmlab__change_begin(request)) {
        setup_commit(request, &account);
        llmlab__change_end(request);
    }
    if (request->reply.status == 201) {
        atomic_store(&server->setup_open, false);
    }
}

/* What a token lets do; it is not used up yet. The password is hashed before
 * the change begins, and for nobody without a token. False when the reply is
 * set. */
static bool
ticket_look(llmlab__request_t *request, const unsigned char *hash,
            llmlab__ticket_t *ticket, llmlab__account_t *account)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab_status_t status = ops->ticket_find(request->reader, hash, ticket);

    if (status == LLMLAB_ENOTFOUND) {
        return no_such_token(request);
    }
    if (status == LLMLAB_OK) {
        status = ops->account_find(request->reader, ticket->email, account);
    }
    reader_end(request);
    return status == LLMLAB_OK || status == LLMLAB_ENOTFOUND ||
           llmlab__reply_failure(request, "cannot look up a token");
}

/* Within a change: use the token up and do what it allows. */
static bool
ticket_use(llmlab__request_t *request, const unsigned char *hash,
           llmlab__ticket_t *ticket, llmlab__account_t *account,
           const char *action)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__member_t member = {.project = 0};
    llmlab_status_t status = ops->ticket_take(request->changer, hash, ticket);

    if (status == LLMLAB_ENOTFOUND) {
        return no_such_token(request);
    }
    if (status == LLMLAB_OK) {
        status = account->id == 0
                     ? ops->account_add(request->changer, account)
                     : ops->account_update(request->changer, account);
    }
    if (status == LLMLAB_OK && ticket->kind == LLMLAB__TICKET_RESET) {
        status = ops->sessions_remove(request->changer, account->id);
    }
    if (status == LLMLAB_OK && ticket->project != 0) {
        member.project = ticket->project;
        member.role = ticket->role;
        member.account = *account;
        status = ops->member_add(request->changer, &member);
        /* Who is a member already stays what they are. */
        status = status == LLMLAB_EINVAL ? LLMLAB_OK : status;
    }
    if (status != LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot use a token");
    }
    caller_set(request, account);
    request->project.id = ticket->project;
    return llmlab__session_begin(request, account) &&
           llmlab__change_audit(request, action, account->email, NULL);
}

/* Who has an account proves it by its password; who has none gets one. */
void
llmlab__api_accept(llmlab__request_t *request)
{
    llmlab__account_t account = {.id = 0};
    llmlab__ticket_t ticket;
    unsigned char hash[LLMLAB__HASH_SIZE];
    const char *token = NULL;
    const char *name = "";
    const char *password = NULL;
    const llmlab__field_t fields[] = {
        {.name = "token",
         .required = true,
         .low = 1,
         .high = 64,
         .out = &token},
        {.name = "name", .high = LLMLAB__NAME_SIZE, .out = &name},
        {.name = "password",
         .required = true,
         .low = LLMLAB__PASSWORD_MIN,
         .high = LLMLAB__PASSWORD_MAX,
         .out = &password}};

    if (!llmlab__request_fields(request, fields, 3)) {
        return;
    }
    llmlab__ticket_hash(token, hash);
    if (!ticket_look(request, hash, &ticket, &account)) {
        return;
    }
    if (ticket.kind != LLMLAB__TICKET_INVITATION) {
        (void)no_such_token(request);
        return;
    }
    if (account.id == 0) {
        memcpy(account.email, ticket.email, sizeof(account.email));
        (void)snprintf(account.name, sizeof(account.name), "%s", name);
        if (!hash_password(request, password, account.password)) {
            return;
        }
    } else if (account.disabled_ns != 0 ||
               !llmlab__password_check(account.password, password)) {
        llmlab__reply_refuse(request, 401, "wrong-password",
                             "The password is wrong", "password",
                             "there is an account with this e-mail address: "
                             "its password is needed");
        return;
    }
    if (llmlab__change_begin(request)) {
        if (ticket_use(request, hash, &ticket, &account, "member.accept")) {
            request->reply.status = 201;
        }
        llmlab__change_end(request);
    }
}

/* A new password for who cannot log in. */
void
llmlab__api_reset(llmlab__request_t *request)
{
    llmlab__account_t account = {.id = 0};
    llmlab__ticket_t ticket;
    unsigned char hash[LLMLAB__HASH_SIZE];
    const char *token = NULL;
    const char *password = NULL;
    const llmlab__field_t fields[] = {{.name = "token",
                                       .required = true,
                                       .low = 1,
                                       .high = 64,
                                       .out = &token},
                                      {.name = "password",
                                       .required = true,
                                       .low = LLMLAB__PASSWORD_MIN,
                                       .high = LLMLAB__PASSWORD_MAX,
                                       .out = &password}};

    if (!llmlab__request_fields(request, fields, 2)) {
        return;
    }
    llmlab__ticket_hash(token, hash);
    if (!ticket_look(request, hash, &ticket, &account)) {
        return;
    }
    if (ticket.kind != LLMLAB__TICKET_RESET || account.id == 0 ||
        account.disabled_ns != 0) {
        (void)no_such_token(request);
        return;
    }
    if (hash_password(request, password, account.password) &&
        llmlab__change_begin(request)) {
        (void)ticket_use(request, hash, &ticket, &account, "auth.reset");
        llmlab__change_end(request);
    }
}
