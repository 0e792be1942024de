/* The command line of llmlab-server. */
#ifndef LLMLAB_SERVER_OPTIONS_H
#define LLMLAB_SERVER_OPTIONS_H

#include <stdbool.h>

#include <llmlab/config.h>

#include "server.h"

#define LLMLAB__PATH_TEXT 4096

typedef struct llmlab__options_s {
    const char *listen;
    const char *metrics_listen; /* NULL: no metrics */
    const char *port_file;      /* NULL: none */
    const char *tls_cert;       /* file names */
    const char *tls_key;
    char db[LLMLAB__PATH_TEXT];
    char exports[LLMLAB__PATH_TEXT + 32]; /* folders beside it */
    char backups[LLMLAB__PATH_TEXT + 32];
    char master_key[LLMLAB__PATH_TEXT + 32];
    bool behind_proxy;
    unsigned drain_delay;   /* seconds */
    unsigned drain_seconds; /* seconds */
    llmlab__network_t proxies[LLMLAB__PROXIES_MAX];
    size_t proxy_count;
    const char *origins[LLMLAB__ORIGINS_MAX];
    size_t origin_count;
    unsigned long key_limit; /* requests a minute */
    unsigned long account_limit;
    unsigned threads;
    llmlab_log_level_t log_level;
    llmlab__limits_t limits;

    /* key create, list, revoke; account reset */
    const char *project;
    const char *name;
    const char *scope;
    const char *id;

    /* backup, restore, compact, check */
    const char *file;
    unsigned hours; /* 0: all */
    bool json;
} llmlab__options_t;

typedef enum llmlab__parse_e {
    LLMLAB__PARSE_OK,
    LLMLAB__PARSE_HELP, /* the help was printed */
    LLMLAB__PARSE_BAD   /* a line on stderr told what is wrong */
} llmlab__parse_t;

/* Read argv[1] and on; `command` is "" or "key create" and so on. */
llmlab__parse_t llmlab__options_parse(llmlab__options_t *out, int argc,
                                      char **argv, const char *command);

#endif
