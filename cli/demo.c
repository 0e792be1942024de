/* llmlab demo: the whole way on one machine. Starts a server, replays
 * workloads through libllmlab, prints what the server says they cost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/costs.h"
#include "cli/demo.h"
#include "cli/put.h"
#include "cli/remote.h"
#include "cli/replay.h"
#include "cli/stop.h"
#include "cli/traces.h"

#define DAY_NS           INT64_C(86400000000000)
#define WORKLOAD_MODELS  "gpt-4o-mini,anthropic/claude-sonnet-4-5,gpt-4.1"
#define FLUSH_TIMEOUT_MS 300000
#define SHOWN            20 /* rows of a table that people can take in */

static const cli_option_t options[] = {
    {"once", NULL, "end after printing", 0},
    {"json", NULL,
     "print one JSON object on standard output, all else on "
     "standard error",
     0},
    {"days", "N", "lay each workload out over the last N days (default: 7)", 0},
    {0}};

typedef struct demo_s {
    cli_demo_server_t own;
    cli_server_t server;
    cli_remote_t remote;
    FILE *report; /* where people read */
    uint64_t attempted;
    uint64_t delivered;
    int64_t days;
} demo_t;

static bool
replay_one(demo_t *demo, llmlab_client_t *client, const char *path)
{
    cli_replay_t replay;

    fprintf(demo->report, "Replaying %s\n", path);
    fflush(demo->report);
    cli_replay_init(&replay, client, path);
    cli_replay_add_models(&replay, "openai", WORKLOAD_MODELS);
    replay.spread_ns = demo->days * DAY_NS;
    if (!cli_replay_run(&replay)) {
        return false;
    }
    demo->attempted += replay.attempted;
    return true;
}

static bool
replay_all(demo_t *demo, const cli_args_t *args)
{
    static const char *const settings[] = {
        "service", "demo", "live", "true", "queue.wait_ms", "60000", NULL};
    llmlab_client_t *client = cli_client_open(&demo->server, settings);
    llmlab_stats_t stats;
    bool good = client != NULL;

    for (int i = 0; i < args->count && good; i++) {
        good = replay_one(demo, client, args->operands[i]);
    }
    llmlab_client_flush(client, FLUSH_TIMEOUT_MS, NULL);
    llmlab_stats_init(&stats);
    llmlab_client_stats(client, &stats);
    llmlab_client_close(client, 2000);
    demo->delivered = stats.delivered;
    if (good && stats.delivered != demo->attempted) {
        fprintf(stderr,
                "llmlab: %" PRIu64 " of %" PRIu64 " calls were delivered\n",
                stats.delivered, demo->attempted);
        good = false;
    }
    return good;
}

/* Ask for costs; *out is owned. */
static bool
ask_costs(demo_t *demo, const char *granularity, const char *group_by,
          cJSON **out)
{
    cli_remote_begin(&demo->remote, "costs");
    cli_remote_param(&demo->remote, "granularity", granularity);
    cli_remote_param(&demo->remote, "group_by", group_by);
    return cli_remote_get_json(&demo->remote, out);
}

static bool
print_costs(demo_t *demo, const char *title, const char *granularity,
            const char *group_by)
{
    cJSON *costs = NULL;
    cli_table_t table;
    bool good;

    if (!ask_costs(demo, granularity, group_by, &costs)) {
        return false;
    }
    fprintf(demo->report, "\n%s\n", title);
    good = cli_costs_table(&table, costs);
    cli_table_shorten(&table, SHOWN, 1);
    good = cli_table_print(&table, demo->report) && good;
    cli_table_cleanup(&table);
    cJSON_Delete(costs);
    return good;
}

static bool
print_dearest(demo_t *demo)
{
    cJSON *list = NULL;
    cli_table_t table;
    bool good;

    cli_remote_begin(&demo->remote, "traces");
    cli_remote_param(&demo->remote, "order_by", "cost");
    cli_remote_param(&demo->remote, "limit", "5");
    if (!cli_remote_get_json(&demo->remote, &list)) {
        return false;
    }
    fputs("\nDearest traces\n", demo->report);
    good =
        cli_traces_table(&table, list) && cli_table_print(&table, demo->report);
    cli_table_cleanup(&table);
    cJSON_Delete(list);
    return good;
}

static bool
is_zero(const char *number)
{
    return number == NULL || strcmp(number, "0") == 0;
}

/* Unpriced is not zero: say which models have no price. */
static bool
print_unpriced(demo_t *demo)
{
    cJSON *costs = NULL;
    cli_table_t table;
    const cJSON *row;
    bool good;

    if (!ask_costs(demo, "total", "provider,model", &costs)) {
        return false;
    }
    cli_table_init(&table, "provider|model|>unpriced calls");
    cJSON_ArrayForEach(row, llmlab__json_dom_get(costs, "data"))
    {
        const char *unpriced = cli_member_text(row, "unpriced_calls");

        if (!is_zero(unpriced)) {
            cli_table_text(&table, cli_member_text(row, "provider"));
            cli_table_text(&table, cli_member_text(row, "model"));
            cli_table_text(&table, unpriced);
        }
    }
    fprintf(demo->report, "\nCalls without a price%s\n",
            cli_table_rows(&table) == 0 ? ": none" : "");
    cli_table_sort(&table, 2);
    cli_table_shorten(&table, SHOWN, 0);
    good = cli_table_rows(&table) == 0 || cli_table_print(&table, demo->report);
    cli_table_cleanup(&table);
    cJSON_Delete(costs);
    return good;
}

