/* llmlab projects: the tenants of a server. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/costs.h"
#include "cli/manage.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"name", "NAME", "a name for people (create, rename)", 0},
    {"json", NULL, "print the server's JSON; lists: a line each", 0},
    {0}};

static bool
print_project(const cJSON *project)
{
    printf("%s (%s)%s\n", cli_member_text(project, "slug"),
           cli_member_text(project, "id"),
           cli_member_text(project, "archived_at") != NULL ? ", archived" : "");
    return true;
}

static bool
list(cli_manage_t *manage)
{
    cli_remote_begin_server(&manage->remote, "projects");
    return cli_manage_list(manage, "slug|name|id|created|archived",
                           "slug|name|id|created_at|archived_at");
}

static bool
create(cli_manage_t *manage)
{
    cli_remote_begin_server(&manage->remote, "projects");
    cli_manage_text(manage, "slug", cli_manage_operand(manage, 0));
    cli_manage_text(manage, "name", cli_args_get(manage->args, "name"));
    return cli_manage_send(manage, "POST", print_project);
}

static void
begin(cli_manage_t *manage)
{
    cli_remote_begin_server(&manage->remote, "projects");
    cli_remote_part(&manage->remote, cli_manage_operand(manage, 0));
}

static bool
rename_project(cli_manage_t *manage)
{
    begin(manage);
    cli_manage_text(manage, "slug", cli_manage_operand(manage, 1));
    cli_manage_text(manage, "name", cli_args_get(manage->args, "name"));
    return cli_manage_send(manage, "PATCH", print_project);
}

static bool
set_archived(cli_manage_t *manage, bool archived)
{
    begin(manage);
    llmlab__json_key(&manage->out, "archived");
    llmlab__json_put_bool(&manage->out, archived);
    return cli_manage_send(manage, "PATCH", print_project);
}

static bool
archive(cli_manage_t *manage)
{
    return set_archived(manage, true);
}

static bool
restore(cli_manage_t *manage)
{
    return set_archived(manage, false);
}

static bool
delete_project(cli_manage_t *manage)
{
    begin(manage);
    return cli_manage_end(manage, "DELETE", "deleted, with all that it held");
}

static const cli_verb_t verbs[] = {{"list", "", list},
                                   {"create", "SLUG", create},
                                   {"rename", "PROJECT SLUG", rename_project},
                                   {"archive", "PROJECT", archive},
                                   {"restore", "PROJECT", restore},
                                   {"delete", "PROJECT", delete_project},
                                   {0}};

static int
run(const cli_args_t *args)
{
    return cli_manage_run(args, "projects", verbs);
}

const cli_command_t cli_command_projects = {
    .name = "projects",
    .synopsis = "[list | create SLUG | rename PROJECT SLUG | ...] [options]",
    .summary = "list, make, rename, archive and delete projects",
    .help =
        "list                  the projects that you may see (the default)\n"
        "create SLUG           make one\n"
        "rename PROJECT SLUG   the old slug redirects from then on\n"
        "archive PROJECT       it answers, and takes no more calls\n"
        "restore PROJECT       it takes calls again\n"
        "delete PROJECT        an archived one, with all that it holds",
    .options = options,
    .run = run,
};
