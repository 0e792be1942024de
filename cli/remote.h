/* Questions to llmlab-server. */
#ifndef LLMLAB_CLI_REMOTE_H
#define LLMLAB_CLI_REMOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/json_dom.h"
#include "cli/server.h"

typedef struct cli_remote_s {
    const cli_server_t *server;
    void *curl;
    void *headers;
    llmlab__buf_t url;
    llmlab__buf_t body; /* of the last reply */
    bool has_query;
} cli_remote_t;

/* False after a line on stderr. Close in either case. */
bool cli_remote_open(cli_remote_t *remote, const cli_server_t *server);
void cli_remote_close(cli_remote_t *remote);

/* A question: {url}/v1/projects/{project}/{path}, then its parameters. A NULL
 * value leaves the parameter out. */
void cli_remote_begin(cli_remote_t *remote, const char *path);
void cli_remote_param(cli_remote_t *remote, const char *name,
                      const char *value);

/* As above; "start" is an instant where the value has a T, else "start_date",
 * a whole day. */
void cli_remote_time_param(cli_remote_t *remote, const char *name,
                           const char *value);

/* Ask. A busy server (429, 503) is asked again after what it says, else with
 * growing random pauses. False after a line on stderr that tells what to do;
 * true: the body holds a 200's reply. */
bool cli_remote_get(cli_remote_t *remote);

/* As above; the reply as JSON. *out is owned (cJSON_Delete). */
bool cli_remote_get_json(cli_remote_t *remote, cJSON **out);

#endif
