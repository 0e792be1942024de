/* Who may what in a project, and who is invited. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/write.h"
#include "base/clock.h"
#include "http/fields.h"
#include "http/page.h"
#include "services/names.h"
#include "services/ticket.h"
#include "store/admin.h"

/* By llmlab__role_t. */
static const char *const role_names[] = {"",      "viewer", "member",
                                         "admin", "owner",  NULL};

static void
member_members(llmlab__json_out_t *out, const llmlab__member_t *member)
{
    llmlab__json_key(out, "account_id");
    llmlab__json_put_int(out, member->account.id);
    llmlab__json_key(out, "email");
    llmlab__json_put_text(out, member->account.email);
    llmlab__json_key(out, "name");
    llmlab__json_put_text(out, member->account.name);
    llmlab__json_key(out, "role");
    llmlab__json_put_text(out, role_names[member->role]);
    llmlab__json_key(out, "since");
    llmlab__write_time(out, member->since_ns);
}

static bool
on_member(void *payload, const llmlab__member_t *member)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, member->account.id)) {
        return false;
    }
    member_members(&page->out, member);
    llmlab__json_end_object(&page->out);
    return true;
}

void
llmlab__api_members_list(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__page_t page;

    /* Who has a read key is to see calls, and not who the people are. */
    if (request->caller.account == 0 && !request->caller.server_admin) {
        llmlab__reply_refuse(request, 403, "forbidden", "This is not allowed",
                             NULL, "this needs a member or an admin key");
        return;
    }
    if (!llmlab__page_read(request, "members", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (ops->members(request->reader, request->project.id, page.after,
                     page.limit + 1, on_member, &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list members");
        return;
    }
    llmlab__page_end(request, &page);
}

static void
invitation_members(llmlab__json_out_t *out, const llmlab__ticket_t *ticket)
{
    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, ticket->id);
    llmlab__json_key(out, "email");
    llmlab__json_put_text(out, ticket->email);
    llmlab__json_key(out, "role");
    llmlab__json_put_text(out, role_names[ticket->role]);
    llmlab__json_key(out, "created_at");
    llmlab__write_time(out, ticket->created_ns);
    llmlab__json_key(out, "expires_at");
    llmlab__write_time(out, ticket->expires_ns);
}

static bool
on_ticket(void *payload, const llmlab__ticket_t *ticket)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, ticket->id)) {
        return false;
    }
    invitation_members(&page->out, ticket);
    llmlab__json_end_object(&page->out);
    return true;
}

