/* A progress bar on stderr; nothing where stderr is no terminal. */
#ifndef LLMLAB_CLI_PROGRESS_H
#define LLMLAB_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_progress_s {
    const char *label;
    uint64_t total;
    int64_t start_ns; /* CLOCK_MONOTONIC */
    int64_t next_ns;  /* not drawn before */
    bool shown;
} cli_progress_t;

void cli_progress_start(cli_progress_t *progress, const char *label,
                        uint64_t total);
void cli_progress_update(cli_progress_t *progress, uint64_t done);
/* Clear the line. */
void cli_progress_finish(cli_progress_t *progress);

#endif
