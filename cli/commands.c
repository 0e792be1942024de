/* The command table: a new command is declared and listed here. */
#include "cli/command.h"

#include <stddef.h>

extern const cli_command_t cli_command_version;

const cli_command_t *const cli_commands[] = {
    &cli_command_version,
    NULL,
};
