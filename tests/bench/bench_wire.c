/* From the ring to the wire: what a span costs the worker, JSON and gzip
 * included; cJSON printing the same span is the baseline. */
#include "bench/support/bench.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#define BURST  2000
#define PRINTS 200

static const char *const settings[] = {
    "queue.ring_bytes",
    "4194304",
    "queue.max_bytes",
    "67108864",
    "compress.level",
    "1",
    NULL,
};

static llmlab_client_t *client;

static void
record(int number)
{
    llmlab_usage_t usage;
    llmlab_call_t call;

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS,
                     1000 + (uint64_t)number * 7919 % 9000);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS,
                     50 + (uint64_t)number * 104729 % 900);
    llmlab_call_init(&call);
    call.provider = LLMLAB_TEXT("openai");
    call.api = LLMLAB_TEXT("chat_completions");
    call.model = LLMLAB_TEXT("gpt-4o-mini-2024-07-18");
    call.finish_reason = LLMLAB_TEXT("stop");
    call.usage = &usage;
    llmlab_record_call(client, &call);
}

/* CPU of all threads but this one, a span. */
static double
worker_us(void)
{
    int64_t process = bench_cpu(CLOCK_PROCESS_CPUTIME_ID);
    int64_t mine = bench_cpu(CLOCK_THREAD_CPUTIME_ID);
    int i;

    for (i = 0; i < BURST; i++) {
        record(i);
    }
    llmlab_client_flush(client, 10000, NULL);
    process = bench_cpu(CLOCK_PROCESS_CPUTIME_ID) - process;
    mine = bench_cpu(CLOCK_THREAD_CPUTIME_ID) - mine;
    return (double)(process - mine) / BURST / 1000;
}

/* The last batch as JSON; the caller frees it. */
static char *
inflate_last(size_t *size)
{
    size_t packed;
    const void *body = bench_sent_body(&packed);
    size_t capacity = packed * 40 + 65536;
    char *text = malloc(capacity);
    z_stream z;

    memset(&z, 0, sizeof z);
    inflateInit2(&z, 15 + 32);
    z.next_in = body;
    z.avail_in = (uInt)packed;
    z.next_out = (Bytef *)text;
    z.avail_out = (uInt)capacity - 1;
    inflate(&z, Z_FINISH);
    *size = z.total_out;
    text[*size] = '\0';
    inflateEnd(&z);
    return text;
}

/* Build, print and delete one step with cJSON. */
static double
cjson_us(const cJSON *step)
{
    int64_t start = bench_cpu(CLOCK_THREAD_CPUTIME_ID);
    int i;

    for (i = 0; i < PRINTS; i++) {
        cJSON *copy = cJSON_Duplicate(step, 1);

        free(cJSON_PrintUnformatted(copy));
        cJSON_Delete(copy);
    }
    return (double)(bench_cpu(CLOCK_THREAD_CPUTIME_ID) - start) / PRINTS / 1000;
}

static void
measure(bench_t *bench)
{
    double worker[BENCH_REPEATS];
    double baseline[BENCH_REPEATS];
    cJSON *batch;
    cJSON *steps;
    char *text;
    size_t size;
    double bytes;
    double cost;
    uint64_t sent;
    int count;
    int i;

    worker_us();
    text = inflate_last(&size);
    batch = cJSON_Parse(text);
    steps = cJSON_GetObjectItem(
        cJSON_GetArrayItem(cJSON_GetObjectItem(batch, "traces"), 0), "steps");
    count = (int)cJSON_GetNumberValue(
        cJSON_GetObjectItem(cJSON_GetObjectItem(batch, "batch"), "count"));
    if (cJSON_GetArraySize(steps) == 0 || count <= 0) {
        bench_broken(bench, "the batch holds no steps: %.200s", text);
        goto out;
    }
    bytes = (double)size / count;
    sent = bench_sent_bytes();
    for (i = 0; i < BENCH_REPEATS; i++) {
        worker[i] = worker_us();
        baseline[i] = cjson_us(cJSON_GetArrayItem(steps, 0));
    }
    sent = bench_sent_bytes() - sent;
    cost = bench_min(worker, BENCH_REPEATS);
    bench_row(bench, "JSON a span", bytes, "bytes", NAN, NAN);
    bench_row(bench, "compressed a span", (double)sent / BURST / BENCH_REPEATS,
              "bytes", NAN, NAN);
    bench_row(bench, "ring to wire a span: min", cost, "us", NAN, NAN);
    bench_row(bench, "ring to wire a span: median",
              bench_median(worker, BENCH_REPEATS), "us", NAN, NAN);
    bench_row(bench, "ring to wire a 560 B span: min", cost * 560 / bytes, "us",
              3.5, NAN);
    bench_row(bench, "cJSON printing alone: min",
              bench_min(baseline, BENCH_REPEATS), "us", NAN, NAN);

out:
    cJSON_Delete(batch);
    free(text);
}

int
main(int argc, char **argv)
{
    bench_t bench;

    bench_begin(&bench, "wire", argc, argv);
    client = bench_open(settings);
    if (bench.counting) {
        worker_us();
    } else {
        measure(&bench);
        bench_drops(&bench, "all", client);
    }
    llmlab_client_close(client, 10000);
    return bench_end(&bench);
}
