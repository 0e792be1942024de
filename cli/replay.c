/* llmlab replay: send a workload or recorded replies through libllmlab. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/put.h"
#include "cli/replay.h"
#include "cli/stop.h"
#include "cli/times.h"

#define DAY_NS INT64_C(86400000000000)

static const cli_option_t options[] = {
    CLI_SERVER_OPTIONS,
    {"model", "M,...",
     "workloads: [provider/]model of the calls, in turn by trace", 0},
    {"provider", "P", "workloads: provider of a --model without one", 0},
    {"agent", "NAME", "agent that the traces run under (default: replay)", 0},
    {"speed", "N", "1: as recorded, 10: ten times so; max: the default", 0},
    {"traces", "N", "stop after N traces", 0},
    {"steps", "N", "model calls of a trace (default: 4)", 0},
    {"days", "N", "lay the calls out over the last N days", 0},
    {"keep-times", NULL, "as recorded; else the workload ends now", 0},
    {"at-utc", "TIME", "every call starts at TIME: one price instant", 0},
    {"timeout", "SECONDS", "longest wait for the server (default: 300)", 0},
    {"json", NULL, "print the summary as one JSON object", 0},
    {0}};

static bool
read_speed(const cli_args_t *args, double *out)
{
    const char *text = cli_args_get(args, "speed");
    char *end;

    *out = 0;
    if (text == NULL || strcmp(text, "max") == 0) {
        return true;
    }
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !(*out > 0) || *out > 1e9) {
        fprintf(stderr, "llmlab: --speed: \"%s\" is neither a factor nor max\n",
                text);
        return false;
    }
    return true;
}

static bool
read_options(const cli_args_t *args, cli_replay_t *replay, int64_t *timeout_ms)
{
    const char *provider = cli_args_get(args, "provider");
    const char *models = cli_args_get(args, "model");
    const char *agent = cli_args_get(args, "agent");
    int64_t traces;
    int64_t steps;
    int64_t days;
    int64_t seconds;

    if (!read_speed(args, &replay->speed) ||
        !cli_args_int(args, "traces", 1, INT64_MAX, 0, &traces) ||
        !cli_args_int(args, "steps", 1, 1000, 4, &steps) ||
        !cli_args_int(args, "days", 1, 3650, 0, &days) ||
        !cli_args_int(args, "timeout", 1, 1000000, 300, &seconds) ||
        !cli_args_time(args, "at-utc", 0, &replay->at_ns)) {
        return false;
    }
    if (!cli_replay_add_models(replay, provider != NULL ? provider : "openai",
                               models != NULL ? models : "gpt-4o-mini")) {
        fprintf(stderr,
                "llmlab: --model: at most %d names of at most %zu bytes\n",
                CLI_REPLAY_MODELS, sizeof(replay->models[0].model) - 1);
        return false;
    }
    replay->agent = agent != NULL ? agent : replay->agent;
    replay->max_traces = (uint64_t)traces;
    replay->steps = (unsigned)steps;
    replay->spread_ns = days * DAY_NS;
    replay->keep_times = cli_args_flag(args, "keep-times");
    *timeout_ms = seconds * 1000;
    return true;
}

static uint64_t
sum_dropped(const llmlab_stats_t *stats)
{
    uint64_t sum = 0;

    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        sum += stats->dropped[i];
    }
    return sum;
}

static bool
print_json(const cli_replay_t *replay, const llmlab_stats_t *stats,
           double seconds)
{
    llmlab__buf_t buf;
    llmlab__json_out_t out;
    bool good;

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "path");
    llmlab__json_put_text(&out, replay->path);
#define PUT(name, value)          \
    llmlab__json_key(&out, name); \
    llmlab__json_put_uint(&out, value)
    PUT("traces", replay->traces);
    PUT("attempted", replay->attempted);
    PUT("accepted", stats->accepted);
    PUT("delivered", stats->delivered);
    PUT("duplicates", stats->duplicates);
    PUT("rejected", stats->rejected + stats->dead);
    PUT("dropped", sum_dropped(stats));
    PUT("calls", stats->calls);
    PUT("unpriced_calls", stats->unpriced_calls);
    PUT("estimated_calls", stats->estimated_calls);
    PUT("batches", stats->batches);
    PUT("bytes_sent", stats->bytes_sent);
#undef PUT
    llmlab__json_key(&out, "cost_usd");
    cli_put_money(&out, true, stats->cost);
    llmlab__json_key(&out, "seconds");
    llmlab__json_put_double(&out, seconds);
    llmlab__json_end_object(&out);
    good = cli_put_line(&buf);
    llmlab__buf_cleanup(&buf);
    return good;
}

static void
print_for_people(const cli_replay_t *replay, const llmlab_stats_t *stats,
                 double seconds)
{
    char cost[LLMLAB_MONEY_TEXT];

    llmlab_money_format(stats->cost, cost);
    printf("  %" PRIu64 " traces, %" PRIu64 " spans attempted, %" PRIu64
           " accepted, %" PRIu64 " delivered, %" PRIu64 " rejected, %" PRIu64
           " dropped\n",
           replay->traces, replay->attempted, stats->accepted, stats->delivered,
           stats->rejected + stats->dead, sum_dropped(stats));
    printf("  %" PRIu64 " model calls, %" PRIu64 " without a price\n",
           stats->calls, stats->unpriced_calls);
    printf("  cost %s USD\n", cost);
    printf("  %.2f s, %.0f spans/s, %" PRIu64 " batches, %" PRIu64
           " bytes sent\n",
           seconds, seconds > 0 ? (double)replay->attempted / seconds : 0,
           stats->batches, stats->bytes_sent);
}

/* Everything must be where it belongs before the command may say 0. */
static bool
check(const cli_replay_t *replay, const llmlab_stats_t *stats)
{
    if (stats->delivered == replay->attempted &&
        stats->accepted == replay->attempted) {
        return true;
    }
    fprintf(stderr,
            "llmlab: %" PRIu64 " of %" PRIu64 " spans were not delivered: %s",
            replay->attempted - stats->delivered, replay->attempted,
            llmlab_status_text(stats->last_status));
    if (stats->last_http_status != 0) {
        fprintf(stderr, " (HTTP %d)", stats->last_http_status);
    }
    fputc('\n', stderr);
    return false;
}

