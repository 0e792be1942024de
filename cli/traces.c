/* llmlab traces: the latest or dearest runs. llmlab trace: one with its
 * steps. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/costs.h"
#include "cli/put.h"
#include "cli/remote.h"
#include "cli/traces.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"dearest", NULL, "dearest first (default: latest first)", 0},
    {"start", "TIME", "a date or instant (default: 29 days before the end)", 0},
    {"end", "TIME", "a date, included, or an instant (default: today)", 0},
    {"agent", "NAME", "only runs of this agent", 0},
    {"model", "NAME", "only runs in which this model was called", 0},
    {"user", "ID", "only runs for this user", 0},
    {"session", "ID", "only runs of this session", 0},
    {"status", "S", "only success, error or cancelled", 0},
    {"name", "NAME", "only runs of this name", 0},
    {"tag", "TAG", "only runs with this tag", 0},
    {"min-cost", "USD", "only runs that cost as much or more", 0},
    {"limit", "N", "at most N (default: 20)", 0},
    {"cursor", "TEXT", "go on where a page ended", 0},
    {"json", NULL, "print the server's JSON", 0},
    {"csv", NULL, "print CSV", 0},
    {0}};

bool
cli_traces_table(cli_table_t *table, const cJSON *list)
{
    const cJSON *rows = llmlab__json_dom_get(list, "data");
    const cJSON *row;

    cli_table_init(table, "trace|start|name|agent|status|>steps|>calls|"
                          ">unpriced|>ms|>cost USD");
    if (!cJSON_IsArray(rows)) {
        fputs("llmlab: the server's answer has an unknown form\n", stderr);
        return false;
    }
    cJSON_ArrayForEach(row, rows)
    {
        static const char *const keys[] = {
            "trace_id", "start", "name",           "agent",       "status",
            "steps",    "calls", "unpriced_calls", "duration_ms", "cost_usd"};

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            const char *text = cli_member_text(row, keys[i]);

            if (i == 1) {
                cli_table_time(table, text);
            } else {
                cli_table_text(table, text);
            }
        }
    }
    return true;
}

static bool
print_list(cli_remote_t *remote, const cli_args_t *args)
{
    cJSON *list = NULL;
    cli_table_t table;
    const char *next;
    bool good;

    if (cli_args_flag(args, "json")) {
        return cli_remote_get(remote) && cli_put_line(&remote->body);
    }
    if (!cli_remote_get_json(remote, &list)) {
        return false;
    }
    good = cli_traces_table(&table, list);
    if (good && cli_args_flag(args, "csv")) {
        good = cli_table_print_csv(&table, stdout);
    } else if (good) {
        good = cli_table_print(&table, stdout);
        next = cli_member_text(list, "next_cursor");
        if (next != NULL) {
            printf("  more: --cursor %s\n", next);
        }
    }
    cli_table_cleanup(&table);
    cJSON_Delete(list);
    return good;
}

static int
run_list(const cli_args_t *args)
{
    static const char *const filters[] = {"agent",  "model", "user", "session",
                                          "status", "name",  "tag"};
    char limit_text[24];
    cli_server_t server;
    cli_remote_t remote;
    int64_t limit;
    bool good;

    if (!cli_args_int(args, "limit", 1, 1000, 20, &limit)) {
        return CLI_MISUSED;
    }
    snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    cli_server_init(&server, args);
    good = cli_remote_open(&remote, &server);
    if (good) {
        cli_remote_begin(&remote, "traces");
        cli_remote_param(&remote, "limit", limit_text);
        if (cli_args_flag(args, "dearest")) {
            cli_remote_param(&remote, "order_by", "cost");
        }
        cli_remote_time_param(&remote, "start", cli_args_get(args, "start"));
        cli_remote_time_param(&remote, "end", cli_args_get(args, "end"));
        for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
            cli_remote_param(&remote, filters[i],
                             cli_args_get(args, filters[i]));
        }
        cli_remote_param(&remote, "min_cost_usd",
                         cli_args_get(args, "min-cost"));
        cli_remote_param(&remote, "cursor", cli_args_get(args, "cursor"));
        good = print_list(&remote, args);
    }
    cli_remote_close(&remote);
    return good ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_traces = {
    .name = "traces",
    .synopsis = "[options]",
    .summary = "list the latest or dearest traces",
    .help = "Prints the traces of a time range, latest first.",
    .options = options,
    .run = run_list,
};

static const cli_option_t trace_options[] = {
    CLI_SERVER_OPTIONS, {"json", NULL, "print the server's JSON", 0}, {0}};

static void
add_step(cli_table_t *table, const cJSON *step, int depth)
{
    static const char *const keys[] = {"type",  "status",     "provider",
                                       "model", "latency_ms", "cost_usd"};
    const char *text = cli_member_text(step, "name");
    char name[256];

    snprintf(name, sizeof(name), "%*s%s", 2 * (depth < 64 ? depth : 64), "",
             text != NULL ? text : "");
    cli_table_text(table, name);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        cli_table_text(table, cli_member_text(step, keys[i]));
    }
}

/* A long trace's steps come by pages. */
static bool
add_pages(cli_remote_t *remote, cli_table_t *table, const char *path)
{
    char cursor[256] = "";
    bool good = true;

    do {
        cJSON *page = NULL;
        const cJSON *step;
        const char *next;

        cli_remote_begin(remote, path);
        cli_remote_part(remote, "steps");
        cli_remote_param(remote, "limit", "1000");
        cli_remote_param(remote, "cursor", *cursor != '\0' ? cursor : NULL);
        good = cli_remote_get_json(remote, &page);
        cJSON_ArrayForEach(step, llmlab__json_dom_get(page, "data"))
        {
            int64_t depth = 0;

            (void)llmlab__json_dom_int(llmlab__json_dom_get(step, "depth"),
                                       &depth);
            add_step(table, step, (int)depth);
        }
        next = cli_member_text(page, "next_cursor");
        snprintf(cursor, sizeof(cursor), "%s", next != NULL ? next : "");
        cJSON_Delete(page);
    } while (good && *cursor != '\0');
    return good;
}

