/* The people who log in, as an admin of the server sees them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/write.h"
#include "base/clock.h"
#include "http/fields.h"
#include "http/page.h"
#include "services/ticket.h"
#include "store/admin.h"

static void
account_members(llmlab__json_out_t *out, const llmlab__account_t *account)
{
    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, account->id);
    llmlab__json_key(out, "email");
    llmlab__json_put_text(out, account->email);
    llmlab__json_key(out, "name");
    llmlab__json_put_text(out, account->name);
    llmlab__json_key(out, "server_admin");
    llmlab__json_put_bool(out, account->server_admin);
    llmlab__json_key(out, "created_at");
    llmlab__write_time(out, account->created_ns);
    llmlab__json_key(out, "disabled_at");
    llmlab__write_time_or_null(out, account->disabled_ns);
}

static bool
on_account(void *payload, const llmlab__account_t *account)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, account->id)) {
        return false;
    }
    account_members(&page->out, account);
    llmlab__json_end_object(&page->out);
    return true;
}

void
llmlab__api_accounts_list(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__page_t page;

    if (!llmlab__page_read(request, "accounts", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (ops->accounts(request->reader, page.after, page.limit + 1, on_account,
                      &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list accounts");
        return;
    }
    llmlab__page_end(request, &page);
}

/* The account that the path names. False when the reply is set. */
static bool
account_load(llmlab__request_t *request, llmlab__account_t *out)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab_status_t status = LLMLAB_ENOTFOUND;
    int64_t id;

    memset(out, 0, sizeof(*out));
    if (llmlab__request_id(request, 0, &id)) {
        status = ops->account_get(request->reader, id, out);
    }
    return status == LLMLAB_OK ||
           (status == LLMLAB_ENOTFOUND
                ? llmlab__reply_refuse(request, 404, "no-such-account",
                                       "No such account", NULL,
                                       "no account has this id")
                : llmlab__reply_failure(request, "cannot read an account"));
}

void
llmlab__api_account_patch(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__account_t account;
    const char *name = NULL;
    bool disabled = false;
    bool admin = false;
    bool has_disabled;
    bool has_admin;
    const llmlab__field_t fields[] = {
        {.name = "name", .high = LLMLAB__NAME_SIZE, .out = &name},
        {.name = "disabled",
         .type = LLMLAB__FIELD_BOOL,
         .out = &disabled,
         .present = &has_disabled},
        {.name = "server_admin",
         .type = LLMLAB__FIELD_BOOL,
         .out = &admin,
         .present = &has_admin}};
    llmlab__json_out_t out;

    if (!account_load(request, &account) ||
        !llmlab__request_if_match(request, account.version) ||
        !llmlab__request_fields(request, fields, 3)) {
        return;
    }
    if (account.id == request->caller.account &&
        ((has_disabled && disabled) || (has_admin && !admin))) {
        llmlab__reply_refuse(request, 409, "yourself",
                             "You would lock yourself out", NULL,
                             "another admin of the server can do this");
        return;
    }
    if (name != NULL) {
        (void)snprintf(account.name, sizeof(account.name), "%s", name);
    }
    if (has_disabled) {
        account.disabled_ns = disabled ? llmlab__clock_real_ns() : 0;
    }
    if (has_admin) {
        account.server_admin = admin;
    }
    account.version++;
    if (ops->account_update(request->changer, &account) != LLMLAB_OK ||
        (account.disabled_ns != 0 &&
         ops->sessions_remove(request->changer, account.id) != LLMLAB_OK)) {
        llmlab__reply_failure(request, "cannot change an account");
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    account_members(&out, &account);
    llmlab__json_end_object(&out);
    llmlab__reply_version(request, account.version);
    (void)llmlab__change_audit(request, "account.update", account.email, NULL);
}

/* A token for a new password, shown once; who asks hands it over. */
void
llmlab__api_account_reset(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__ticket_t ticket = {.kind = LLMLAB__TICKET_RESET,
                               .created_ns = llmlab__clock_real_ns()};
    char token[LLMLAB__TICKET_TEXT];
    llmlab__account_t account;
    llmlab__json_out_t out;

    if (!account_load(request, &account)) {
        return;
    }
    ticket.account = account.id;
    memcpy(ticket.email, account.email, sizeof(ticket.email));
    ticket.expires_ns = ticket.created_ns + LLMLAB__TICKET_NS;
    llmlab__ticket_make(token, ticket.hash);
    if (ops->ticket_add(request->changer, &ticket) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot make a token");
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "token");
    llmlab__json_put_text(&out, token);
    llmlab__json_key(&out, "expires_at");
    llmlab__write_time(&out, ticket.expires_ns);
    llmlab__json_end_object(&out);
    request->reply.status = 201;
    (void)llmlab__change_audit(request, "account.reset", account.email, NULL);
}
