/* Segment to wire: what the worker spends on a call, JSON and gzip apart, in
 * ratio to cJSON printing the same document. */
#include "bench/support/bench.h"

#include <math.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "delivery/compress.h"
#include "delivery/encode.h"
#include "support/make_record.h"

enum { BATCHES = 64, CALLS = 100 };

static llmlab__segments_t segments;
static llmlab__batch_t batches[BATCHES];
static made_record_t made;

static int64_t
cpu_ns(void)
{
    return llmlab__clock_read(CLOCK_THREAD_CPUTIME_ID);
}

/* Batches differ from each other, so that neither the branch predictor nor
 * the compressor's tables know the next one by heart. */
static void
fill(void)
{
    static const llmlab__segment_owner_t owner = {.instance = "bench"};
    uint64_t number = 1;
    uint64_t x = 88172645463325252u;

    llmlab__segments_init(&segments, &owner, 262144);
    for (int b = 0; b < BATCHES; b++) {
        batches[b].first = number;
        for (int i = 0; i < CALLS; i++) {
            llmlab__segment_cursor_t start;

            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            make_call(&made, x % 100000, x);
            made_head(&made)->start_ns += (int64_t)number * 77777777;
            made_head(&made)->end_ns =
                made_head(&made)->start_ns + (int64_t)(x % 2000000000);
            made_head(&made)->cost[0] = x % 1000000000000;
            if (!llmlab__segments_append(&segments, made_head(&made), number++,
                                         0, &start, &batches[b].end)) {
                abort();
            }
            if (i == 0) {
                batches[b].start = start;
            }
            batches[b].count++;
        }
    }
}

static llmlab__buf_t texts[BATCHES];
static llmlab__encoder_t encoder;
static llmlab__compressor_t compressor;

/* Nanoseconds a call; *bytes gets the size of all batches. */
static double
time_json(size_t *bytes)
{
    static const llmlab__sender_t sender = {
        "c", "0193a7c8-0000-7000-8000-000000000001", "api", "prod", "1.4.2"};
    llmlab_stats_t totals;
    int64_t start;

    llmlab_stats_init(&totals);
    *bytes = 0;
    start = cpu_ns();
    for (int b = 0; b < BATCHES; b++) {
        if (!llmlab__encode(&encoder, &sender, &batches[b], &totals, 1)) {
            abort();
        }
        *bytes += encoder.json.size;
        if (texts[b].size == 0) {
            llmlab__buf_append(&texts[b], encoder.json.data, encoder.json.size);
        }
    }
    return (double)(cpu_ns() - start) / (BATCHES * CALLS);
}

static double
time_gzip(llmlab__buf_t *body, size_t *bytes)
{
    int64_t start = cpu_ns();

    *bytes = 0;
    for (int b = 0; b < BATCHES; b++) {
        if (!llmlab__compress(&compressor, texts[b].data, texts[b].size,
                              body)) {
            abort();
        }
        *bytes += body->size;
    }
    return (double)(cpu_ns() - start) / (BATCHES * CALLS);
}

static double
time_cjson(void)
{
    double ns = 0;

    for (int b = 0; b < BATCHES; b++) {
        cJSON *json =
            cJSON_ParseWithLength((char *)texts[b].data, texts[b].size);
        int64_t start = cpu_ns();
        char *text = cJSON_PrintUnformatted(json);

        ns += (double)(cpu_ns() - start);
        free(text);
        cJSON_Delete(json);
    }
    return ns / (BATCHES * CALLS);
}

static void
measure(bench_t *bench)
{
    double json[BENCH_REPEATS];
    double gzip[BENCH_REPEATS];
    double cjson[BENCH_REPEATS];
    size_t json_bytes;
    size_t gzip_bytes;
    llmlab__buf_t body;
    double best;

    llmlab__buf_init(&body);
    time_json(&json_bytes);
    for (int i = 0; i < BENCH_REPEATS; i++) {
        json[i] = time_json(&json_bytes);
        gzip[i] = time_gzip(&body, &gzip_bytes);
        cjson[i] = time_cjson();
    }
    best = bench_min(json, BENCH_REPEATS);
    bench_row(bench, "JSON a call", (double)json_bytes / (BATCHES * CALLS),
              "bytes", NAN, NAN);
    bench_row(bench, "gzip makes of it",
              (double)json_bytes / (double)gzip_bytes, "x less", NAN, NAN);
    bench_row(bench, "JSON: min", best, "ns", NAN, NAN);
    bench_row(bench, "JSON: over cJSON printing alone",
              best / bench_min(cjson, BENCH_REPEATS), "x", 0.5, NAN);
    bench_row(bench, "gzip: min", bench_min(gzip, BENCH_REPEATS), "ns", NAN,
              NAN);
    bench_row(bench, "JSON and gzip: min",
              best + bench_min(gzip, BENCH_REPEATS), "ns", NAN, NAN);
    llmlab__buf_cleanup(&body);
}

int
main(int argc, char **argv)
{
    bench_t bench;
    size_t bytes;

    bench_begin(&bench, "encode", argc, argv);
    fill();
    llmlab__encoder_init(&encoder);
    llmlab__compressor_init(&compressor, 1);
    if (bench.counting) {
        time_json(&bytes);
    } else {
        measure(&bench);
    }
    for (int b = 0; b < BATCHES; b++) {
        llmlab__buf_cleanup(&texts[b]);
    }
    llmlab__compressor_cleanup(&compressor);
    llmlab__encoder_cleanup(&encoder);
    llmlab__segments_cleanup(&segments);
    return bench_end(&bench);
}
