/* Opening libllmlab for a command. */
#ifndef LLMLAB_CLI_CLIENT_H
#define LLMLAB_CLI_CLIENT_H

#include <llmlab/llmlab.h>

#include "cli/server.h"

/* A client for bulk work: it waits for room instead of dropping. settings:
 * further ones, name and value in turn, NULL at the end. NULL after a line on
 * stderr. */
llmlab_client_t *cli_client_open(const cli_server_t *server,
                                 const char *const *settings);

#endif
