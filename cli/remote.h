/* Questions to llmlab-server. */
#ifndef LLMLAB_CLI_REMOTE_H
#define LLMLAB_CLI_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json_dom.h"
#include "cli/saved_login.h"
#include "cli/server.h"

typedef struct cli_remote_s {
    const cli_server_t *server;
    cli_saved_login_t login; /* used when no key is given */
    const char *base;        /* the server's address */
    void *curl;
    void *headers;
    llmlab__buf_t url;
    llmlab__buf_t body; /* of the last reply */
    const char *method; /* of what is asked; NULL: GET */
    bool has_query;
} cli_remote_t;

/* Asks with the key that is given, else as who has logged in. False after a
 * line on stderr. Close in either case. */
bool cli_remote_open(cli_remote_t *remote, const cli_server_t *server);
void cli_remote_close(cli_remote_t *remote);

/* A question: {url}/v1/projects/{project}/{path}, then its parameters. A NULL
 * value leaves the parameter out. */
void cli_remote_begin(cli_remote_t *remote, const char *path);
void cli_remote_param(cli_remote_t *remote, const char *name,
                      const char *value);

/* Of the server itself: {url}/v1/{path}. */
void cli_remote_begin_server(cli_remote_t *remote, const char *path);
/* A part more of the path, escaped. */
void cli_remote_part(cli_remote_t *remote, const char *text);

/* As cli_remote_param; "start" is an instant where the value has a T, else
 * "start_date", a whole day. */
void cli_remote_time_param(cli_remote_t *remote, const char *name,
                           const char *value);

/* Ask. A busy server (429, 503) is asked again after what it says, else with
 * growing random pauses. False after a line on stderr that tells what to do;
 * true: the body holds a 200's reply. */
bool cli_remote_get(cli_remote_t *remote);

/* As above, but a 200's reply goes into the file while it comes, however long
 * it is. False also when it does not come whole. */
bool cli_remote_get_to(cli_remote_t *remote, FILE *file);

/* Ask for a change: "POST", "PATCH", "DELETE". body: an object as JSON, or
 * NULL. True: the body holds what a 2xx replied, if anything. A POST that is
 * asked again has the same Idempotency-Key. */
bool cli_remote_send(cli_remote_t *remote, const char *method,
                     const llmlab__buf_t *body);

/* As cli_remote_get; the reply as JSON. *out is owned (cJSON_Delete). */
bool cli_remote_get_json(cli_remote_t *remote, cJSON **out);

#endif