void
llmlab__api_invitations_list(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__page_t page;

    if (!llmlab__page_read(request, "invitations", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (ops->tickets(request->reader, request->project.id, page.after,
                     page.limit + 1, on_ticket, &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list invitations");
        return;
    }
    llmlab__page_end(request, &page);
}

/* Who is an owner, or is to be one, is for owners to say. */
static bool
may_handle(llmlab__request_t *request, llmlab__role_t role)
{
    return role < LLMLAB__ROLE_OWNER ||
           request->caller.role >= LLMLAB__ROLE_OWNER ||
           llmlab__reply_refuse(request, 403, "forbidden",
                                "This is not allowed", "role",
                                "this needs the role owner");
}

static bool
member_audit(llmlab__request_t *request, const char *action, const char *email,
             llmlab__role_t role)
{
    llmlab__json_out_t out;
    llmlab__buf_t detail;
    bool good;

    llmlab__buf_init(&detail);
    llmlab__json_out_init(&out, &detail);
    llmlab__json_key(&out, "role");
    llmlab__json_put_text(&out, role_names[role]);
    good = llmlab__change_audit(request, action, email, &detail);
    llmlab__buf_cleanup(&detail);
    return good;
}

/* The token is shown once, here; who invites hands it over. */
void
llmlab__api_invitation_create(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__ticket_t ticket = {.kind = LLMLAB__TICKET_INVITATION,
                               .project = request->project.id,
                               .created_ns = llmlab__clock_real_ns()};
    char token[LLMLAB__TICKET_TEXT];
    const char *email = NULL;
    int role = 0;
    const llmlab__field_t fields[] = {{.name = "email",
                                       .required = true,
                                       .low = 3,
                                       .high = LLMLAB__EMAIL_SIZE,
                                       .out = &email},
                                      {.name = "role",
                                       .type = LLMLAB__FIELD_CHOICE,
                                       .required = true,
                                       .out = &role,
                                       .choices = role_names}};
    llmlab__json_out_t out;

    if (!llmlab__request_fields(request, fields, 2) ||
        !may_handle(request, (llmlab__role_t)role)) {
        return;
    }
    if (!llmlab__email_read(email, ticket.email)) {
        llmlab__reply_refuse(request, 400, "bad-field",
                             "A field of the body is wrong", "email",
                             "email: an e-mail address is needed");
        return;
    }
    ticket.role = (llmlab__role_t)role;
    ticket.expires_ns = ticket.created_ns + LLMLAB__TICKET_NS;
    llmlab__ticket_make(token, ticket.hash);
    if (ops->ticket_add(request->changer, &ticket) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot make an invitation");
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    invitation_members(&out, &ticket);
    llmlab__json_key(&out, "token");
    llmlab__json_put_text(&out, token);
    llmlab__json_end_object(&out);
    request->reply.status = 201;
    (void)member_audit(request, "member.invite", ticket.email, ticket.role);
}

void
llmlab__api_invitation_delete(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab_status_t status = LLMLAB_ENOTFOUND;
    int64_t id;

    if (llmlab__request_id(request, 1, &id)) {
        status = ops->ticket_remove(request->changer, request->project.id, id);
    }
    if (status == LLMLAB_ENOTFOUND) {
        llmlab__reply_refuse(request, 404, "no-such-invitation",
                             "No such invitation", NULL,
                             "the project has no invitation of this id");
        return;
    }
    if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot end an invitation");
        return;
    }
    llmlab__reply_nothing(request);
    (void)llmlab__change_audit(request, "member.uninvite", request->parts[1],
                               NULL);
}

/* The member that the path names. False when the reply is set. */
static bool
member_load(llmlab__request_t *request, llmlab__member_t *out)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab_status_t status = LLMLAB_ENOTFOUND;
    int64_t id;

    memset(out, 0, sizeof(*out));
    if (llmlab__request_id(request, 1, &id)) {
        status = ops->member_get(request->reader, request->project.id, id, out);
    }
    return status == LLMLAB_OK ||
           (status == LLMLAB_ENOTFOUND
                ? llmlab__reply_refuse(request, 404, "no-such-member",
                                       "No such member", NULL,
                                       "the project has no member of this id")
                : llmlab__reply_failure(request, "cannot read a member"));
}

/* A project that had owners is never without one. */
static bool
owner_stays(llmlab__request_t *request, const llmlab__member_t *member)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    int64_t count;

    if (member->role != LLMLAB__ROLE_OWNER) {
        return true;
    }
    if (ops->owner_count(request->reader, request->project.id, &count) !=
        LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot count owners");
    }
    return count > 1 ||
           llmlab__reply_refuse(request, 409, "last-owner",
                                "The project would have no owner", NULL,
                                "make somebody else an owner first");
}

void
llmlab__api_member_patch(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__member_t member;
    int role = 0;
    const llmlab__field_t fields[] = {{.name = "role",
                                       .type = LLMLAB__FIELD_CHOICE,
                                       .required = true,
                                       .out = &role,
                                       .choices = role_names}};
    llmlab__json_out_t out;

    if (!llmlab__request_fields(request, fields, 1) ||
        !member_load(request, &member) ||
        !llmlab__request_if_match(request, member.version) ||
        !may_handle(request, member.role) ||
        !may_handle(request, (llmlab__role_t)role) ||
        (role != LLMLAB__ROLE_OWNER && !owner_stays(request, &member))) {
        return;
    }
    member.role = (llmlab__role_t)role;
    member.version++;
    if (ops->member_update(request->changer, &member) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot change a member");
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    member_members(&out, &member);
    llmlab__json_end_object(&out);
    llmlab__reply_version(request, member.version);
    (void)member_audit(request, "member.update", member.account.email,
                       member.role);
}

void
llmlab__api_member_delete(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__member_t member;

    if (!member_load(request, &member) || !may_handle(request, member.role) ||
        !owner_stays(request, &member)) {
        return;
    }
    if (ops->member_remove(request->changer, request->project.id,
                           member.account.id) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot remove a member");
        return;
    }
    llmlab__reply_nothing(request);
    (void)member_audit(request, "member.remove", member.account.email,
                       member.role);
}
