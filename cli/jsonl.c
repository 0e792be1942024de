#include "cli/jsonl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"

bool
cli_jsonl_open(cli_jsonl_t *lines, const char *path)
{
    struct stat status;

    memset(lines, 0, sizeof(*lines));
    if (path == NULL || strcmp(path, "-") == 0) {
        lines->file = stdin;
        lines->name = "standard input";
        /* Whoever pipes a log through wants each answer with its line. */
        if (fstat(STDIN_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) {
            setvbuf(stdout, NULL, _IOLBF, 0);
        }
        return true;
    }
    lines->name = path;
    lines->file = fopen(path, "re");
    if (lines->file == NULL) {
        fprintf(stderr, "llmlab: %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

static bool
is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r", line[i]) == NULL || line[i] == '\0') {
            return false;
        }
    }
    return true;
}

bool
cli_jsonl_next(cli_jsonl_t *lines, char **line, size_t *size)
{
    for (;;) {
        ssize_t got = getline(&lines->buffer, &lines->capacity, lines->file);

        if (got < 0) {
            if (ferror(lines->file)) {
                fprintf(stderr, "llmlab: %s: %s\n", lines->name,
                        strerror(errno));
                lines->bad++;
            }
            return false;
        }
        lines->number++;
        if (got > 0 && lines->buffer[got - 1] == '\n') {
            lines->buffer[--got] = '\0';
        }
        if (!is_blank(lines->buffer, (size_t)got)) {
            *line = lines->buffer;
            *size = (size_t)got;
            return true;
        }
    }
}

void
cli_jsonl_bad(cli_jsonl_t *lines, const char *format, ...)
{
    va_list args;

    lines->bad++;
    /* Keep the messages in the order of the results when both go to one
     * terminal. */
    fflush(stdout);
    fprintf(stderr, "llmlab: %s: line %zu: ", lines->name, lines->number);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int
cli_jsonl_close(cli_jsonl_t *lines)
{
    if (lines->file != NULL && lines->file != stdin) {
        fclose(lines->file);
    }
    free(lines->buffer);
    lines->buffer = NULL;
    lines->file = NULL;
    return lines->bad == 0 ? CLI_OK : CLI_FAILED;
}
