#include "support/spool.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/client.h"

void
spool_begin(spool_t *spool)
{
    strcpy(spool->directory, "/tmp/llmlab-spool-XXXXXX");
    strcpy(spool->rings, "/dev/shm/llmlab-rings-XXXXXX");
    assert_non_null(mkdtemp(spool->directory));
    if (mkdtemp(spool->rings) == NULL) {
        spool->rings[0] = '\0';
    }
    setenv("LLMLAB_SPOOL_MODE", spool->directory, 1);
    setenv("LLMLAB_SPOOL_RING_DIR", spool->rings, 1);
}

typedef void (*each_fn)(const char *path, void *payload);

static void
each(const char *directory, const char *ending, each_fn visit, void *payload)
{
    DIR *dir = directory[0] == '\0' ? NULL : opendir(directory);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t size = strlen(entry->d_name);
        char path[512];

        if (entry->d_name[0] != '.' && size >= strlen(ending) &&
            strcmp(entry->d_name + size - strlen(ending), ending) == 0) {
            snprintf(path, sizeof(path), "%.200s/%.255s", directory,
                     entry->d_name);
            visit(path, payload);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void
delete_one(const char *path, void *payload)
{
    (void)payload;
    if (unlink(path) != 0) {
        each(path, "", delete_one, NULL);
        rmdir(path);
    }
}

void
spool_end(spool_t *spool)
{
    delete_one(spool->directory, NULL);
    if (spool->rings[0] != '\0') {
        delete_one(spool->rings, NULL);
    }
}

static void
count_one(const char *path, void *payload)
{
    int *count = payload;

    (void)path;
    (*count)++;
}

int
spool_files(const spool_t *spool, const char *ending)
{
    int count = 0;

    each(spool->directory, ending, count_one, &count);
    each(spool->rings, ending, count_one, &count);
    return count;
}

static void
keep_path(const char *path, void *payload)
{
    strcpy(payload, path);
}

void
spool_file(const spool_t *spool, const char *ending, char out[512])
{
    out[0] = '\0';
    each(spool->directory, ending, keep_path, out);
    each(spool->rings, ending, keep_path, out);
    assert_int_not_equal(out[0], 0);
}

static void
add_size(const char *path, void *payload)
{
    long *sum = payload;
    struct stat st;

    *sum += stat(path, &st) == 0 ? (long)st.st_size : 0;
}

long
spool_bytes(const spool_t *spool)
{
    long sum = 0;

    each(spool->directory, ".seg", add_size, &sum);
    return sum;
}

void
spool_begin_victim(victim_t *victim, const char *url, const char *key,
                   const char *how, int count, const char *const *more)
{
    char self[512] = "";
    char number[16];
    char *arguments[24] = {self, (char *)(uintptr_t) "victim"};
    int input[2];
    int n = 2;

    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    snprintf(number, sizeof(number), "%d", count);
    arguments[n++] = (char *)(uintptr_t)how;
    arguments[n++] = number;
    arguments[n++] = (char *)(uintptr_t)url;
    arguments[n++] = (char *)(uintptr_t)key;
    for (; more != NULL && *more != NULL; more++) {
        arguments[n++] = (char *)(uintptr_t)*more;
    }
    assert_int_equal(pipe(input), 0);
    victim->pid = fork();
    if (victim->pid == 0) {
        dup2(input[0], 0);
        close(input[0]);
        close(input[1]);
        execv(self, arguments);
        _exit(127);
    }
    close(input[0]);
    victim->input = input[1];
}

int
spool_end_victim(victim_t *victim)
{
    int status;

    close(victim->input);
    assert_int_equal(waitpid(victim->pid, &status, 0), victim->pid);
    return status;
}

int
spool_run_victim(const char *url, const char *key, const char *how, int count,
                 const char *const *more)
{
    victim_t victim;

    spool_begin_victim(&victim, url, key, how, count, more);
    return spool_end_victim(&victim);
}

static llmlab_client_t *
open_victim(int argc, char **argv)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    llmlab_status_t status = llmlab_config_set(config, "url", argv[4]);

    if (status == LLMLAB_OK) {
        status = llmlab_config_set(config, "api_key", argv[5]);
    }
    for (int i = 6; i < argc && status == LLMLAB_OK; i++) {
        char *value = strchr(argv[i], '=');

        *value = '\0';
        status = llmlab_config_set(config, argv[i], value + 1);
    }
    if (status == LLMLAB_OK) {
        status = llmlab_client_open(&client, config);
    }
    llmlab_config_destroy(config);
    if (status != LLMLAB_OK) {
        fprintf(stderr, "victim: %s\n", llmlab_status_detail());
        _exit(3);
    }
    return client;
}

static void
end_victim(llmlab_client_t *client, const char *how)
{
    char byte;

    if (strcmp(how, "exit") == 0) {
        exit(0);
    } else if (strcmp(how, "quick") == 0) {
        quick_exit(0);
    } else if (strcmp(how, "at_once") == 0) {
        _exit(0);
    } else if (strcmp(how, "abort") == 0) {
        abort();
    } else if (strcmp(how, "fault") == 0) {
        raise(SIGSEGV);
    } else if (strcmp(how, "flush") == 0) {
        llmlab_client_flush(client, 5000, NULL);
    } else if (strcmp(how, "wait") == 0) {
        puts("ready");
        fflush(stdout);
        (void)!read(0, &byte, 1);
    } else if (strcmp(how, "fork") == 0 && fork() == 0) {
        (void)!read(0, &byte, 1);
        _exit(0);
    }
    kill(getpid(), SIGKILL);
}

void
spool_victim(int argc, char **argv)
{
    static const struct rlimit none = {0, 0};
    llmlab_client_t *client;

    setenv("no_proxy", "*", 1);
    if (argc < 6 || strcmp(argv[1], "victim") != 0) {
        return;
    }
    setrlimit(RLIMIT_CORE, &none);
    client = open_victim(argc, argv);
    test_record(client, (unsigned)atoi(argv[3]));
    if (strcmp(argv[2], "return") != 0) {
        end_victim(client, argv[2]);
    }
    exit(0);
}

llmlab_stats_t
spool_recover(const char *url, const char *key)
{
    llmlab_client_t *client =
        test_open("url", url, "api_key", key, "retry.base_ms", "5",
                  "retry.pace_ms", "0", "log.level", "error", NULL);
    int64_t start = test_now_ms();
    int64_t quiet = start;
    llmlab_stats_t stats = test_stats(client);

    /* Nothing to do for a while: nothing is left, or it is not ours. */
    while (test_now_ms() - quiet < 150 && test_now_ms() - start < 20000) {
        usleep(2000);
        stats = test_stats(client);
        if (stats.recovering > 0) {
            quiet = test_now_ms();
        }
    }
    llmlab_client_close(client, 5000);
    return stats;
}
