#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/demo.h"

#define PROJECT "demo"

/* llmlab-server lies beside llmlab. */
static bool
find_server(char *path, size_t capacity)
{
    const char name[] = "llmlab-server";
    ssize_t size = readlink("/proc/self/exe", path, capacity - 1);
    char *slash;

    if (size > 0) {
        path[size] = '\0';
        slash = strrchr(path, '/');
        if (slash != NULL &&
            (size_t)(slash + 1 - path) + sizeof(name) <= capacity) {
            memcpy(slash + 1, name, sizeof(name));
            if (access(path, X_OK) == 0) {
                return true;
            }
        }
    }
    fprintf(stderr, "llmlab: there is no %s beside this program\n", name);
    return false;
}

static bool
make_folder(cli_demo_server_t *server)
{
    const char *tmp = getenv("TMPDIR");

    tmp = tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp";
    if ((size_t)snprintf(server->folder, sizeof(server->folder),
                         "%s/llmlab-demo-XXXXXX",
                         tmp) >= sizeof(server->folder) ||
        mkdtemp(server->folder) == NULL) {
        fprintf(stderr, "llmlab: no folder in %s: %s\n", tmp, strerror(errno));
        server->folder[0] = '\0';
        return false;
    }
    return true;
}

static bool
make_key(cli_demo_server_t *server, const char *program, const char *database)
{
    const char *const argv[] = {program,  "key",       "create", "--db",
                                database, "--project", PROJECT,  "--scope",
                                "admin",  NULL};
    cli_process_t process;
    char line[256];
    bool found = false;

    if (!cli_process_start(&process, argv, NULL)) {
        return false;
    }
    while (cli_process_line(&process, line, sizeof(line), 20000)) {
        char *key = strstr(line, "llmlab_sk_");

        if (key != NULL) {
            key[strcspn(key, " \t\r\"")] = '\0';
            snprintf(server->key, sizeof(server->key), "%s", key);
            found = true;
        }
    }
    if (cli_process_wait(&process) != 0 || !found) {
        fputs("llmlab: llmlab-server made no key\n", stderr);
        return false;
    }
    return true;
}

static void
copy_log(const char *path)
{
    FILE *file = fopen(path, "re");
    int c;

    while (file != NULL && (c = fgetc(file)) != EOF) {
        fputc(c, stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static bool
start(cli_demo_server_t *server, const char *program, const char *database)
{
    const char *const argv[] = {program,    "--db",        database,
                                "--listen", "127.0.0.1:0", NULL};
    char line[1024];

    if (!cli_process_start(&server->process, argv, server->log)) {
        return false;
    }
    while (cli_process_line(&server->process, line, sizeof(line), 20000)) {
        char *url = strstr(line, "http://127.0.0.1:");

        if (url != NULL) {
            url[strcspn(url, " \t\r\"")] = '\0';
            snprintf(server->url, sizeof(server->url), "%s", url);
            return true;
        }
    }
    fputs("llmlab: llmlab-server did not start\n", stderr);
    copy_log(server->log);
    return false;
}

bool
cli_demo_server_start(cli_demo_server_t *server)
{
    char program[4096];
    char database[512];

    memset(server, 0, sizeof(*server));
    server->process.output = -1;
    if (!find_server(program, sizeof(program)) || !make_folder(server)) {
        return false;
    }
    snprintf(database, sizeof(database), "%s/llmlab.db", server->folder);
    snprintf(server->log, sizeof(server->log), "%s/server.log", server->folder);
    return make_key(server, program, database) &&
           start(server, program, database);
}

/* The folder is ours and flat. */
static void
remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    if (folder == NULL) {
        return;
    }
    while ((entry = readdir(folder)) != NULL) {
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    rmdir(path);
}

void
cli_demo_server_stop(cli_demo_server_t *server)
{
    cli_process_stop(&server->process);
    if (server->folder[0] != '\0') {
        remove_folder(server->folder);
    }
}
