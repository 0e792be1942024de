/* Line by line through a file or standard input; lines may be of any length
 * and hold any byte. One bad line is told and does not stop the rest. */
#ifndef LLMLAB_CLI_JSONL_H
#define LLMLAB_CLI_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <llmlab/export.h>

#include "base/buf.h"

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

/* The next line that is not blank, without its end and the file without its
 * byte order mark, NUL-terminated; borrowed until the next call. False at the
 * end. */
bool cli_jsonl_next(cli_jsonl_t *lines, char **line, size_t *size);

/* What is wrong with the JSON of the line that was read last: the detail of
 * its parser, which counts lines from the line's own start. */
const char *cli_jsonl_parse_fault(void);

/* Tell on stderr what is wrong with the line that was read last. */
void cli_jsonl_bad(cli_jsonl_t *lines, const char *format, ...)
    LLMLAB_PRINTF(2, 3);

/* Answer every line of path, and the command's exit code. answer writes the
 * result to buf and prints it. */
typedef void (*cli_jsonl_answer_fn)(cli_jsonl_t *lines, llmlab__buf_t *buf,
                                    const char *line, size_t size,
                                    const void *context);
int cli_jsonl_answer(const char *path, cli_jsonl_answer_fn answer,
                     const void *context);

/* Close; the command's exit code: CLI_FAILED after a bad line or a read
 * error. */
int cli_jsonl_close(cli_jsonl_t *lines);

#endif
