/* A child process whose standard output we read. */
#ifndef LLMLAB_CLI_PROCESS_H
#define LLMLAB_CLI_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct cli_process_s {
    pid_t pid;  /* 0: none */
    int output; /* its standard output; -1: none */
    char pending[4096];
    size_t pending_size;
} cli_process_t;

/* Start argv[0] (a path) with its standard output on a pipe and, unless it is
 * NULL, its standard error in the file error_path; it is told to end when we
 * do. False after a line on stderr. */
bool cli_process_start(cli_process_t *process, const char *const *argv,
                       const char *error_path);

bool cli_process_running(cli_process_t *process);

/* The next line of its output, without its end and cut at the capacity. False
 * at its end, after timeout_ms, or when a signal came. */
bool cli_process_line(cli_process_t *process, char *line, size_t capacity,
                      int64_t timeout_ms);

/* Wait for its end; its exit code, or -1 when it was killed. */
int cli_process_wait(cli_process_t *process);

/* SIGTERM, and SIGKILL after five seconds. */
void cli_process_stop(cli_process_t *process);

#endif
