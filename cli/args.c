#include "cli/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned
cli_distance(const char *a, const char *b)
{
    enum { ROOM = 64 };
    unsigned row[ROOM + 1];
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);

    if (a_size > ROOM || b_size > ROOM) {
        return ROOM;
    }
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned above = row[j];
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            if (above + 1 < best) {
                best = above + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_size];
}

static int
find_long(const cli_option_t *options, const char *name, size_t size)
{
    for (int i = 0; options[i].name != NULL; i++) {
        if (strlen(options[i].name) == size &&
            memcmp(options[i].name, name, size) == 0) {
            return i;
        }
    }
    return -1;
}

static int
find_letter(const cli_option_t *options, char letter)
{
    for (int i = 0; options[i].name != NULL; i++) {
        if (options[i].letter == letter) {
            return i;
        }
    }
    return -1;
}

static void
report_unknown(const cli_option_t *options, const char *argument)
{
    const char *nearest = NULL;
    unsigned best = 3;

    for (int i = 0; options[i].name != NULL; i++) {
        unsigned distance = cli_distance(argument + 2, options[i].name);

        if (argument[1] == '-' && distance < best) {
            best = distance;
            nearest = options[i].name;
        }
    }
    fprintf(stderr, "llmlab: unknown option %s", argument);
    if (nearest != NULL) {
        fprintf(stderr, ", did you mean --%s?", nearest);
    }
    fputc('\n', stderr);
}

/* Takes the option argv[*at]; *at moves on to its last word. */
static bool
take_option(cli_args_t *args, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    const char *attached = NULL;
    int found;

    if (argument[1] == '-') {
        size_t size = strcspn(argument + 2, "=");

        found = find_long(args->options, argument + 2, size);
        if (argument[2 + size] == '=') {
            attached = argument + 2 + size + 1;
        }
    } else {
        found = find_letter(args->options, argument[1]);
        if (argument[2] != '\0') {
            attached = argument + 2;
        }
    }
    if (found < 0) {
        report_unknown(args->options, argument);
        return false;
    }
    if (args->options[found].value == NULL) {
        if (attached != NULL) {
            fprintf(stderr, "llmlab: --%s takes no value\n",
                    args->options[found].name);
            return false;
        }
        args->values[found] = "";
        return true;
    }
    if (attached == NULL) {
        if (*at + 1 >= argc) {
            fprintf(stderr, "llmlab: --%s needs a value: %s\n",
                    args->options[found].name, args->options[found].value);
            return false;
        }
        attached = argv[++*at];
    }
    args->values[found] = attached;
    return true;
}

bool
cli_args_parse(cli_args_t *args, const cli_option_t *options, int argc,
               char **argv)
{
    bool only_operands = false;

    memset(args, 0, sizeof(*args));
    args->options = options;
    args->operands = calloc((size_t)argc + 1, sizeof(*args->operands));
    if (args->operands == NULL) {
        fputs("llmlab: out of memory\n", stderr);
        return false;
    }
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i];

        if (only_operands || argument[0] != '-' || argument[1] == '\0') {
            args->operands[args->count++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            only_operands = true;
        } else if (!take_option(args, argc, argv, &i)) {
            return false;
        }
    }
    return true;
}

void
cli_args_cleanup(cli_args_t *args)
{
    free(args->operands);
    args->operands = NULL;
}

const char *
cli_args_get(const cli_args_t *args, const char *name)
{
    int i = find_long(args->options, name, strlen(name));

    if (i < 0) {
        abort();
    }
    return args->values[i];
}

bool
cli_args_flag(const cli_args_t *args, const char *name)
{
    return cli_args_get(args, name) != NULL;
}

bool
cli_args_int(const cli_args_t *args, const char *name, int64_t low,
             int64_t high, int64_t fallback, int64_t *out)
{
    const char *text = cli_args_get(args, name);
    char *end;
    long long value;

    if (text == NULL) {
        *out = fallback;
        return true;
    }
    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < low ||
        value > high) {
        fprintf(stderr,
                "llmlab: --%s: \"%s\" is no whole number from %lld to %lld\n",
                name, text, (long long)low, (long long)high);
        return false;
    }
    *out = value;
    return true;
}
