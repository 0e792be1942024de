/* What the benches share: repeats, percentiles, counting, rows with bars.
 *
 *   --json     one JSON object a row, for run.py
 *   --count    run each hot loop once and briefly, for callgrind
 * A bench returns 0; 1 when something went wrong or was dropped; 2 when a bar
 * was missed. */
#ifndef LLMLAB_BENCH_H
#define LLMLAB_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <llmlab/llmlab.h>

#define BENCH_REPEATS 24

typedef struct bench_s {
    const char *name;
    bool json;
    bool counting; /* under callgrind */
    bool broken;
    bool missed;
} bench_t;

void bench_begin(bench_t *bench, const char *name, int argc, char **argv);
int bench_end(const bench_t *bench);

/* A further option, "--spans"; NULL when it is not given. */
const char *bench_option(int argc, char **argv, const char *name);
bool bench_flag(int argc, char **argv, const char *name);

/* A figure; at_most and at_least are its bars, NAN for none. */
void bench_row(bench_t *bench, const char *what, double value, const char *unit,
               double at_most, double at_least);
/* A remark, told to people only. */
void bench_note(const bench_t *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Something that must not happen did. */
void bench_broken(bench_t *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The drop counters of a client: a row, and broken unless 0. */
void bench_drops(bench_t *bench, const char *what,
                 const llmlab_client_t *client);

static inline int64_t
bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* CPU time of the process or of the thread. */
int64_t bench_cpu(clockid_t clock);

/* Sorts. */
double bench_min(double *samples, size_t count);
double bench_median(double *samples, size_t count);
/* Of sorted values; share 0.999 is p99.9. */
double bench_percentile(const double *sorted, size_t count, double share);
void bench_sort(double *samples, size_t count);

/* malloc, calloc, realloc and free of the calling thread since its start. */
uint64_t bench_mallocs(void);

/* Run work(payload) on a thread of its own in which every system call is
 * counted instead of made; -1 where the system cannot. prepare runs before
 * counting begins, on the same thread. */
int64_t bench_syscalls(void (*prepare)(void *), void (*work)(void *),
                       void *payload);

/* A client whose batches are encoded, compressed and accepted at once by a
 * transport in this process; settings are pairs of name and value, ending with
 * NULL. Exits on failure. */
llmlab_client_t *bench_open(const char *const *settings);
/* Compressed bytes and batches that such clients were asked to send. */
uint64_t bench_sent_bytes(void);
uint64_t bench_sent_batches(void);
/* The last body as sent, borrowed. */
const void *bench_sent_body(size_t *size);

/* A well-formed key of no project. */
#define BENCH_KEY 47
void bench_key(char out[BENCH_KEY]);

/* A whole file; *size bytes and a NUL; NULL when it cannot be read. */
char *bench_read_file(const char *path, size_t *size);

/* A function whose instructions --compare counts: it keeps its name. */
#define BENCH_HOT __attribute__((noinline))

/* Keep the compiler from removing a computation. */
static inline void
bench_keep(const void *pointer)
{
    __asm__ volatile("" : : "g"(pointer) : "memory");
}

#endif
