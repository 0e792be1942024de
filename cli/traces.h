/* The server's list of traces as a table. */
#ifndef LLMLAB_CLI_TRACES_H
#define LLMLAB_CLI_TRACES_H

#include <stdbool.h>

#include "base/json_dom.h"
#include "cli/table.h"

/* Clean up in any case. False after a line on stderr. */
bool cli_traces_table(cli_table_t *table, const cJSON *list);

#endif
