/* A real llmlab-server on a database in a folder of its own. */
#ifndef LLMLAB_BENCH_SERVER_H
#define LLMLAB_BENCH_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct bench_server_s {
    char folder[256];
    char database[300];
    char key[64];      /* for ingest */
    char read_key[64]; /* for questions */
    int port;
    pid_t pid;
} bench_server_t;

/* Make a folder below where, a key in a fresh database, and start the server.
 * False, with the reason on stderr, when any of it fails. */
bool bench_server_start(bench_server_t *server, const char *where);

/* CPU time that the server has used, in seconds. */
double bench_server_cpu(const bench_server_t *server);

/* End it by SIGTERM; its exit status. */
int bench_server_stop(bench_server_t *server);

/* Remove the folder. */
void bench_server_remove(const bench_server_t *server);

#endif
