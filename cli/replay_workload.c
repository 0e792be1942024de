/* Workloads that state only times and counts: one-shot records. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/replay.h"

bool
cli_workload_add(cli_workload_t *workload, const cli_workload_call_t *call)
{
    if (workload->count == workload->capacity) {
        size_t capacity =
            workload->capacity == 0 ? 1024 : 2 * workload->capacity;
        cli_workload_call_t *calls =
            realloc(workload->calls, capacity * sizeof(*calls));

        if (calls == NULL) {
            fputs("llmlab: out of memory\n", stderr);
            return false;
        }
        workload->calls = calls;
        workload->capacity = capacity;
    }
    workload->calls[workload->count++] = *call;
    return true;
}

void
cli_workload_cleanup(cli_workload_t *workload)
{
    free(workload->calls);
    workload->calls = NULL;
    workload->count = 0;
}

/* From the first start to the last end. */
static int64_t
workload_span_ns(const cli_workload_t *workload)
{
    int64_t span = 0;

    for (size_t i = 0; i < workload->count; i++) {
        const cli_workload_call_t *call = &workload->calls[i];
        int64_t end = call->offset_ns + cli_replay_latency_ns(call->output);

        span = end > span ? end : span;
    }
    return span;
}

/* Stretch or squeeze the workload to so long. */
static void
spread(cli_workload_t *workload, int64_t spread_ns)
{
    int64_t last = 0;

    for (size_t i = 0; i < workload->count; i++) {
        if (workload->calls[i].offset_ns > last) {
            last = workload->calls[i].offset_ns;
        }
    }
    for (size_t i = 0; i < workload->count && last > 0; i++) {
        cli_workload_call_t *call = &workload->calls[i];

        call->offset_ns = (int64_t)((double)call->offset_ns / (double)last *
                                    (double)spread_ns);
    }
}

static void
send_call(cli_replay_t *replay, const cli_workload_call_t *call,
          const cli_replay_time_t *time)
{
    size_t model = (replay->traces - 1) % replay->model_count;
    llmlab_usage_t usage;
    llmlab_call_t record;

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, call->input);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, call->output);
    if (call->cached > 0) {
        llmlab_usage_set(&usage, LLMLAB_USAGE_CACHE_READ_TOKENS, call->cached);
    }
    llmlab_call_init(&record);
    record.parent = replay->root;
    record.start_ns = time->start_ns;
    record.end_ns = time->end_ns;
    record.provider = llmlab_text_of(replay->models[model].provider);
    record.model = llmlab_text_of(replay->models[model].model);
    record.usage = &usage;
    llmlab_record_call(replay->client, &record);
}

bool
cli_replay_workload(cli_replay_t *replay, cli_workload_t *workload)
{
    int64_t span;

    if (replay->spread_ns != 0) {
        spread(workload, replay->spread_ns);
    }
    span = workload_span_ns(workload);
    cli_progress_start(&replay->progress, "replay", workload->count);
    for (size_t i = 0; i < workload->count && cli_replay_enter(replay); i++) {
        const cli_workload_call_t *call = &workload->calls[i];
        int64_t recorded =
            workload->first_ns == 0 ? 0 : workload->first_ns + call->offset_ns;
        cli_replay_time_t time =
            cli_replay_time(replay, call->offset_ns, span,
                            cli_replay_latency_ns(call->output), recorded);

        send_call(replay, call, &time);
        cli_replay_leave(replay, &time);
        cli_progress_update(&replay->progress, i + 1);
    }
    cli_replay_finish(replay);
    cli_progress_finish(&replay->progress);
    return true;
}
