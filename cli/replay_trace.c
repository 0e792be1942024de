/* The traces that a replay makes, and their place in time. */
#include <time.h>

#include "base/clock.h"
#include "cli/replay.h"
#include "cli/stop.h"

#define SECOND_NS INT64_C(1000000000)

int64_t
cli_replay_latency_ns(uint64_t output_tokens)
{
    const int64_t first = 300000000;
    const int64_t each = 15000000;
    const int64_t longest = 120 * SECOND_NS;

    if (output_tokens >= (uint64_t)((longest - first) / each)) {
        return longest;
    }
    return first + (int64_t)output_tokens * each;
}

/* In short naps: a signal that came just before one must not cost the whole
 * wait. */
static void
sleep_until(int64_t mono_ns)
{
    const int64_t nap = SECOND_NS / 10;
    int64_t left;

    while (!cli_stop_asked() &&
           (left = mono_ns - llmlab__clock_mono_ns()) > 0) {
        struct timespec t = {.tv_nsec = left < nap ? left : nap};

        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    }
}

cli_replay_time_t
cli_replay_time(const cli_replay_t *replay, int64_t offset_ns, int64_t span_ns,
                int64_t latency_ns, int64_t recorded_ns)
{
    cli_replay_time_t time;

    if (replay->speed > 0) {
        sleep_until(replay->mono_ns +
                    (int64_t)((double)offset_ns / replay->speed));
    }
    if (replay->at_ns != 0) {
        time.start_ns = replay->at_ns;
    } else if (replay->keep_times && recorded_ns != 0) {
        time.start_ns = recorded_ns;
    } else if (replay->speed > 0) {
        time.start_ns = llmlab__clock_real_ns() - latency_ns;
    } else {
        time.start_ns = replay->wall_ns - span_ns + offset_ns;
    }
    time.end_ns = time.start_ns + latency_ns;
    return time;
}

bool
cli_replay_enter(cli_replay_t *replay)
{
    if (cli_stop_asked()) {
        return false;
    }
    if (replay->root != NULL) {
        return true;
    }
    if (replay->max_traces != 0 && replay->traces == replay->max_traces) {
        return false;
    }
    replay->root = llmlab_span_start(replay->client, NULL, replay->agent,
                                     LLMLAB_SPAN_AGENT);
    llmlab_span_add_tag(replay->root, "replay", 6);
    replay->traces++;
    replay->step = 0;
    replay->elapsed_ns = 0;
    replay->root_start_ns = INT64_MAX;
    replay->root_end_ns = 0;
    return true;
}

void
cli_replay_leave(cli_replay_t *replay, const cli_replay_time_t *time)
{
    replay->attempted++;
    replay->calls++;
    replay->step++;
    replay->elapsed_ns += time->end_ns - time->start_ns;
    if (time->start_ns < replay->root_start_ns) {
        replay->root_start_ns = time->start_ns;
    }
    if (time->end_ns > replay->root_end_ns) {
        replay->root_end_ns = time->end_ns;
    }
    if (replay->step == replay->steps) {
        cli_replay_finish(replay);
    }
}

void
cli_replay_finish(cli_replay_t *replay)
{
    if (replay->root == NULL) {
        return;
    }
    if (replay->step == 0) {
        llmlab_span_discard(replay->root);
        replay->root = NULL;
        replay->traces--;
        return;
    }
    llmlab_span_set_times(replay->root, replay->root_start_ns,
                          replay->root_end_ns);
    llmlab_span_end(replay->root);
    replay->root = NULL;
    replay->attempted++;
}
