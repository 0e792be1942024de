/* The command table: a new command is declared and listed here. */
#include "cli/command.h"

#include <stddef.h>

extern const cli_command_t cli_command_cost;
extern const cli_command_t cli_command_resolve;
extern const cli_command_t cli_command_version;

const cli_command_t *const cli_commands[] = {
    &cli_command_cost,
    &cli_command_resolve,
    &cli_command_version,
    NULL,
};
