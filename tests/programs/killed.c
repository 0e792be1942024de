/* Processes that are killed while they record, one after another:
 *
 *     killed URL KEY NAME COUNT SEED     prints "child thread spans" a line:
 *                                        so many ends had returned
 *     killed URL KEY recover             sends what they left; prints the
 *                                        ledger
 *
 * The spool comes from the environment. Spans are named NAME-child-thread-n. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <llmlab/llmlab.h>

enum { THREADS = 3, WAYS = 6 };

typedef struct child_s {
    const char *url;
    const char *key;
    const char *name;
    uint64_t seed;
    unsigned number;
    unsigned threads;
    _Atomic uint64_t *ended; /* shared with the parent: one for each thread */
    llmlab_client_t *client;
} child_t;

static uint64_t
random_below(uint64_t *seed, uint64_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % below;
}

static llmlab_client_t *
open_client(const char *url, const char *key, const char *batch)
{
    const char *const settings[] = {"batch.max_calls",
                                    batch,
                                    "retry.base_ms",
                                    "5",
                                    "retry.max_ms",
                                    "50",
                                    "retry.pace_ms",
                                    "0",
                                    "queue.full",
                                    "wait",
                                    "queue.wait_ms",
                                    "60000",
                                    "log.level",
                                    "error",
                                    "exit_flush_ms",
                                    "0",
                                    "queue.max_bytes",
                                    "1048576",
                                    NULL};
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    llmlab_status_t status = llmlab_config_set(config, "url", url);

    if (status == LLMLAB_OK) {
        status = llmlab_config_set(config, "api_key", key);
    }
    for (size_t i = 0; status == LLMLAB_OK && settings[i] != NULL; i += 2) {
        status = llmlab_config_set(config, settings[i], settings[i + 1]);
    }
    if (status == LLMLAB_OK) {
        status = llmlab_client_open(&client, config);
    }
    if (status != LLMLAB_OK) {
        fprintf(stderr, "killed: %s\n", llmlab_status_detail());
        exit(2);
    }
    llmlab_config_destroy(config);
    return client;
}

typedef struct recorder_s {
    child_t *child;
    unsigned thread;
    uint64_t seed;
} recorder_t;

static void *
record(void *payload)
{
    recorder_t *recorder = payload;
    child_t *child = recorder->child;
    bool in_bursts = random_below(&recorder->seed, 8) == 0;
    uint64_t most = in_bursts ? 3000 : 200;

    for (uint64_t n = 1; n <= most; n++) {
        char name[64];
        llmlab_span_t *span;

        snprintf(name, sizeof(name), "%s-%u-%u-%llu", child->name,
                 child->number, recorder->thread, (unsigned long long)n);
        span = llmlab_span_start(child->client, NULL, name, LLMLAB_SPAN_TOOL);
        llmlab_span_end(span);
        atomic_store(&child->ended[recorder->thread], n);
        if (!in_bursts) {
            usleep((useconds_t)random_below(&recorder->seed, 300));
        }
    }
    for (;;) {
        pause();
    }
    return NULL;
}

static void
die(child_t *child, uint64_t way)
{
    switch (way) {
    case 0:
        abort();
    case 1:
        raise(SIGSEGV);
        break;
    case 2:
        _exit(0);
    case 3:
        exit(0);
    case 4:
        /* Orderly, while other threads still record is not allowed: so only
         * a flush, then the end. */
        llmlab_client_flush(child->client, 5, NULL);
        break;
    default:
        break;
    }
    kill(getpid(), SIGKILL);
}

static void
live(child_t *child)
{
    static const struct rlimit none = {0, 0};
    recorder_t recorders[THREADS];
    pthread_t threads[THREADS];
    uint64_t delay = random_below(&child->seed, 12000);

    setrlimit(RLIMIT_CORE, &none);
    child->client = open_client(child->url, child->key, "10");
    for (unsigned i = 0; i < child->threads; i++) {
        recorders[i] = (recorder_t){child, i, child->seed + 77 * i};
        pthread_create(&threads[i], NULL, record, &recorders[i]);
    }
    usleep((useconds_t)delay);
    die(child, random_below(&child->seed, WAYS + 4));
}

static int
kill_them(char **arguments)
{
    uint64_t seed = strtoull(arguments[5], NULL, 10) | 1;
    unsigned count = (unsigned)atoi(arguments[4]);
    _Atomic uint64_t *ended = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (ended == MAP_FAILED) {
        return 1;
    }
    for (unsigned i = 0; i < count; i++) {
        child_t child = {.url = arguments[1],
                         .key = arguments[2],
                         .name = arguments[3],
                         .number = i,
                         .ended = ended};
        int status;
        pid_t pid;

        for (int n = 0; n < 5; n++) {
            random_below(&seed, 2);
        }
        child.seed = seed;
        child.threads = 1 + (unsigned)random_below(&child.seed, THREADS);
        memset((void *)(uintptr_t)ended, 0, 4096);
        pid = fork();
        if (pid == 0) {
            alarm(60); /* a hang is a failure, told by the signal */
            live(&child);
        }
        if (waitpid(pid, &status, 0) != pid) {
            return 1;
        }
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
            fprintf(stderr, "killed: child %u hangs\n", i);
            return 1;
        }
        for (unsigned t = 0; t < child.threads; t++) {
            printf("%u %u %llu\n", i, t,
                   (unsigned long long)atomic_load(&ended[t]));
        }
    }
    return 0;
}

static int
recover(char **arguments)
{
    llmlab_client_t *client = open_client(arguments[1], arguments[2], "100");
    llmlab_stats_t stats;
    time_t end = time(NULL) + 300;
    unsigned quiet = 0;
    char *json;

    llmlab_stats_init(&stats);
    while (quiet < 20 && time(NULL) < end) {
        usleep(20000);
        llmlab_client_stats(client, &stats);
        quiet = stats.recovering > 0 ? 0 : quiet + 1;
    }
    if (llmlab_client_stats_json(client, &json, NULL) == LLMLAB_OK) {
        puts(json);
        llmlab_free(json);
    }
    return llmlab_client_close(client, 60000) == LLMLAB_OK ? 0 : 1;
}

int
main(int argc, char **argv)
{
    setenv("no_proxy", "*", 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4 && strcmp(argv[3], "recover") == 0) {
        return recover(argv);
    }
    return argc == 6 ? kill_them(argv) : 2;
}
