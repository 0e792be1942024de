/* What users really do: start a span, read the provider's reply, price it, end
 * the span. */
#include "bench/support/bench.h"

#include <math.h>
#include <stdlib.h>

#include "bench/support/replies.h"

#define BURST 200

static const char *const settings[] = {
    "queue.ring_bytes", "4194304", "queue.max_bytes", "67108864", NULL,
};

static llmlab_client_t *client;

static BENCH_HOT llmlab_status_t
answer(const bench_reply_t *reply)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "answer", LLMLAB_SPAN_LLM);
    llmlab_status_t status = llmlab_span_set_response(
        span, reply->provider, reply->api, reply->body, reply->size);

    llmlab_span_end(span);
    return status;
}

static void
warm_up(void *payload)
{
    int i;

    for (i = 0; i < BURST; i++) {
        answer(payload);
    }
}

static double
time_burst(const bench_reply_t *reply)
{
    int64_t start = bench_now();
    int i;

    for (i = 0; i < BURST; i++) {
        answer(reply);
    }
    return (double)(bench_now() - start) / BURST / 1000;
}

static void
measure(bench_t *bench, size_t size, double at_most)
{
    double times[BENCH_REPEATS];
    char label[96];
    bench_reply_t reply;
    uint64_t before;
    llmlab_status_t status;
    int64_t calls;
    int i;

    bench_reply_find(&reply, size);
    status = answer(&reply);
    if (status != LLMLAB_OK && status != LLMLAB_EUNPRICED) {
        bench_broken(bench, "the reply is not read: %s: %s",
                     llmlab_status_name(status), llmlab_status_detail());
    }
    bench_note(bench, "%s reply of %zu bytes (%s %s): %s",
               reply.recorded ? "recorded" : "made up", reply.size,
               reply.provider, reply.api, llmlab_status_name(status));
    warm_up(&reply);
    llmlab_client_flush(client, 10000, NULL);
    for (i = 0; i < BENCH_REPEATS; i++) {
        times[i] = time_burst(&reply);
        llmlab_client_flush(client, 10000, NULL);
    }
    snprintf(label, sizeof label, "reply of %.1f KB: min", (double)size / 1000);
    bench_row(bench, label, bench_min(times, BENCH_REPEATS), "us", at_most,
              NAN);
    snprintf(label, sizeof label, "reply of %.1f KB: median",
             (double)size / 1000);
    bench_row(bench, label, bench_median(times, BENCH_REPEATS), "us", NAN, NAN);

    before = bench_mallocs();
    time_burst(&reply);
    snprintf(label, sizeof label, "reply of %.1f KB: allocations a span",
             (double)size / 1000);
    bench_row(bench, label, (double)(bench_mallocs() - before) / BURST, "", 0,
              NAN);
    llmlab_client_flush(client, 10000, NULL);
    calls = bench_syscalls(warm_up, warm_up, &reply);
    if (calls >= 0) {
        snprintf(label, sizeof label, "reply of %.1f KB: system calls in %d",
                 (double)size / 1000, BURST);
        bench_row(bench, label, (double)calls, "", 0, NAN);
    }
    llmlab_client_flush(client, 10000, NULL);
    free(reply.body);
}

int
main(int argc, char **argv)
{
    bench_t bench;

    bench_begin(&bench, "reply", argc, argv);
    client = bench_open(settings);
    if (bench.counting) {
        bench_reply_t reply;

        bench_reply_make(&reply, 2300);
        llmlab_span_end(
            llmlab_span_start(client, NULL, "first", LLMLAB_SPAN_LLM));
        time_burst(&reply);
        free(reply.body);
    } else {
        measure(&bench, 2300, 3);
        measure(&bench, 19000, 15);
        bench_drops(&bench, "all", client);
    }
    llmlab_client_close(client, 10000);
    return bench_end(&bench);
}
