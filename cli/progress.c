#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define DRAW_INTERVAL_NS 100000000

void
cli_progress_start(cli_progress_t *progress, const char *label, uint64_t total)
{
    progress->label = label;
    progress->total = total;
    progress->start_ns = llmlab__clock_mono_ns();
    progress->next_ns = 0;
    progress->shown = isatty(STDERR_FILENO) == 1;
}

void
cli_progress_update(cli_progress_t *progress, uint64_t done)
{
    static const char full[] = "##############################";
    const int width = (int)sizeof(full) - 1;
    double share;
    double seconds;
    int64_t now;

    if (!progress->shown) {
        return;
    }
    now = llmlab__clock_mono_ns();
    if (now < progress->next_ns) {
        return;
    }
    progress->next_ns = now + DRAW_INTERVAL_NS;
    share = progress->total == 0 ? 1 : (double)done / (double)progress->total;
    share = share > 1 ? 1 : share;
    seconds = (double)(now - progress->start_ns) / 1e9;
    fprintf(stderr, "\r%s [%-*.*s] %3.0f%%  %" PRIu64 "/%" PRIu64 "  %.0f/s ",
            progress->label, width, (int)(share * width), full, share * 100,
            done, progress->total, seconds > 0 ? (double)done / seconds : 0);
    fflush(stderr);
}

void
cli_progress_finish(cli_progress_t *progress)
{
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
