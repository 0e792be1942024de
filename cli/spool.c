/* llmlab spool: what outlived the processes that recorded it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <llmlab/sys/spool.h>

#include "base/json_dom.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/costs.h"

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"dir", "DIR", "the spool's directory (else LLMLAB_SPOOL_MODE, its own)",
     0},
    {"ring-dir", "DIR", "that of the rings (else LLMLAB_SPOOL_RING_DIR)", 0},
    {"timeout", "S", "send: give up after S seconds (default: 60)", 0},
    {"json", NULL, "print JSON", 0},
    {0}};

/* Settings for the spool alone, name and value in turn. */
static void
spool_settings(const cli_args_t *args, const char *out[8])
{
    int n = 0;

    if (cli_args_get(args, "dir") != NULL) {
        out[n++] = "spool.mode";
        out[n++] = cli_args_get(args, "dir");
    }
    if (cli_args_get(args, "ring-dir") != NULL) {
        out[n++] = "spool.ring_dir";
        out[n++] = cli_args_get(args, "ring-dir");
    }
    out[n] = NULL;
}

static llmlab_status_t
configure(llmlab_config_t *config, const cli_args_t *args)
{
    const char *settings[8];
    cli_server_t server;
    llmlab_status_t status;

    cli_server_init(&server, args);
    spool_settings(args, settings);
    status = llmlab_config_set(config, "url", server.url);
    if (status == LLMLAB_OK) {
        status = llmlab_config_set(config, "project", server.project);
    }
    if (status == LLMLAB_OK && server.key != NULL) {
        status = llmlab_config_set(config, "api_key", server.key);
    }
    for (size_t i = 0; status == LLMLAB_OK && settings[i] != NULL; i += 2) {
        status = llmlab_config_set(config, settings[i], settings[i + 1]);
    }
    return status;
}

/* The report's text and tree; false after a line on stderr. */
static bool
read_report(const cli_args_t *args, char **text, cJSON **tree)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_status_t status = configure(config, args);
    size_t size = 0;

    *text = NULL;
    *tree = NULL;
    if (status == LLMLAB_OK) {
        status = llmlab_spool_report(config, text, &size);
    }
    llmlab_config_destroy(config);
    if (status == LLMLAB_OK) {
        status = llmlab__json_dom_parse(tree, *text, size, 0);
    }
    if (status != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s: %s\n", llmlab_status_text(status),
                llmlab_status_detail());
    }
    return status == LLMLAB_OK;
}

static int64_t
number(const cJSON *object, const char *key)
{
    int64_t value = 0;

    llmlab__json_dom_int(llmlab__json_dom_get(object, key), &value);
    return value;
}

static const char *
state_of(const cJSON *instance)
{
    if (cJSON_IsTrue(llmlab__json_dom_get(instance, "alive"))) {
        return "its process runs";
    }
    if (number(instance, "unreadable") > 0) {
        return "another version";
    }
    return number(instance, "torn") > 0 ? "torn" : "left behind";
}

static void
print_table(const cJSON *report)
{
    const cJSON *instances = llmlab__json_dom_get(report, "instances");
    const char *directory = cli_member_text(report, "directory");
    const cJSON *instance;
    cli_table_t table;

    cli_table_init(&table, "url|project|service|>calls|>bytes|oldest|state");
    cJSON_ArrayForEach(instance, instances)
    {
        cli_table_text(&table, cli_member_text(instance, "url"));
        cli_table_text(&table, cli_member_text(instance, "project"));
        cli_table_text(&table, cli_member_text(instance, "service"));
        cli_table_uint(&table, (uint64_t)(number(instance, "calls") +
                                          number(instance, "ring_calls")));
        cli_table_uint(&table, (uint64_t)number(instance, "bytes"));
        cli_table_time(&table, cli_member_text(instance, "oldest"));
        cli_table_text(&table, state_of(instance));
    }
    if (cli_table_rows(&table) > 0) {
        cli_table_print(&table, stdout);
    }
    cli_table_cleanup(&table);
    printf("%lld calls in %s\n", (long long)number(report, "calls"),
           directory != NULL ? directory : "no directory: there is no spool");
}