static void
put_member(llmlab__json_out_t *out, const cJSON *object, const char *member)
{
    const cJSON *item = llmlab__json_dom_get(object, member);
    const char *number = llmlab__json_dom_number(item);

    if (number != NULL) {
        llmlab__json_put_raw(out, number, strlen(number));
    } else {
        llmlab__json_put_text(out, llmlab__json_dom_string(item));
    }
}

static void
put_rows(llmlab__json_out_t *out, const cJSON *costs,
         const char *const *members, size_t count)
{
    const cJSON *row;

    llmlab__json_begin_array(out);
    cJSON_ArrayForEach(row, llmlab__json_dom_get(costs, "data"))
    {
        llmlab__json_begin_object(out);
        for (size_t i = 0; i < count; i++) {
            llmlab__json_key_n(out, members[i], strlen(members[i]));
            put_member(out, row, members[i]);
        }
        llmlab__json_end_object(out);
    }
    llmlab__json_end_array(out);
}

static bool
print_json(demo_t *demo)
{
    static const char *const by_model[] = {"provider", "model", "calls",
                                           "cost_usd", "unpriced_calls"};
    static const char *const by_day[] = {"start", "calls", "cost_usd"};
    cJSON *models = NULL;
    cJSON *days = NULL;
    const cJSON *total;
    llmlab__buf_t buf;
    llmlab__json_out_t out;
    bool good = ask_costs(demo, "total", "provider,model", &models) &&
                ask_costs(demo, "daily", NULL, &days);

    llmlab__buf_init(&buf);
    if (good) {
        total = llmlab__json_dom_get(models, "total");
        llmlab__json_out_init(&out, &buf);
        llmlab__json_begin_object(&out);
        llmlab__json_key(&out, "calls");
        llmlab__json_put_uint(&out, demo->attempted);
        llmlab__json_key(&out, "stored");
        put_member(&out, total, "spans");
        llmlab__json_key(&out, "model_calls");
        put_member(&out, total, "calls");
        llmlab__json_key(&out, "unpriced_calls");
        put_member(&out, total, "unpriced_calls");
        llmlab__json_key(&out, "total_cost_usd");
        put_member(&out, total, "cost_usd");
        llmlab__json_key(&out, "by_model");
        put_rows(&out, models, by_model,
                 sizeof(by_model) / sizeof(by_model[0]));
        llmlab__json_key(&out, "by_day");
        put_rows(&out, days, by_day, sizeof(by_day) / sizeof(by_day[0]));
        llmlab__json_key(&out, "url");
        llmlab__json_put_text(&out, demo->server.url);
        llmlab__json_end_object(&out);
        good = cli_put_line(&buf);
        fflush(stdout);
    }
    llmlab__buf_cleanup(&buf);
    cJSON_Delete(models);
    cJSON_Delete(days);
    return good;
}

static bool
print_report(demo_t *demo)
{
    return print_costs(demo, "By provider and model", "total",
                       "provider,model") &&
           print_costs(demo, "By day", "daily", NULL) && print_dearest(demo) &&
           print_unpriced(demo);
}

/* Until Ctrl-C or the server's own end. */
static bool
serve(demo_t *demo)
{
    const struct timespec tick = {.tv_nsec = 200000000};
    char line[1024];

    fprintf(demo->report,
            "\nllmlab-server: %s\n  LLMLAB_URL=%s\n  LLMLAB_API_KEY=%s\n"
            "Serving until Ctrl-C; nothing is kept then.\n",
            demo->server.url, demo->server.url, demo->server.key);
    fflush(demo->report);
    while (!cli_stop_asked()) {
        while (cli_process_line(&demo->own.process, line, sizeof(line), 0)) {
        }
        nanosleep(&tick, NULL);
        if (!cli_process_running(&demo->own.process)) {
            if (!cli_stop_asked()) {
                fputs("llmlab: llmlab-server has ended\n", stderr);
            }
            return cli_stop_asked();
        }
    }
    return true;
}

static int
run(const cli_args_t *args)
{
    demo_t demo = {.report = stdout};
    bool good;

    if (args->count == 0) {
        fputs("llmlab: demo takes the workloads to replay; see llmlab demo "
              "--help\n",
              stderr);
        return CLI_MISUSED;
    }
    if (!cli_args_int(args, "days", 1, 365, 7, &demo.days)) {
        return CLI_MISUSED;
    }
    if (cli_args_flag(args, "json")) {
        demo.report = stderr;
    }
    cli_stop_catch();
    fputs("Starting llmlab-server on a temporary folder\n", demo.report);
    good = cli_demo_server_start(&demo.own);
    demo.server.url = demo.own.url;
    demo.server.key = demo.own.key;
    demo.server.project = "-";
    good = good && replay_all(&demo, args);
    if (good && cli_remote_open(&demo.remote, &demo.server)) {
        good = print_report(&demo);
        if (good && cli_args_flag(args, "json")) {
            good = print_json(&demo);
        }
        if (good && !cli_args_flag(args, "once")) {
            good = serve(&demo);
        }
    } else {
        good = false;
    }
    cli_remote_close(&demo.remote);
    cli_demo_server_stop(&demo.own);
    return good ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_demo = {
    .name = "demo",
    .synopsis = "PATH... [--once] [--json]",
    .summary = "start a server, replay workloads, print what they cost",
    .help = "Starts llmlab-server on a temporary folder, replays the given "
            "workloads (as llmlab\nreplay does) through libllmlab, prints "
            "spend by provider and model and by day, the\ndearest traces and "
            "the calls without a price, and keeps serving until Ctrl-C.",
    .options = options,
    .run = run,
};
