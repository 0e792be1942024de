/* What a command is. Each lives in its own file and defines one of these;
 * commands.c lists them. */
#ifndef LLMLAB_CLI_COMMAND_H
#define LLMLAB_CLI_COMMAND_H

#include "cli/args.h"

/* The exit codes of every command. */
enum {
    CLI_OK = 0,
    CLI_FAILED = 1, /* some line, file or request went wrong: told on stderr */
    CLI_MISUSED = 2 /* unknown command or option, bad value: nothing was done */
};

typedef struct cli_command_s {
    const char *name;
    const char *synopsis;        /* "[--jsonl] [FILE]" */
    const char *summary;         /* one line for the list */
    const char *help;            /* paragraphs for --help */
    const cli_option_t *options; /* --help is added by itself */
    int (*run)(const cli_args_t *args);
} cli_command_t;

/* All commands, NULL-terminated, in the order of the help. */
extern const cli_command_t *const cli_commands[];

#endif
