/* Recorded replies: spans that read a reply as a program would. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/jsonl.h"
#include "cli/replay.h"
#include "cli/reply_row.h"

static uint64_t
count_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    uint64_t lines = 0;
    int c;

    if (file == NULL) {
        return 0;
    }
    while ((c = getc_unlocked(file)) != EOF) {
        lines += c == '\n';
    }
    fclose(file);
    return lines;
}

static llmlab_span_kind_t
kind_of(const char *api)
{
    if (strstr(api, "embed") != NULL) {
        return LLMLAB_SPAN_EMBEDDING;
    }
    return strcmp(api, "rerank") == 0 ? LLMLAB_SPAN_RERANK : LLMLAB_SPAN_LLM;
}

static void
send_reply(cli_replay_t *replay, const cli_reply_row_t *row,
           const llmlab_reply_t *reply, const cli_replay_time_t *time)
{
    llmlab_span_t *span = llmlab_span_start(replay->client, replay->root,
                                            row->api, kind_of(row->api));

    /* Times first: the price is that of the start. */
    llmlab_span_set_times(span, time->start_ns, time->end_ns);
    llmlab_span_set_reply(span, reply);
    if (row->stream) {
        llmlab_span_set_stream(span, 1);
    }
    if (row->status >= 400) {
        llmlab_span_set_error(
            span, reply->error_type[0] != '\0' ? reply->error_type : "http",
            reply->error_code, (int)row->status);
    }
    llmlab_span_end(span);
}

/* The i-th of `total` replies. Traces are laid out evenly over spread_ns, each
 * with its calls one after another; without a spread all end now. */
static cli_replay_time_t
time_of(const cli_replay_t *replay, uint64_t i, uint64_t total,
        const cli_reply_row_t *row, const llmlab_reply_t *reply)
{
    uint64_t traces = (total + replay->steps - 1) / replay->steps;
    uint64_t trace = i / replay->steps;
    uint64_t output = 0;
    int64_t latency;
    int64_t offset = 0;
    int64_t span;

    llmlab_usage_get(&reply->usage, LLMLAB_USAGE_OUTPUT_TOKENS, &output);
    latency = cli_replay_latency_ns(output);
    span = latency;
    if (replay->spread_ns != 0) {
        offset = replay->elapsed_ns;
        if (traces > 1) {
            offset += (int64_t)((double)replay->spread_ns * (double)trace /
                                (double)(traces - 1));
        }
        span = replay->spread_ns + replay->elapsed_ns + latency;
    }
    return cli_replay_time(replay, offset, span, latency,
                           row->time_ns != 0 ? row->time_ns
                                             : reply->created_ns);
}

bool
cli_replay_replies(cli_replay_t *replay)
{
    cli_jsonl_t lines;
    llmlab__buf_t body;
    char index[4096];
    char *line;
    size_t size;
    uint64_t total;
    uint64_t i = 0;

    snprintf(index, sizeof(index), "%s/index.jsonl", replay->path);
    total = count_lines(index);
    if (!cli_jsonl_open(&lines, index)) {
        return false;
    }
    llmlab__buf_init(&body);
    cli_progress_start(&replay->progress, "replay", total);
    while (cli_jsonl_next(&lines, &line, &size) && cli_replay_enter(replay)) {
        cli_reply_row_t row;
        llmlab_reply_t reply;
        llmlab_status_t status;
        cli_replay_time_t time;
        const char *fault = cli_reply_row_parse(&row, line, size);

        if (fault == NULL) {
            fault =
                cli_reply_row_read(&row, replay->path, &body, &reply, &status);
        }
        if (fault != NULL) {
            cli_progress_finish(&replay->progress);
            cli_jsonl_bad(&lines, "%s", fault);
            continue;
        }
        time = time_of(replay, i, total, &row, &reply);
        send_reply(replay, &row, &reply, &time);
        cli_replay_leave(replay, &time);
        cli_progress_update(&replay->progress, ++i);
    }
    cli_replay_finish(replay);
    cli_progress_finish(&replay->progress);
    llmlab__buf_cleanup(&body);
    return cli_jsonl_close(&lines) == 0;
}
