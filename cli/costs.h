/* The server's costs as a table, for the commands that print them. */
#ifndef LLMLAB_CLI_COSTS_H
#define LLMLAB_CLI_COSTS_H

#include <stdbool.h>

#include "base/json_dom.h"
#include "cli/table.h"

/* Rows of a /costs reply; its groups are the first columns. Clean up in any
 * case. False after a line on stderr: it is no such reply. */
bool cli_costs_table(cli_table_t *table, const cJSON *costs);

/* A member as text: a string's, a number's, or NULL. Borrowed. */
const char *cli_member_text(const cJSON *object, const char *key);

#endif