static int
run(const cli_args_t *args)
{
    cli_replay_t replay;
    cli_server_t server;
    llmlab_stats_t stats;
    int64_t timeout_ms;
    char wait_ms[24];
    const char *const settings[] = {"queue.wait_ms", wait_ms, "batch.max_calls",
                                    "1000", NULL};
    double seconds;
    bool good;

    if (args->count != 1) {
        fputs("llmlab: replay takes one path; see llmlab replay --help\n",
              stderr);
        return CLI_MISUSED;
    }
    cli_replay_init(&replay, NULL, args->operands[0]);
    if (!read_options(args, &replay, &timeout_ms)) {
        return CLI_MISUSED;
    }
    cli_server_init(&server, args);
    snprintf(wait_ms, sizeof(wait_ms), "%" PRId64,
             timeout_ms < 3600000 ? timeout_ms : 3600000);
    replay.client = cli_client_open(&server, settings);
    if (replay.client == NULL) {
        return CLI_FAILED;
    }
    cli_stop_catch();
    good = cli_replay_run(&replay);
    llmlab_client_flush(replay.client, timeout_ms, NULL);
    seconds = (double)(llmlab__clock_mono_ns() - replay.mono_ns) / 1e9;
    llmlab_stats_init(&stats);
    llmlab_client_stats(replay.client, &stats);
    if (cli_args_flag(args, "json")) {
        good = print_json(&replay, &stats, seconds) && good;
    } else if (good || replay.traces != 0) {
        print_for_people(&replay, &stats, seconds);
    }
    good = check(&replay, &stats) && good;
    llmlab_client_close(replay.client, 0);
    return good ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_command_replay = {
    .name = "replay",
    .synopsis = "PATH [options]",
    .summary = "send a workload or recorded replies to the server",
    .help =
        "PATH is a workload (.csv with TIMESTAMP,ContextTokens,"
        "GeneratedTokens; .jsonl with\ntimestamp, input_length, "
        "output_length, hash_ids) or a folder of recorded replies\n"
        "(index.jsonl and the files it names). Each call is a step of a "
        "trace and goes\nthrough libllmlab as a program's own would; nothing "
        "is dropped: the replay waits\nfor room. Times are shifted so that "
        "the workload ends now. Recordings hold no\ndurations: a call lasts "
        "300 ms and 15 ms for each token of output.\n\n"
        "Exit code 0 only when every span was delivered.",
    .options = options,
    .run = run,
};
