/* llmlab costs: what the server says the calls of a time range cost. */
#include "cli/costs.h"

#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/put.h"
#include "cli/remote.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"start", "TIME", "a date or instant (default: 29 days before the end)", 0},
    {"end", "TIME", "a date, included, or an instant (default: today)", 0},
    {"granularity", "G", "total (default), daily or hourly", 0},
    {"group-by", "A,B",
     "of provider, model, agent, status, environment, key, user, tag, session",
     0},
    {"provider", "NAME", "only of this provider", 0},
    {"model", "NAME", "only of this model", 0},
    {"agent", "NAME", "only of this agent", 0},
    {"status", "S", "only success, error or cancelled", 0},
    {"environment", "NAME", "only of this environment", 0},
    {"user", "ID", "only for this user", 0},
    {"tag", "TEXT", "only with this tag", 0},
    {"session", "ID", "only of this session", 0},
    {"tz", "ZONE", "days are those of ZONE: Europe/Berlin, +05:45", 0},
    {"json", NULL, "print the server's JSON", 0},
    {"csv", NULL, "print CSV", 0},
    {0}};

static const struct column_s {
    const char *key;
    const char *header;
} columns[] = {
    {"calls", ">calls"},          {"unpriced_calls", ">unpriced"},
    {"input_tokens", ">input"},   {"cache_read_tokens", ">cache read"},
    {"output_tokens", ">output"}, {"cost_usd", ">cost USD"},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

const char *
cli_member_text(const cJSON *object, const char *key)
{
    const cJSON *item = llmlab__json_dom_get(object, key);
    const char *text = llmlab__json_dom_string(item);

    return text != NULL ? text : llmlab__json_dom_number(item);
}

/* Unpriced is not zero: a row of nothing else has no cost. */
static const char *
cost_text(const cJSON *row)
{
    const char *calls = cli_member_text(row, "calls");
    const char *unpriced = cli_member_text(row, "unpriced_calls");

    if (calls != NULL && unpriced != NULL && strcmp(calls, "0") != 0 &&
        strcmp(calls, unpriced) == 0) {
        return NULL;
    }
    return cli_member_text(row, "cost_usd");
}

static void
add_row(cli_table_t *table, const cJSON *row, const cJSON *groups, bool timed)
{
    const cJSON *group;

    if (timed) {
        cli_table_time(table, cli_member_text(row, "start"));
    }
    cJSON_ArrayForEach(group, groups)
    {
        cli_table_text(table,
                       cli_member_text(row, llmlab__json_dom_string(group)));
    }
    for (size_t i = 0; i + 1 < COLUMNS; i++) {
        cli_table_text(table, cli_member_text(row, columns[i].key));
    }
    cli_table_text(table, cost_text(row));
}

static void
add_total(cli_table_t *table, const cJSON *total)
{
    for (size_t i = 0; i + COLUMNS < table->columns; i++) {
        cli_table_text(table, i == 0 ? "total" : "");
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        cli_table_text(table, cli_member_text(total, columns[i].key));
    }
}

bool
cli_costs_table(cli_table_t *table, const cJSON *costs)
{
    const cJSON *groups = llmlab__json_dom_get(costs, "group_by");
    const cJSON *rows = llmlab__json_dom_get(costs, "data");
    const cJSON *total = llmlab__json_dom_get(costs, "total");
    const char *granularity = cli_member_text(costs, "granularity");
    bool timed = granularity != NULL && strcmp(granularity, "total") != 0;
    char headers[512];
    size_t size = 0;
    const cJSON *item;

    cli_table_init(table, "");
    if (!cJSON_IsArray(groups) || !cJSON_IsArray(rows) ||
        !cJSON_IsObject(total) ||
        cJSON_GetArraySize(groups) + 1 + (int)COLUMNS > CLI_TABLE_COLUMNS) {
        fputs("llmlab: the server's answer has an unknown form\n", stderr);
        return false;
    }
    headers[0] = '\0';
    if (timed) {
        size += (size_t)snprintf(headers, sizeof(headers), "start|");
    }
    cJSON_ArrayForEach(item, groups)
    {
        const char *name = llmlab__json_dom_string(item);

        if (name == NULL || strlen(name) > 32) {
            fputs("llmlab: the server's answer has an unknown form\n", stderr);
            return false;
        }
        size += (size_t)snprintf(headers + size, sizeof(headers) - size, "%s|",
                                 name);
    }
    if (size == 0) {
        size += (size_t)snprintf(headers, sizeof(headers), "|");
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        size += (size_t)snprintf(headers + size, sizeof(headers) - size, "%s%s",
                                 i > 0 ? "|" : "", columns[i].header);
    }
    cli_table_cleanup(table);
    cli_table_init(table, headers);
    if (timed || cJSON_GetArraySize(groups) > 0) {
        cJSON_ArrayForEach(item, rows)
        {
            add_row(table, item, groups, timed);
        }
    }
    add_total(table, total);
    return true;
}

static bool
print(cli_remote_t *remote, const cli_args_t *args)
{
    cJSON *costs = NULL;
    cli_table_t table;
    bool good;

    if (cli_args_flag(args, "json")) {
        if (!cli_remote_get(remote)) {
            return false;
        }
        return cli_put_line(&remote->body);
    }
    if (!cli_remote_get_json(remote, &costs)) {
        return false;
    }
    good = cli_costs_table(&table, costs);
    if (good) {
        good = cli_args_flag(args, "csv") ? cli_table_print_csv(&table, stdout)
                                          : cli_table_print(&table, stdout);
    }
    cli_table_cleanup(&table);
    cJSON_Delete(costs);
    return good;
}

static int
run(const cli_args_t *args)
{
    static const char *const filters[] = {"provider", "model",       "agent",
                                          "status",   "environment", "user",
                                          "tag",      "session"};
    const char *group_by = cli_args_get(args, "group-by");
    cli_server_t server;
    cli_remote_t remote;
    bool good;

    if (args->count > 0) {
        fputs("llmlab: costs takes no operands; see llmlab costs --help\n",
              stderr);
        return CLI_MISUSED;
    }
    cli_server_init(&server, args);
    good = cli_remote_open(&remote, &server);
    if (good) {
        cli_remote_begin(&remote, "costs");
        cli_remote_time_param(&remote, "start", cli_args_get(args, "start"));
        cli_remote_time_param(&remote, "end", cli_args_get(args, "end"));
        cli_remote_param(&remote, "granularity",
                         cli_args_get(args, "granularity"));
        cli_remote_param(&remote, "group_by",
                         group_by != NULL ? group_by : "provider,model");
        cli_remote_param(&remote, "tz", cli_args_get(args, "tz"));
        for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
            cli_remote_param(&remote, filters[i],
                             cli_args_get(args, filters[i]));
        }
        good = print(&remote, args);
    }
    cli_remote_close(&remote);
    return good ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_costs = {
    .name = "costs",
    .synopsis = "[options]",
    .summary = "ask the server what calls cost",
    .help = "Prints calls, tokens and money of a time range, by provider and "
            "model unless told\notherwise. A busy server is asked again. "
            "Unpriced calls are in calls and not in cost.\n"
            "Tags overlap: the total counts each call once.",
    .options = options,
    .run = run,
};
