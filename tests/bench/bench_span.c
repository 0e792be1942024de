/* What a span costs the caller's thread, through the shared library, relative
 * to two clock reads in the same run. */
#include "bench/support/bench.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A burst fits half a ring, so that nothing is dropped and the worker, which
 * drains between the repeats, is not woken in what is measured. */
#define BURST   500
#define REPEATS 60
#define IDS     64
#define ROUNDS  134
#define PACED   750 /* a thread and round: they fit half its ring */

static const char *const settings[] = {
    "queue.ring_bytes", "524288", "queue.max_bytes", "67108864", NULL,
};

/* Two clock reads in a row are this far apart only if the thread lost its core
 * meanwhile. */
#define INTERRUPTED_NS 2000

/* So many samples later its caches are its own again. */
#define SETTLING 10

/* Paced threads leave the worker no core on a small machine: room for all
 * that they record in a round. */
static const char *const paced_settings[] = {
    "queue.ring_bytes", "524288", "queue.max_bytes", "67108864", NULL,
};
#define PACED_RING ((size_t)524288)

static llmlab_client_t *client;

static void
two_clock_reads(void)
{
    int64_t start = bench_now();
    int64_t end = bench_now();

    bench_keep(&start);
    bench_keep(&end);
}

static BENCH_HOT void
eight_attributes(void)
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

static void
no_attributes(void)
{
    llmlab_span_end(llmlab_span_start(client, NULL, "step", LLMLAB_SPAN_TOOL));
}

/* What an instrumentation has read out of a provider's reply. */
static struct {
    llmlab_text_t request_model;
    llmlab_text_t model;
    llmlab_text_t finish_reason;
    char ids[IDS][48];
    size_t id_size;
    llmlab_usage_t usage;
    uint64_t count;
} reply;

static void
read_reply(void)
{
    int i;

    reply.request_model = llmlab_text_of("gpt-4o-mini");
    reply.model = llmlab_text_of("gpt-4o-mini-2024-07-18");
    reply.finish_reason = llmlab_text_of("stop");
    for (i = 0; i < IDS; i++) {
        snprintf(reply.ids[i], sizeof reply.ids[i],
                 "chatcmpl-BxQ2mVnTg7RkZ0aUeWcYs%08d", i * 7919);
    }
    reply.id_size = strlen(reply.ids[0]);
    llmlab_usage_init(&reply.usage);
    llmlab_usage_set(&reply.usage, LLMLAB_USAGE_INPUT_TOKENS, 1200);
    llmlab_usage_set(&reply.usage, LLMLAB_USAGE_CACHE_READ_TOKENS, 1024);
    llmlab_usage_set(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS, 80);
    llmlab_usage_set(&reply.usage, LLMLAB_USAGE_REASONING_TOKENS, 32);
}

/* The next reply: another id, other counts. */
static inline void
next_reply(void)
{
    reply.count++;
    reply.usage.count[LLMLAB_USAGE_INPUT_TOKENS] = 1200 + reply.count % 512;
    reply.usage.count[LLMLAB_USAGE_CACHE_READ_TOKENS] = reply.count % 1024;
    reply.usage.count[LLMLAB_USAGE_OUTPUT_TOKENS] = 80 + reply.count % 256;
    reply.usage.count[LLMLAB_USAGE_REASONING_TOKENS] = reply.count % 64;
}

/* A finished call as an instrumentation records it: the clock before and after,
 * then all that a reply of a common provider states. */
static BENCH_HOT void
one_shot_call(void)
{
    int64_t start = bench_now();
    int64_t end = bench_now();
    llmlab_call_t call;

    next_reply();
    llmlab_call_init(&call);
    call.start_ns = start + INT64_C(1780000000000000000);
    call.end_ns = end + INT64_C(1780000000000000000);
    call.name = LLMLAB_TEXT("answer");
    call.provider = LLMLAB_TEXT("openai");
    call.api = LLMLAB_TEXT("chat_completions");
    call.request_model = reply.request_model;
    call.model = reply.model;
    call.response_id.data = reply.ids[reply.count % IDS];
    call.response_id.size = reply.id_size;
    call.finish_reason = reply.finish_reason;
    call.usage = &reply.usage;
    llmlab_record_call(client, &call);
}

/* As above without a model: what recording itself costs. */
static void
one_shot_step(void)
{
    llmlab_call_t call;

    llmlab_call_init(&call);
    call.kind = LLMLAB_SPAN_TOOL;
    call.name = LLMLAB_TEXT("search");
    call.start_ns = bench_now() + INT64_C(1780000000000000000);
    call.end_ns = bench_now() + INT64_C(1780000000000000000);
    llmlab_record_call(client, &call);
}

