/* llmlab jobs: what a server does by itself, or was asked to do. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/costs.h"
#include "cli/manage.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"state", "S", "only waiting, running, done, dead or cancelled", 0},
    {"kind", "KIND", "only retention, export, erase, ...", 0},
    {"json", NULL, "print the server's JSON; lists: a line each", 0},
    {0}};

static bool
print_job(const cJSON *job)
{
    const char *due = cli_member_text(job, "due_at");
    const char *error = cli_member_text(job, "error");
    char *progress =
        cJSON_PrintUnformatted(llmlab__json_dom_get(job, "progress"));
    char *result = cJSON_PrintUnformatted(llmlab__json_dom_get(job, "result"));

    printf("%s %s: %s\n", cli_member_text(job, "kind"),
           cli_member_text(job, "id"), cli_member_text(job, "state"));
    if (cli_member_text(job, "schedule") != NULL) {
        printf("  schedule  %s\n", cli_member_text(job, "schedule"));
    }
    if (due != NULL) {
        printf("  due       %s\n", due);
    }
    if (cli_member_text(job, "succeeded_at") != NULL) {
        printf("  last done %s\n", cli_member_text(job, "succeeded_at"));
    }
    if (progress != NULL && progress[1] != '}') {
        printf("  progress  %s\n", progress);
    }
    if (result != NULL && result[1] != '}') {
        printf("  result    %s\n", result);
    }
    if (error != NULL) {
        printf("  error     %s\n", error);
    }
    cJSON_free(progress);
    cJSON_free(result);
    return true;
}

static bool
list(cli_manage_t *manage)
{
    cli_remote_begin_server(&manage->remote, "jobs");
    cli_remote_param(&manage->remote, "state",
                     cli_args_get(manage->args, "state"));
    cli_remote_param(&manage->remote, "kind",
                     cli_args_get(manage->args, "kind"));
    return cli_manage_list(
        manage, ">id|kind|state|schedule|due|finished|last done|error",
        "id|kind|state|schedule|due_at|finished_at|succeeded_at|error");
}

static void
begin(cli_manage_t *manage)
{
    cli_remote_begin_server(&manage->remote, "jobs");
    cli_remote_part(&manage->remote, cli_manage_operand(manage, 0));
}

static bool
show(cli_manage_t *manage)
{
    cJSON *job = NULL;
    bool good;

    begin(manage);
    if (cli_args_flag(manage->args, "json")) {
        return cli_manage_get(manage);
    }
    good = cli_remote_get_json(&manage->remote, &job) && print_job(job);
    cJSON_Delete(job);
    return good;
}

static bool
run_job(cli_manage_t *manage)
{
    begin(manage);
    cli_remote_part(&manage->remote, "run");
    return cli_manage_send(manage, "POST", print_job);
}

static bool
cancel(cli_manage_t *manage)
{
    begin(manage);
    cli_remote_part(&manage->remote, "cancel");
    return cli_manage_send(manage, "POST", print_job);
}

static bool
schedule(cli_manage_t *manage)
{
    begin(manage);
    cli_manage_text(manage, "schedule", cli_manage_operand(manage, 1));
    return cli_manage_send(manage, "PATCH", print_job);
}

static const cli_verb_t verbs[] = {{"list", "", list},
                                   {"show", "ID", show},
                                   {"run", "ID", run_job},
                                   {"cancel", "ID", cancel},
                                   {"schedule", "ID CRON", schedule},
                                   {0}};

static int
run(const cli_args_t *args)
{
    return cli_manage_run(args, "jobs", verbs);
}

const cli_command_t cli_command_jobs = {
    .name = "jobs",
    .synopsis = "[list | show ID | run ID | cancel ID | schedule ID CRON]",
    .summary = "see and run what a server does by itself",
    .help = "list               the latest first (the default)\n"
            "show ID            how far it is, how it ended\n"
            "run ID             now, whatever its state\n"
            "cancel ID          stop it, until it is run by hand\n"
            "schedule ID CRON   \"7 * * * *\", UTC; \"\" takes it away\n"
            "\n"
            "A dead job has used up its attempts: its error tells why.\n",
    .options = options,
    .run = run,
};
