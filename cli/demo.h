/* A llmlab-server of our own on a temporary folder, for llmlab demo. */
#ifndef LLMLAB_CLI_DEMO_H
#define LLMLAB_CLI_DEMO_H

#include <stdbool.h>

#include "cli/process.h"

typedef struct cli_demo_server_s {
    cli_process_t process;
    char folder[256]; /* "": none was made */
    char log[300];
    char url[64];
    char key[64];
} cli_demo_server_t;

/* Start it, with a project and a key that may do everything. False after a
 * line on stderr. Stop in either case. */
bool cli_demo_server_start(cli_demo_server_t *server);

/* Stop it and remove its folder. */
void cli_demo_server_stop(cli_demo_server_t *server);

#endif
