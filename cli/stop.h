/* Ctrl-C asks a command to end in order; a second one ends it at once. */
#ifndef LLMLAB_CLI_STOP_H
#define LLMLAB_CLI_STOP_H

#include <stdbool.h>

/* From here on SIGINT and SIGTERM only set a flag. */
void cli_stop_catch(void);
/* Has one come? */
bool cli_stop_asked(void);

#endif