/* What a careful program does without us: two clock reads and a copy of a
 * record of the same size into an array under a mutex. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int64_t start;
    int64_t end;
    char text[384];
} queue[BURST];
static size_t queued;

static void
mutex_queue(void)
{
    static const char text[384] = "a record";
    int64_t start = bench_now();
    int64_t end = bench_now();

    pthread_mutex_lock(&lock);
    queue[queued % BURST].start = start;
    queue[queued % BURST].end = end;
    memcpy(queue[queued % BURST].text, text, sizeof text);
    queued++;
    pthread_mutex_unlock(&lock);
}

static double
time_burst(void (*work)(void), int count)
{
    int64_t start = bench_now();
    int i;

    for (i = 0; i < count; i++) {
        work();
    }
    return (double)(bench_now() - start) / count;
}

static void
drain(void)
{
    llmlab_client_flush(client, 10000, NULL);
}

/* Use the whole ring, so that its pages are there. */
static void
go_around(int bursts)
{
    int i;

    for (i = 0; i < bursts; i++) {
        time_burst(eight_attributes, BURST);
        drain();
    }
}

/* Alternates with the baseline, so that both see the same noise. */
static void
compare(bench_t *bench, const char *what, void (*work)(void), double at_most)
{
    double floor[REPEATS];
    double times[REPEATS];
    char label[96];
    int i;

    go_around(8);
    for (i = 0; i < REPEATS; i++) {
        floor[i] = time_burst(two_clock_reads, BURST);
        times[i] = time_burst(work, BURST);
        drain();
    }
    snprintf(label, sizeof label, "%s: min", what);
    bench_row(bench, label, bench_min(times, REPEATS), "ns", NAN, NAN);
    snprintf(label, sizeof label, "%s: median", what);
    bench_row(bench, label, bench_median(times, REPEATS), "ns", NAN, NAN);
    snprintf(label, sizeof label, "%s: min over two clock reads", what);
    bench_row(bench, label,
              bench_min(times, REPEATS) / bench_min(floor, REPEATS), "x",
              at_most, NAN);
}

/* What any program does that keeps as much: two clock reads and a copy into
 * memory of the ring's size. It has the machine's own tail. */
static BENCH_HOT void
bare_copy(void)
{
    static __thread char *memory;
    static __thread size_t at;
    static const char record[320] = "a record";

    if (memory == NULL) {
        memory = calloc(1, PACED_RING);
    }
    two_clock_reads();
    memcpy(memory + at, record, sizeof record);
    at = at + 2 * sizeof record > PACED_RING ? 0 : at + sizeof record;
    bench_keep(memory);
}

/* One piece of work every 10 us on each thread, each timed by itself, in turns
 * with the bare copy. What follows upon a
 * lost time slice finds other programs' data in the caches: it is told apart
 * from what the thread does while it has its core, which has the bar. */
typedef struct sample_s {
    double ns;
    bool disturbed; /* a wait shortly before it was interrupted */
} sample_t;

typedef struct paced_s {
    void (*work)(void);
    sample_t *bare;
    sample_t *samples;
    pthread_barrier_t *ready;
} paced_t;

static void
one_round(void (*work)(void), sample_t *samples)
{
    int64_t next = bench_now();
    int settling = SETTLING; /* from what was between the rounds */
    int i;

    for (i = 0; i < PACED; i++) {
        int64_t before = bench_now();
        int64_t start;

        next = before < next + 10000 ? next + 10000 : before + 10000;
        settling -= settling > 0;
        do {
            start = bench_now();
            if (start - before > INTERRUPTED_NS) {
                settling = SETTLING;
            }
            before = start;
        } while (start < next);
        work();
        samples[i].ns = (double)(bench_now() - start);
        samples[i].disturbed = settling > 0;
    }
}

static void *
run_paced(void *payload)
{
    paced_t *paced = payload;
    int i;

    go_around(4);
    for (i = 0; i < PACED * 3; i++) {
        bare_copy();
    }
    for (i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(paced->ready);
        one_round(bare_copy, paced->bare + (size_t)i * PACED);
        pthread_barrier_wait(paced->ready);
        one_round(paced->work, paced->samples + (size_t)i * PACED);
        drain();
    }
    return NULL;
}

/* Sorts the times of those that count; how many. */
static size_t
pick(const sample_t *samples, size_t count, bool all, double *out)
{
    size_t picked = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        if (all || !samples[i].disturbed) {
            out[picked++] = samples[i].ns;
        }
    }
    bench_sort(out, picked);
    return picked;
}

/* Returns the p99.9 of what was not disturbed; *excess is how far it lies above
 * the median. */
