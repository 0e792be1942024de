/* llmlab keys: who may send calls to a project and ask it. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/costs.h"
#include "cli/manage.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"scope", "SCOPE", "ingest, read or admin (create)", 0},
    {"name", "NAME", "what the key is for (create)", 0},
    {"expires", "TIME", "when it ends, as RFC 3339 (create)", 0},
    {"limit", "N", "requests a minute (create)", 0},
    {"overlap", "SECONDS",
     "how long the old one works on (rotate; default: "
     "86400)",
     0},
    {"json", NULL, "print the server's JSON; lists: a line each", 0},
    {0}};

/* The key alone on stdout, so that a script can take it. */
static bool
print_key(const cJSON *key)
{
    fprintf(stderr, "key %s with the scope %s, shown this once:\n",
            cli_member_text(key, "id"), cli_member_text(key, "scope"));
    printf("%s\n", cli_member_text(key, "key"));
    return true;
}

static bool
list(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "keys");
    return cli_manage_list(
        manage, "id|scope|key|name|created|expires|revoked|last used",
        "id|scope|hint|name|created_at|expires_at|revoked_at|last_used_at");
}

static bool
create(cli_manage_t *manage)
{
    const cli_args_t *args = manage->args;
    const char *scope = cli_args_get(args, "scope");
    int64_t limit;

    if (!cli_args_int(args, "limit", 1, 1000000000, 0, &limit)) {
        return false;
    }
    cli_remote_begin(&manage->remote, "keys");
    cli_manage_text(manage, "scope", scope != NULL ? scope : "ingest");
    cli_manage_text(manage, "name", cli_args_get(args, "name"));
    cli_manage_text(manage, "expires_at", cli_args_get(args, "expires"));
    if (limit != 0) {
        llmlab__json_key(&manage->out, "requests_per_minute");
        llmlab__json_put_int(&manage->out, limit);
    }
    return cli_manage_send(manage, "POST", print_key);
}

static void
begin(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "keys");
    cli_remote_part(&manage->remote, cli_manage_operand(manage, 0));
}

static bool
rotate(cli_manage_t *manage)
{
    int64_t overlap;

    if (!cli_args_int(manage->args, "overlap", 0, 2592000, 86400, &overlap)) {
        return false;
    }
    begin(manage);
    cli_remote_part(&manage->remote, "rotate");
    llmlab__json_key(&manage->out, "overlap_seconds");
    llmlab__json_put_int(&manage->out, overlap);
    return cli_manage_send(manage, "POST", print_key);
}

static bool
revoke(cli_manage_t *manage)
{
    begin(manage);
    return cli_manage_end(manage, "DELETE", "revoked");
}

static const cli_verb_t verbs[] = {{"list", "", list},
                                   {"create", "", create},
                                   {"rotate", "ID", rotate},
                                   {"revoke", "ID", revoke},
                                   {0}};

static int
run(const cli_args_t *args)
{
    return cli_manage_run(args, "keys", verbs);
}

const cli_command_t cli_command_keys = {
    .name = "keys",
    .synopsis = "[list | create | rotate ID | revoke ID] [options]",
    .summary = "list, make, rotate and revoke API keys",
    .help =
        "list        the keys of the project (the default)\n"
        "create      make one and print it; --scope is ingest unless given\n"
        "rotate ID   make one in its place, which works on for --overlap\n"
        "revoke ID   end one at once",
    .options = options,
    .run = run,
};
