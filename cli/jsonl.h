/* Line by line through a file or standard input; lines may be of any length
 * and hold any byte. One bad line is told and does not stop the rest. */
#ifndef LLMLAB_CLI_JSONL_H
#define LLMLAB_CLI_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <llmlab/export.h>

typedef struct cli_jsonl_s {
    FILE *file;
    const char *name; /* for messages */
    char *buffer;
    size_t capacity;
    size_t number; /* of the line that was read last, from 1 */
    size_t bad;    /* lines told to be bad */
} cli_jsonl_t;

/* path NULL or "-": standard input. False after a line on stderr. */
bool cli_jsonl_open(cli_jsonl_t *lines, const char *path);

/* The next line that is not blank, without its end, NUL-terminated; borrowed
 * until the next call. False at the end. */
bool cli_jsonl_next(cli_jsonl_t *lines, char **line, size_t *size);

/* Tell on stderr what is wrong with the line that was read last. */
void cli_jsonl_bad(cli_jsonl_t *lines, const char *format, ...)
    LLMLAB_PRINTF(2, 3);

/* Close; the command's exit code: CLI_FAILED after a bad line or a read
 * error. */
int cli_jsonl_close(cli_jsonl_t *lines);

#endif
