/* llmlab-server key create | list | revoke. */
#ifndef LLMLAB_SERVER_KEY_COMMAND_H
#define LLMLAB_SERVER_KEY_COMMAND_H

#include "options.h"

/* The exit status. */
int llmlab__key_command(const char *verb, const llmlab__options_t *options);

#endif
