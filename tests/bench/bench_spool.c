/* What crash safety costs the caller's thread: the same spans into rings in
 * plain memory, into rings that are files on tmpfs with segments on disk, and
 * into those while another process storms that disk with fsync. */
#include "bench/support/bench.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BURST   500 /* fits half a ring */
#define REPEATS 80

static llmlab_client_t *client;
static char directory[] = "/tmp/llmlab-bench-XXXXXX";
static char rings[] = "/dev/shm/llmlab-bench-XXXXXX";

static inline void
record(void)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "search", LLMLAB_SPAN_TOOL);

    llmlab_span_set_string(span, "user.plan", "enterprise");
    llmlab_span_set_string(span, "index.name", "documents-2026");
    llmlab_span_set_string(span, "query.language", "en");
    llmlab_span_set_string(span, "query.filter", "published = true");
    llmlab_span_set_string(span, "cache.status", "miss");
    llmlab_span_set_int(span, "result.count", 25);
    llmlab_span_set_int(span, "result.bytes", 18211);
    llmlab_span_set_double(span, "result.score", 0.8125);
    llmlab_span_end(span);
}

/* Two names, so that --compare counts each. */
static BENCH_HOT void
into_plain_memory(void)
{
    record();
}

static BENCH_HOT void
into_a_mapped_ring(void)
{
    record();
}

static llmlab_client_t *
open_client(const char *mode)
{
    char key[BENCH_KEY];
    const char *const settings[] = {"queue.ring_bytes",
                                    "524288",
                                    "queue.max_bytes",
                                    "67108864",
                                    "api_key",
                                    key,
                                    "spool.mode",
                                    mode,
                                    "spool.ring_dir",
                                    rings,
                                    NULL};

    bench_key(key);
    return bench_open(settings);
}

static double
time_burst(llmlab_client_t *into, void (*work)(void), int count)
{
    int64_t start;
    double took;

    client = into;
    start = bench_now();
    for (int i = 0; i < count; i++) {
        work();
    }
    took = (double)(bench_now() - start) / count;
    llmlab_client_flush(into, 10000, NULL);
    return took;
}

static void
compare(bench_t *bench, llmlab_client_t *plain, llmlab_client_t *mapped,
        const char *when)
{
    double without[REPEATS];
    double with[REPEATS];
    char label[96];

    for (int i = 0; i < 8; i++) {
        time_burst(plain, into_plain_memory, BURST);
        time_burst(mapped, into_a_mapped_ring, BURST);
    }
    for (int i = 0; i < REPEATS; i++) {
        without[i] = time_burst(plain, into_plain_memory, BURST);
        with[i] = time_burst(mapped, into_a_mapped_ring, BURST);
    }
    snprintf(label, sizeof label, "8 attributes, plain memory%s: min", when);
    bench_row(bench, label, bench_min(without, REPEATS), "ns", NAN, NAN);
    snprintf(label, sizeof label, "8 attributes, mapped ring%s: min", when);
    bench_row(bench, label, bench_min(with, REPEATS), "ns", NAN, NAN);
    snprintf(label, sizeof label, "mapped over plain%s: min", when);
    bench_row(bench, label,
              bench_min(with, REPEATS) / bench_min(without, REPEATS), "x", 1.15,
              NAN);
    snprintf(label, sizeof label, "mapped over plain%s: median", when);
    bench_row(bench, label,
              bench_median(with, REPEATS) / bench_median(without, REPEATS), "x",
              NAN, NAN);
}

/* Another process keeps the journal of the spool's disk busy. */
static pid_t
begin_storm(void)
{
    static char block[1 << 16];
    char path[64];
    pid_t pid = fork();

    if (pid == 0) {
        int fd;

        snprintf(path, sizeof path, "%s/storm", directory);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        for (unsigned i = 0; getppid() != 1; i++) {
            (void)!pwrite(fd, block, sizeof block, (i % 64) << 16);
            fsync(fd);
        }
        _exit(0);
    }
    return pid;
}

static void
end_storm(pid_t pid)
{
    char path[64];

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    snprintf(path, sizeof path, "%s/storm", directory);
    unlink(path);
}

int
main(int argc, char **argv)
{
    llmlab_client_t *plain;
    llmlab_client_t *mapped;
    bench_t bench;
    pid_t storm;

    bench_begin(&bench, "spool", argc, argv);
    if (mkdtemp(directory) == NULL || mkdtemp(rings) == NULL) {
        bench_broken(&bench, "no /tmp or no /dev/shm");
        return bench_end(&bench);
    }
    plain = open_client("off");
    mapped = open_client(directory);
    if (bench.counting) {
        /* What the first span of a thread sets up is not counted. */
        time_burst(plain, record, 10);
        time_burst(mapped, record, 10);
        time_burst(plain, into_plain_memory, 1000);
        time_burst(plain, record, 10);
        time_burst(mapped, into_a_mapped_ring, 1000);
    } else {
        compare(&bench, plain, mapped, "");
        storm = begin_storm();
        compare(&bench, plain, mapped, ", fsync storm");
        end_storm(storm);
        bench_drops(&bench, "plain", plain);
        bench_drops(&bench, "mapped", mapped);
    }
    llmlab_client_close(mapped, 10000);
    llmlab_client_close(plain, 10000);
    if (rmdir(directory) != 0 || rmdir(rings) != 0) {
        bench_broken(&bench, "files are left in %s or %s", directory, rings);
    }
    return bench_end(&bench);
}