static void
add_steps(cli_table_t *table, const cJSON *steps, int depth)
{
    const cJSON *step;

    cJSON_ArrayForEach(step, steps)
    {
        add_step(table, step, depth);
        add_steps(table, llmlab__json_dom_get(step, "children"), depth + 1);
    }
}

static bool
print_trace(cli_remote_t *remote, const cli_args_t *args, const char *path)
{
    static const char *const facts[] = {"trace_id",    "agent",   "user",
                                        "session",     "status",  "start",
                                        "duration_ms", "cost_usd"};
    cJSON *trace = NULL;
    cli_table_t table;
    bool good;

    if (cli_args_flag(args, "json")) {
        return cli_remote_get(remote) && cli_put_line(&remote->body);
    }
    if (!cli_remote_get_json(remote, &trace)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        const char *text = cli_member_text(trace, facts[i]);

        if (text != NULL) {
            printf("  %-12s %s\n", facts[i], text);
        }
    }
    putchar('\n');
    cli_table_init(&table, "step|type|status|provider|model|>ms|>cost USD");
    add_steps(&table, llmlab__json_dom_get(trace, "tree"), 0);
    good = !cJSON_IsNull(llmlab__json_dom_get(trace, "tree")) ||
           add_pages(remote, &table, path);
    good = cli_table_print(&table, stdout) && good;
    cli_table_cleanup(&table);
    cJSON_Delete(trace);
    return good;
}

static int
run_trace(const cli_args_t *args)
{
    cli_server_t server;
    cli_remote_t remote;
    char path[64];
    bool good;

    if (args->count != 1 || strlen(args->operands[0]) != 32 ||
        strspn(args->operands[0], "0123456789abcdef") != 32) {
        fputs("llmlab: trace takes one id of 32 hex digits\n", stderr);
        return CLI_MISUSED;
    }
    snprintf(path, sizeof(path), "traces/%s", args->operands[0]);
    cli_server_init(&server, args);
    good = cli_remote_open(&remote, &server);
    if (good) {
        cli_remote_begin(&remote, path);
        good = print_trace(&remote, args, path);
    }
    cli_remote_close(&remote);
    return good ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_trace = {
    .name = "trace",
    .synopsis = "ID [options]",
    .summary = "show one trace with its steps",
    .help = "Prints what the server knows of a trace: its steps as a tree, "
            "with their costs.",
    .options = trace_options,
    .run = run_trace,
};
