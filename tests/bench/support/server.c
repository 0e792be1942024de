#include "bench/support/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM LLMLAB_BUILD_DIR "/bin/llmlab-server"

/* A key as the server prints it, once. */
static bool
make_key(const bench_server_t *server, const char *scope, char out[64])
{
    char command[1024];
    FILE *pipe;

    snprintf(command, sizeof command,
             "'%s' key create --db '%s' --project bench --scope %s", PROGRAM,
             server->database, scope);
    pipe = popen(command, "r");
    out[0] = '\0';
    if (pipe != NULL) {
        if (fgets(out, 64, pipe) == NULL) {
            out[0] = '\0';
        }
        pclose(pipe);
    }
    out[strcspn(out, "\n")] = '\0';
    return strncmp(out, "llmlab_sk_", 10) == 0;
}

/* Wait until the server has written its port. */
static int
wait_for_port(const bench_server_t *server, const char *path)
{
    int i;

    for (i = 0; i < 200; i++) {
        FILE *file = fopen(path, "r");
        int port = 0;

        if (file != NULL) {
            if (fscanf(file, "%d", &port) != 1) {
                port = 0;
            }
            fclose(file);
        }
        if (port > 0) {
            return port;
        }
        if (waitpid(server->pid, NULL, WNOHANG) != 0) {
            return 0;
        }
        usleep(50000);
    }
    return 0;
}

bool
bench_server_start(bench_server_t *server, const char *where)
{
    char port_file[320];
    char log[320];

    memset(server, 0, sizeof *server);
    snprintf(server->folder, sizeof server->folder, "%s/bench-server-XXXXXX",
             where);
    if (mkdtemp(server->folder) == NULL) {
        perror(server->folder);
        return false;
    }
    snprintf(server->database, sizeof server->database, "%s/llmlab.db",
             server->folder);
    snprintf(port_file, sizeof port_file, "%s/port", server->folder);
    snprintf(log, sizeof log, "%s/log", server->folder);
    if (!make_key(server, "ingest", server->key) ||
        !make_key(server, "read", server->read_key)) {
        fprintf(stderr, "%s makes no key\n", PROGRAM);
        return false;
    }
    server->pid = fork();
    if (server->pid == 0) {
        int fd = open(log, O_CREAT | O_WRONLY, 0600);

        dup2(fd, 1);
        dup2(fd, 2);
        execl(PROGRAM, PROGRAM, "--db", server->database, "--listen",
              "127.0.0.1:0", "--port-file", port_file, "--log-level", "warning",
              (char *)NULL);
        _exit(127);
    }
    server->port = wait_for_port(server, port_file);
    return server->port > 0;
}

double
bench_server_cpu(const bench_server_t *server)
{
    char path[64];
    unsigned long long user = 0;
    unsigned long long system_time = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)server->pid);
    file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file,
                   "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                   "%llu %llu",
                   &user, &system_time) != 2) {
            user = 0;
        }
        fclose(file);
    }
    return (double)(user + system_time) / (double)sysconf(_SC_CLK_TCK);
}

int
bench_server_stop(bench_server_t *server)
{
    int status = -1;

    kill(server->pid, SIGTERM);
    if (waitpid(server->pid, &status, 0) != server->pid) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
bench_server_remove(const bench_server_t *server)
{
    static const char *const names[] = {
        "llmlab.db",   "llmlab.db-wal", "llmlab.db-shm", "bare.db",
        "bare.db-wal", "bare.db-shm",   "port",          "log"};
    char path[320];
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", server->folder, names[i]);
        unlink(path);
    }
    rmdir(server->folder);
}
