#include "cli/jsonl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <llmlab/status.h>

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

/* Some editors and exporters begin a file with U+FEFF. */
static size_t
mark_size(const cli_jsonl_t *lines)
{
    return lines->number == 1 && strncmp(lines->buffer, "\xEF\xBB\xBF", 3) == 0
               ? 3
               : 0;
}

bool
cli_jsonl_next(cli_jsonl_t *lines, char **line, size_t *size)
{
    for (;;) {
        ssize_t got = getline(&lines->buffer, &lines->capacity, lines->file);
        size_t mark;

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
        mark = mark_size(lines);
        if (!is_blank(lines->buffer + mark, (size_t)got - mark)) {
            *line = lines->buffer + mark;
            *size = (size_t)got - mark;
            return true;
        }
    }
}

const char *
cli_jsonl_parse_fault(void)
{
    static const char first[] = "line 1, ";
    const char *detail = llmlab_status_detail();

    return strncmp(detail, first, sizeof(first) - 1) == 0
               ? detail + sizeof(first) - 1
               : detail;
}

void
cli_jsonl_bad(cli_jsonl_t *lines, const char *format, ...)
{
    va_list args;

    lines->bad++;
    /* Keep the messages in the order of the results when both go to one
     * terminal. */
    fflush(stdout);
    fprintf(stderr, "llmlab: %s: line %zu: ", lines->name,
            lines->number != 0 ? lines->number : 1); /* an empty file */
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

int
cli_jsonl_answer(const char *path, cli_jsonl_answer_fn answer,
                 const void *context)
{
    cli_jsonl_t lines;
    llmlab__buf_t buf;
    char *line;
    size_t size;

    if (!cli_jsonl_open(&lines, path)) {
        return CLI_FAILED;
    }
    llmlab__buf_init(&buf);
    while (cli_jsonl_next(&lines, &line, &size)) {
        answer(&lines, &buf, line, size, context);
    }
    llmlab__buf_cleanup(&buf);
    return cli_jsonl_close(&lines);
}