static double
report(bench_t *bench, const char *what, const sample_t *samples, size_t count,
       double *excess)
{
    static const struct {
        const char *name;
        double share;
    } shares[] = {{"p50", 0.5},
                  {"p90", 0.9},
                  {"p99", 0.99},
                  {"p99.9", 0.999},
                  {"p99.99", 0.9999}};
    double *times = malloc(sizeof *times * count);
    size_t picked = pick(samples, count, true, times);
    char label[96];
    double p999;
    int i;

    for (i = 0; i < 5; i++) {
        snprintf(label, sizeof label, "%s: %s", what, shares[i].name);
        bench_row(bench, label,
                  bench_percentile(times, picked, shares[i].share), "ns", NAN,
                  NAN);
    }
    picked = pick(samples, count, false, times);
    snprintf(label, sizeof label, "%s: disturbed by the machine", what);
    bench_row(bench, label, 100 - 100 * (double)picked / (double)count, "%",
              NAN, NAN);
    p999 = bench_percentile(times, picked, 0.999);
    *excess = p999 - bench_percentile(times, picked, 0.5);
    snprintf(label, sizeof label, "%s: p99.9 of the others", what);
    bench_row(bench, label, p999, "ns", NAN, NAN);
    free(times);
    return p999;
}

static void
percentiles(bench_t *bench, const char *what, void (*work)(void), int threads,
            double p999_at_most)
{
    size_t count = (size_t)threads * ROUNDS * PACED;
    sample_t *bare = malloc(sizeof *bare * count);
    sample_t *samples = malloc(sizeof *samples * count);
    pthread_barrier_t ready;
    pthread_t handles[2];
    paced_t paced[2];
    char label[96];
    double machine;
    double excess;
    double p999;
    int i;

    pthread_barrier_init(&ready, NULL, (unsigned)threads);
    for (i = 0; i < threads; i++) {
        paced[i].work = work;
        paced[i].bare = bare + (size_t)i * ROUNDS * PACED;
        paced[i].samples = samples + (size_t)i * ROUNDS * PACED;
        paced[i].ready = &ready;
        pthread_create(&handles[i], NULL, run_paced, &paced[i]);
    }
    for (i = 0; i < threads; i++) {
        pthread_join(handles[i], NULL);
    }
    snprintf(label, sizeof label, "a bare copy, %s", what);
    report(bench, label, bare, count, &machine);
    snprintf(label, sizeof label, "8 attributes, %s", what);
    p999 = report(bench, label, samples, count, &excess);
    snprintf(label, sizeof label,
             "8 attributes, %s: p99.9 without the machine's tail", what);
    bench_row(bench, label, p999 - machine, "ns", p999_at_most, NAN);
    free(bare);
    free(samples);
    pthread_barrier_destroy(&ready);
}

static void
warm_up(void *payload)
{
    (void)payload;
    time_burst(eight_attributes, 500);
    time_burst(one_shot_call, 500);
}

static void
hundred_spans(void *payload)
{
    (void)payload;
    time_burst(eight_attributes, 100);
    time_burst(one_shot_call, 100);
}

static void
count(bench_t *bench)
{
    uint64_t before;
    int64_t calls;

    warm_up(NULL);
    drain();
    before = bench_mallocs();
    hundred_spans(NULL);
    bench_row(bench, "allocations a span after warm-up",
              (double)(bench_mallocs() - before) / 200, "", 0, NAN);
    drain();
    calls = bench_syscalls(warm_up, hundred_spans, NULL);
    if (calls < 0) {
        bench_note(bench, "system calls cannot be counted here");
    } else {
        bench_row(bench, "system calls in 200 spans after warm-up",
                  (double)calls, "", 0, NAN);
    }
    drain();
}

int
main(int argc, char **argv)
{
    bench_t bench;

    bench_begin(&bench, "span", argc, argv);
    read_reply();
    client = bench_open(settings);
    if (bench.counting) {
        /* What the first span of a thread sets up is not counted. */
        time_burst(no_attributes, 10);
        time_burst(eight_attributes, 1000);
        time_burst(one_shot_call, 1000);
    } else {
        compare(&bench, "span, no attributes", no_attributes, NAN);
        compare(&bench, "span, 8 string-key attributes", eight_attributes, 2.5);
        compare(&bench, "one-shot record of a step", one_shot_step, NAN);
        compare(&bench, "one-shot record of a priced call", one_shot_call, 1.4);
        compare(&bench, "mutex queue, 400 bytes", mutex_queue, NAN);
        count(&bench);
        bench_drops(&bench, "bursts", client);
        llmlab_client_close(client, 10000);
        client = bench_open(paced_settings);
        percentiles(&bench, "1 thread", eight_attributes, 1, 200);
        percentiles(&bench, "2 threads", eight_attributes, 2, 850);
        bench_drops(&bench, "paced", client);
    }
    llmlab_client_close(client, 10000);
    return bench_end(&bench);
}
