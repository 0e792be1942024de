/* Options and operands of one command, read against its table:
 *
 *   --name VALUE  --name=VALUE  --flag  -n VALUE  --  OPERAND...
 *
 * Options may stand before or after operands; "-" is an operand (standard
 * input); after "--" everything is one. */
#ifndef LLMLAB_CLI_ARGS_H
#define LLMLAB_CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#define CLI_MAX_OPTIONS 32

typedef struct cli_option_s {
    const char *name;  /* without dashes; NULL ends the table */
    const char *value; /* what it takes, "DIR"; NULL: a flag */
    const char *text;  /* for the help */
    char letter;       /* short form; 0: none */
} cli_option_t;

typedef struct cli_args_s {
    const cli_option_t *options;
    const char *values[CLI_MAX_OPTIONS]; /* NULL: not given; "" for flags */
    const char **operands;               /* NULL-terminated */
    int count;                           /* of operands */
} cli_args_t;

/* Reads argv[0..argc) (without the command's name). False after a line on
 * stderr that names the fault. Clean up in either case. */
bool cli_args_parse(cli_args_t *args, const cli_option_t *options, int argc,
                    char **argv);
void cli_args_cleanup(cli_args_t *args);

/* The value given last, or NULL. Asking for a name that the table does not
 * hold is a fault of the program and aborts. */
const char *cli_args_get(const cli_args_t *args, const char *name);
bool cli_args_flag(const cli_args_t *args, const char *name);

/* The value as a whole number within [low, high]; fallback when not given.
 * False after a line on stderr. */
bool cli_args_int(const cli_args_t *args, const char *name, int64_t low,
                  int64_t high, int64_t fallback, int64_t *out);

/* Edit distance, for "did you mean". */
unsigned cli_distance(const char *a, const char *b);

#endif
