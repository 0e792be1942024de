/* llmlab members: people and what they may in a project. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/costs.h"
#include "cli/manage.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"json", NULL, "print the server's JSON; lists: a line each", 0},
    {0}};

static bool
print_member(const cJSON *member)
{
    printf("%s is %s\n", cli_member_text(member, "email"),
           cli_member_text(member, "role"));
    return true;
}

/* The token alone on stdout, so that a script can take it. */
static bool
print_invitation(const cJSON *invitation)
{
    fprintf(stderr,
            "hand this token to %s; it is good once, until %s\n"
            "(llmlab login --email %s --invitation TOKEN):\n",
            cli_member_text(invitation, "email"),
            cli_member_text(invitation, "expires_at"),
            cli_member_text(invitation, "email"));
    printf("%s\n", cli_member_text(invitation, "token"));
    return true;
}

static bool
list(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "members");
    return cli_manage_list(manage, "account|e-mail|name|role|since",
                           "account_id|email|name|role|since");
}

static bool
invitations(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "invitations");
    return cli_manage_list(manage, "id|e-mail|role|created|expires",
                           "id|email|role|created_at|expires_at");
}

static bool
invite(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "invitations");
    cli_manage_text(manage, "email", cli_manage_operand(manage, 0));
    cli_manage_text(manage, "role", cli_manage_operand(manage, 1));
    return cli_manage_send(manage, "POST", print_invitation);
}

static bool
uninvite(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "invitations");
    cli_remote_part(&manage->remote, cli_manage_operand(manage, 0));
    return cli_manage_end(manage, "DELETE", "taken back");
}

static void
begin(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "members");
    cli_remote_part(&manage->remote, cli_manage_operand(manage, 0));
}

static bool
role(cli_manage_t *manage)
{
    begin(manage);
    cli_manage_text(manage, "role", cli_manage_operand(manage, 1));
    return cli_manage_send(manage, "PATCH", print_member);
}

static bool
remove_member(cli_manage_t *manage)
{
    begin(manage);
    return cli_manage_end(manage, "DELETE", "removed");
}

static const cli_verb_t verbs[] = {{"list", "", list},
                                   {"invite", "EMAIL ROLE", invite},
                                   {"invitations", "", invitations},
                                   {"uninvite", "ID", uninvite},
                                   {"role", "ACCOUNT ROLE", role},
                                   {"remove", "ACCOUNT", remove_member},
                                   {0}};

static int
run(const cli_args_t *args)
{
    return cli_manage_run(args, "members", verbs);
}

const cli_command_t cli_command_members = {
    .name = "members",
    .synopsis =
        "[list | invite EMAIL ROLE | role ACCOUNT ROLE | ...] [options]",
    .summary = "list, invite and remove the members of a project",
    .help = "list                 who is a member (the default)\n"
            "invite EMAIL ROLE    make a token that lets somebody in, once\n"
            "invitations          who is invited and has not come yet\n"
            "uninvite ID          take an invitation back\n"
            "role ACCOUNT ROLE    give a member another role\n"
            "remove ACCOUNT       remove a member\n"
            "\n"
            "A role is viewer, member, admin or owner.",
    .options = options,
    .run = run,
};