static int
run_list(const cli_args_t *args, bool is_check)
{
    cJSON *report;
    char *text;
    bool good = read_report(args, &text, &report);

    if (good && cli_args_flag(args, "json")) {
        puts(text);
    } else if (good) {
        print_table(report);
    }
    if (good && is_check) {
        const cJSON *instances = llmlab__json_dom_get(report, "instances");
        const cJSON *instance;
        int64_t unreadable = 0;

        cJSON_ArrayForEach(instance, instances)
        {
            unreadable += number(instance, "unreadable");
        }
        good = number(report, "torn") == 0 && unreadable == 0;
        if (!good) {
            fprintf(stderr,
                    "llmlab: %lld torn records, which the next process skips; "
                    "%lld files of another version, which it leaves\n",
                    (long long)number(report, "torn"), (long long)unreadable);
        }
    }
    cJSON_Delete(report);
    llmlab_free(text);
    return good ? CLI_OK : CLI_FAILED;
}

static void
await_sent(llmlab_client_t *client, int64_t seconds, llmlab_stats_t *stats)
{
    struct timespec moment = {0, 20000000};
    time_t end = time(NULL) + (time_t)seconds;
    int quiet = 0;

    llmlab_stats_init(stats);
    /* More is taken up when some is sent: done is what stays so. */
    while (quiet < 10 && time(NULL) <= end) {
        nanosleep(&moment, NULL);
        llmlab_client_stats(client, stats);
        quiet = stats->recovering > 0 ? 0 : quiet + 1;
    }
}

static int
run_send(const cli_args_t *args)
{
    const char *settings[8];
    cli_server_t server;
    llmlab_client_t *client;
    llmlab_stats_t stats;
    int64_t seconds;

    if (!cli_args_int(args, "timeout", 1, 86400, 60, &seconds)) {
        return CLI_MISUSED;
    }
    cli_server_init(&server, args);
    if (server.key == NULL) {
        fputs("llmlab: spool send needs the key that the calls belong to: "
              "--key or LLMLAB_API_KEY\n",
              stderr);
        return CLI_MISUSED;
    }
    spool_settings(args, settings);
    client = cli_client_open(&server, settings);
    if (client == NULL) {
        return CLI_FAILED;
    }
    await_sent(client, seconds, &stats);
    llmlab_client_close(client, 0);
    if (cli_args_flag(args, "json")) {
        printf("{\"sent\":%llu,\"left\":%llu,\"lost\":%llu}\n",
               (unsigned long long)stats.recovered,
               (unsigned long long)stats.recovering,
               (unsigned long long)stats.recovery_lost);
    } else {
        printf("%llu calls sent to %s, %llu left, %llu lost\n",
               (unsigned long long)stats.recovered, server.url,
               (unsigned long long)stats.recovering,
               (unsigned long long)stats.recovery_lost);
    }
    return stats.recovering == 0 && stats.recovery_lost == 0 ? CLI_OK
                                                             : CLI_FAILED;
}

static int
run(const cli_args_t *args)
{
    const char *what = args->count == 1 ? args->operands[0] : "";

    if (strcmp(what, "list") == 0) {
        return run_list(args, false);
    }
    if (strcmp(what, "check") == 0) {
        return run_list(args, true);
    }
    if (strcmp(what, "send") == 0) {
        return run_send(args);
    }
    fputs("llmlab: spool takes one of list, send, check; see llmlab spool "
          "--help\n",
          stderr);
    return CLI_MISUSED;
}

const cli_command_t cli_command_spool = {
    .name = "spool",
    .synopsis = "list|send|check [options]",
    .summary = "calls that outlived the process that recorded them",
    .help = "Calls that a process could not deliver before it ended, however "
            "it ended, lie in the\nspool. The next process with the same "
            "address, project and key sends them by itself.\n\n"
            "  list   what is there, whose it is, and whether its process "
            "still runs\n"
            "  send   send what belongs to --url, --project and --key, now\n"
            "  check  as list, and fail when something is torn or cannot be "
            "read\n\n"
            "list and check change nothing.",
    .options = options,
    .run = run,
};
