/* llmlab scores: what judges and people say of traces and spans. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/costs.h"
#include "cli/manage.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"trace", "ID", "only scores of this trace (list)", 0},
    {"span", "ID", "of this span", 0},
    {"name", "NAME", "only scores of this name (list, summary)", 0},
    {"source", "NAME", "who or what judges", 0},
    {"start", "TIME", "a date or instant (list, summary)", 0},
    {"end", "TIME", "a date, included, or an instant (list, summary)", 0},
    {"label", "TEXT", "a word for a number (add)", 0},
    {"scorer-version", "TEXT", "of the source (add)", 0},
    {"comment", "TEXT", "why (add)", 0},
    {"id", "ID", "sent again, it is the same score (add)", 0},
    {"json", NULL, "print the server's JSON; lists: a line each", 0},
    {0}};

static void
ask_params(cli_manage_t *manage)
{
    cli_remote_t *remote = &manage->remote;
    const cli_args_t *args = manage->args;

    cli_remote_param(remote, "trace_id", cli_args_get(args, "trace"));
    cli_remote_param(remote, "span_id", cli_args_get(args, "span"));
    cli_remote_param(remote, "name", cli_args_get(args, "name"));
    cli_remote_param(remote, "source", cli_args_get(args, "source"));
    cli_remote_time_param(remote, "start", cli_args_get(args, "start"));
    cli_remote_time_param(remote, "end", cli_args_get(args, "end"));
}

static bool
list(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "scores");
    ask_params(manage);
    return cli_manage_list(
        manage, "id|at|trace|span|name|>value|label|source|version|comment",
        "id|at|trace_id|span_id|name|value|label|source|version|comment");
}

static bool
summary(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "scores/summary");
    ask_params(manage);
    return cli_manage_list(manage, "name|>count|>numeric|>mean",
                           "name|count|numeric|mean");
}

/* A number, true or false as it stands; all else is a text. */
static void
put_value(cli_manage_t *manage, const char *text)
{
    cJSON *value = NULL;

    llmlab__json_key(&manage->out, "value");
    if (llmlab__json_dom_parse(&value, text, strlen(text), 1) == LLMLAB_OK &&
        (cJSON_IsBool(value) || llmlab__json_dom_number(value) != NULL)) {
        llmlab__json_put_raw(&manage->out, text, strlen(text));
    } else {
        llmlab__json_put_text(&manage->out, text);
    }
    cJSON_Delete(value);
}

static bool
print_id(const cJSON *score)
{
    printf("%s\n", cli_member_text(score, "id"));
    return true;
}

static bool
add(cli_manage_t *manage)
{
    const cli_args_t *args = manage->args;

    cli_remote_begin(&manage->remote, "scores");
    cli_manage_text(manage, "trace_id", cli_manage_operand(manage, 0));
    cli_manage_text(manage, "name", cli_manage_operand(manage, 1));
    put_value(manage, cli_manage_operand(manage, 2));
    cli_manage_text(manage, "span_id", cli_args_get(args, "span"));
    cli_manage_text(manage, "label", cli_args_get(args, "label"));
    cli_manage_text(manage, "source", cli_args_get(args, "source"));
    cli_manage_text(manage, "version", cli_args_get(args, "scorer-version"));
    cli_manage_text(manage, "comment", cli_args_get(args, "comment"));
    cli_manage_text(manage, "id", cli_args_get(args, "id"));
    return cli_manage_send(manage, "POST", print_id);
}

static bool
delete_score(cli_manage_t *manage)
{
    cli_remote_begin(&manage->remote, "scores");
    cli_remote_part(&manage->remote, cli_manage_operand(manage, 0));
    return cli_manage_end(manage, "DELETE", "deleted");
}

static const cli_verb_t verbs[] = {{"list", "", list},
                                   {"add", "TRACE NAME VALUE", add},
                                   {"summary", "", summary},
                                   {"delete", "ID", delete_score},
                                   {0}};

static int
run(const cli_args_t *args)
{
    return cli_manage_run(args, "scores", verbs);
}

const cli_command_t cli_command_scores = {
    .name = "scores",
    .synopsis = "[list | add TRACE NAME VALUE | summary | delete ID] [options]",
    .summary = "list, add and sum up scores of traces",
    .help = "list                    scores, latest first (the default)\n"
            "add TRACE NAME VALUE    score a trace, or its --span; prints the\n"
            "                        score's id. VALUE is a number, true,\n"
            "                        false or a word\n"
            "summary                 count and mean of each name\n"
            "delete ID               take one away\n",
    .options = options,
    .run = run,
};
