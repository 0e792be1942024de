/* Which llmlab-server a command talks to. */
#ifndef LLMLAB_CLI_SERVER_H
#define LLMLAB_CLI_SERVER_H

#include <stdbool.h>

#include "cli/args.h"

/* --url, --key, --project: rows of an option table. */
#define CLI_SERVER_OPTIONS                                                \
    {"url", "URL", "llmlab-server's address (else LLMLAB_URL)", 0},       \
        {"key", "KEY", "API key (else LLMLAB_API_KEY)", 0},               \
    {                                                                     \
        "project", "P", "project (else LLMLAB_PROJECT, the key's own)", 0 \
    }

/* Where the server is and who asks. Borrowed texts. */
typedef struct cli_server_s {
    const char *url;     /* never NULL */
    bool has_url;        /* somebody said so: it is not the default */
    const char *key;     /* NULL: none */
    const char *project; /* never NULL; "-": the key's own */
} cli_server_t;

/* The address alone. */
void cli_server_url(cli_server_t *server, const cli_args_t *args);
/* From the options, the variables, the defaults, in this order. */
void cli_server_init(cli_server_t *server, const cli_args_t *args);

#endif
