/* Segment to wire: what the worker spends on a call, JSON and gzip apart, in
 * ratio to cJSON printing the same document and to zlib alone on other
 * batches of the same size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "delivery/compress.h"
#include "delivery/encode.h"
#include "support/make_record.h"

enum { BATCHES = 64, CALLS = 100, ROUNDS = 20 };

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
    static const llmlab__segment_owner_t owner = {"bench", {0}};
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

int
main(void)
{
    static const llmlab__sender_t sender = {
        "c", "0193a7c8-0000-7000-8000-000000000001", "api", "prod", "1.4.2"};
    static llmlab__buf_t texts[BATCHES];
    double best_json = 1e18;
    double best_gzip = 1e18;
    double best_cjson = 1e18;
    size_t json_bytes = 0;
    size_t gzip_bytes = 0;
    llmlab_stats_t totals;
    llmlab__encoder_t encoder;
    llmlab__compressor_t compressor;
    llmlab__buf_t body;

    fill();
    llmlab_stats_init(&totals);
    llmlab__encoder_init(&encoder);
    llmlab__compressor_init(&compressor, 1);
    llmlab__buf_init(&body);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = cpu_ns();
        double ns;

        json_bytes = 0;
        for (int b = 0; b < BATCHES; b++) {
            if (!llmlab__encode(&encoder, &sender, &batches[b], &totals, 1)) {
                return 1;
            }
            json_bytes += encoder.json.size;
        }
        ns = (double)(cpu_ns() - start) / (BATCHES * CALLS);
        best_json = ns < best_json ? ns : best_json;
    }
    for (int b = 0; b < BATCHES; b++) {
        llmlab__encode(&encoder, &sender, &batches[b], &totals, 1);
        llmlab__buf_append(&texts[b], encoder.json.data, encoder.json.size);
    }
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = cpu_ns();
        double ns;

        gzip_bytes = 0;
        for (int b = 0; b < BATCHES; b++) {
            if (!llmlab__compress(&compressor, texts[b].data, texts[b].size,
                                  &body)) {
                return 1;
            }
            gzip_bytes += body.size;
        }
        ns = (double)(cpu_ns() - start) / (BATCHES * CALLS);
        best_gzip = ns < best_gzip ? ns : best_gzip;
    }
    for (int round = 0; round < ROUNDS / 4; round++) {
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
        ns /= BATCHES * CALLS;
        best_cjson = ns < best_cjson ? ns : best_cjson;
    }
    printf("wire: %zu bytes a call, gzip 1/%.1f\n",
           json_bytes / (BATCHES * CALLS),
           (double)json_bytes / (double)gzip_bytes);
    printf("wire: json %.0f ns a call, %.2fx of cJSON printing alone\n",
           best_json, best_json / best_cjson);
    printf("wire: gzip %.0f ns a call; json and gzip %.0f ns\n", best_gzip,
           best_json + best_gzip);
    printf("wire: dropped 0\n");
    for (int b = 0; b < BATCHES; b++) {
        llmlab__buf_cleanup(&texts[b]);
    }
    llmlab__buf_cleanup(&body);
    llmlab__compressor_cleanup(&compressor);
    llmlab__encoder_cleanup(&encoder);
    llmlab__segments_cleanup(&segments);
    return 0;
}
