/* llmlab-server backup, restore, compact and check. */
#ifndef LLMLAB_SERVER_UPKEEP_COMMAND_H
#define LLMLAB_SERVER_UPKEEP_COMMAND_H

#include <stdbool.h>

#include "options.h"

/* Is it one of these? */
bool llmlab__upkeep_is(const char *verb);
/* The exit code: 0, 1 when it failed, 3 when a check found differences. */
int llmlab__upkeep_command(const char *verb, const llmlab__options_t *options);

#endif
