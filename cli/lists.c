/* llmlab calls: the latest steps. llmlab sessions: the latest sessions. llmlab
 * users: who cost most. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/costs.h"
#include "cli/put.h"
#include "cli/remote.h"

/* What a list is asked for, and which members of its rows are shown. */
typedef struct list_s {
    const char *path;
    const char *const *filters; /* options that go into the question */
    const char *headers;
    const char *const *keys; /* "start" is shown as a time */
} list_t;

static bool
fill(cli_table_t *table, const list_t *list, const cJSON *page)
{
    const cJSON *rows = llmlab__json_dom_get(page, "data");
    const cJSON *row;

    cli_table_init(table, list->headers);
    if (!cJSON_IsArray(rows)) {
        fputs("llmlab: the server's answer has an unknown form\n", stderr);
        return false;
    }
    cJSON_ArrayForEach(row, rows)
    {
        for (size_t i = 0; list->keys[i] != NULL; i++) {
            const char *text = cli_member_text(row, list->keys[i]);

            if (strcmp(list->keys[i], "start") == 0) {
                cli_table_time(table, text);
            } else {
                cli_table_text(table, text);
            }
        }
    }
    return true;
}

static bool
print(cli_remote_t *remote, const list_t *list, const cli_args_t *args)
{
    cJSON *page = NULL;
    cli_table_t table;
    const char *next;
    bool good;

    if (cli_args_flag(args, "json")) {
        return cli_remote_get(remote) && cli_put_line(&remote->body);
    }
    if (!cli_remote_get_json(remote, &page)) {
        return false;
    }
    good = fill(&table, list, page);
    if (good && cli_args_flag(args, "csv")) {
        good = cli_table_print_csv(&table, stdout);
    } else if (good) {
        good = cli_table_print(&table, stdout);
        next = cli_member_text(page, "next_cursor");
        if (next != NULL) {
            printf("  more: --cursor %s\n", next);
        }
    }
    cli_table_cleanup(&table);
    cJSON_Delete(page);
    return good;
}

static int
run(const list_t *list, const cli_args_t *args)
{
    char limit_text[24];
    cli_server_t server;
    cli_remote_t remote;
    int64_t limit;
    bool good;

    if (args->count > 0) {
        fprintf(stderr, "llmlab: %s takes no operands; see llmlab %s --help\n",
                list->path, list->path);
        return CLI_MISUSED;
    }
    if (!cli_args_int(args, "limit", 1, 1000, 20, &limit)) {
        return CLI_MISUSED;
    }
    snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
    cli_server_init(&server, args);
    good = cli_remote_open(&remote, &server);
    if (good) {
        cli_remote_begin(&remote, list->path);
        cli_remote_param(&remote, "limit", limit_text);
        cli_remote_time_param(&remote, "start", cli_args_get(args, "start"));
        cli_remote_time_param(&remote, "end", cli_args_get(args, "end"));
        for (size_t i = 0; list->filters[i] != NULL; i++) {
            cli_remote_param(&remote, list->filters[i],
                             cli_args_get(args, list->filters[i]));
        }
        good = print(&remote, list, args);
    }
    cli_remote_close(&remote);
    return good ? CLI_OK : CLI_FAILED;
}

#define RANGE_OPTIONS                                                        \
    {"start", "TIME", "a date or instant (default: 29 days before the end)", \
     0},                                                                     \
        {"end", "TIME", "a date, included, or an instant (default: today)",  \
         0},                                                                 \
        {"tz", "ZONE", "days are those of ZONE: Europe/Berlin, +05:45", 0},  \
        {"limit", "N", "at most N (default: 20)", 0},                        \
        {"cursor", "TEXT", "go on where a page ended", 0},                   \
        {"json", NULL, "print the server's JSON", 0},                        \
    {                                                                        \
        "csv", NULL, "print CSV", 0                                          \
    }

static const cli_option_t calls_options[] = {
    CLI_SERVER_OPTIONS,
    {"provider", "NAME", "only of this provider", 0},
    {"model", "NAME", "only of this model", 0},
    {"agent", "NAME", "only of this agent", 0},
    {"status", "S", "only success, error or cancelled", 0},
    {"environment", "NAME", "only of this environment", 0},
    {"user", "ID", "only for this user", 0},
    {"tag", "TEXT", "only with this tag", 0},
    {"session", "ID", "only of this session", 0},
    {"type", "T", "only llm_call, tool_call, agent or the like", 0},
    {"unpriced", "B", "true: only model calls without a price", 0},
    RANGE_OPTIONS,
    {0}};

static int
run_calls(const cli_args_t *args)
{
    static const char *const filters[] = {
        "provider", "model", "agent",    "status", "environment", "user", "tag",
        "session",  "type",  "unpriced", "tz",     "cursor",      NULL};
    static const char *const keys[] = {
        "trace_id", "start",  "name",       "model",    "agent",
        "user",     "status", "latency_ms", "cost_usd", NULL};
    static const list_t list = {
        "calls", filters,
        "trace|start|name|model|agent|user|status|>ms|>cost USD", keys};

    return run(&list, args);
}

const cli_command_t cli_command_calls = {
    .name = "calls",
    .synopsis = "[options]",
    .summary = "list the latest calls",
    .help = "Prints the steps of a time range, latest first. A page may be "
            "short where few match;\n\"more\" goes on.",
    .options = calls_options,
    .run = run_calls,
};

static const cli_option_t sessions_options[] = {
    CLI_SERVER_OPTIONS,
    {"user", "ID", "only for this user", 0},
    RANGE_OPTIONS,
    {0}};

static int
run_sessions(const cli_args_t *args)
{
    static const char *const filters[] = {"user", "tz", "cursor", NULL};
    static const char *const keys[] = {"session",        "start",    "user",
                                       "traces",         "steps",    "calls",
                                       "unpriced_calls", "cost_usd", NULL};
    static const list_t list = {
        "sessions", filters,
        "session|start|user|>traces|>steps|>calls|>unpriced|>cost USD", keys};

    return run(&list, args);
}

const cli_command_t cli_command_sessions = {
    .name = "sessions",
    .synopsis = "[options]",
    .summary = "list the latest sessions with what they cost",
    .help = "Prints the sessions that began in a time range, latest first.",
    .options = sessions_options,
    .run = run_sessions,
};

static const cli_option_t users_options[] = {
    CLI_SERVER_OPTIONS, RANGE_OPTIONS, {0}};

static int
run_users(const cli_args_t *args)
{
    static const char *const filters[] = {"tz", "cursor", NULL};
    static const char *const keys[] = {
        "user",     "calls", "unpriced_calls", "input_tokens", "output_tokens",
        "cost_usd", NULL};
    static const list_t list = {
        "users", filters, "user|>calls|>unpriced|>input|>output|>cost USD",
        keys};

    return run(&list, args);
}

const cli_command_t cli_command_users = {
    .name = "users",
    .synopsis = "[options]",
    .summary = "list users, the dearest first",
    .help = "Prints what the calls for each user cost in a time range.",
    .options = users_options,
    .run = run_users,
};
