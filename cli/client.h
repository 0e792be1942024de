/* Opening libllmlab for a command. */
#ifndef LLMLAB_CLI_CLIENT_H
#define LLMLAB_CLI_CLIENT_H

#include <llmlab/llmlab.h>

#include "cli/server.h"

/* A client for bulk work: it waits for room instead of dropping. Further
 * settings are name, value, ..., NULL. NULL after a line on stderr. */
llmlab_client_t *cli_client_open(const cli_server_t *server, ...)
    __attribute__((sentinel));

#endif
