/* What the commands that change something share: a verb with operands, a body,
 * the reply for people or as JSON. */
#ifndef LLMLAB_CLI_MANAGE_H
#define LLMLAB_CLI_MANAGE_H

#include <stdbool.h>

#include "base/json_write.h"
#include "cli/args.h"
#include "cli/remote.h"
#include "cli/table.h"

typedef struct cli_manage_s {
    const cli_args_t *args;
    cli_server_t server;
    cli_remote_t remote;
    llmlab__buf_t body; /* an object that is begun */
    llmlab__json_out_t out;
} cli_manage_t;

typedef struct cli_verb_s {
    const char *name;     /* NULL ends the table; the first is the default */
    const char *operands; /* "SLUG NAME", or "" */
    bool (*run)(cli_manage_t *manage);
} cli_verb_t;

/* Run the verb that the first operand names. An exit code. */
int cli_manage_run(const cli_args_t *args, const char *command,
                   const cli_verb_t *verbs);
/* The verb's operand by number. */
const char *cli_manage_operand(const cli_manage_t *manage, int number);
/* A member more of the body; a NULL value leaves it out. */
void cli_manage_text(cli_manage_t *manage, const char *name, const char *value);
/* Send the body and print the reply's JSON; with `print`, unless --json is
 * given, what print makes of it. */
bool cli_manage_send(cli_manage_t *manage, const char *method,
                     bool (*print)(const cJSON *reply));
/* Ask for what was begun and print the reply's JSON. */
bool cli_manage_get(cli_manage_t *manage);
/* As above, without a body and a reply: one line says that it is done. */
bool cli_manage_end(cli_manage_t *manage, const char *method, const char *done);
/* Print all pages of a list: as a table of these members, or as JSON. Members
 * and headers are separated by "|". */
bool cli_manage_list(cli_manage_t *manage, const char *headers,
                     const char *members);

#endif
