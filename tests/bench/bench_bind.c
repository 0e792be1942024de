/* What the flat layer under the bindings adds to the C calls. */
#include "bench/support/bench.h"

#include <math.h>

#include "bind/llmlab_bind.h"

#define BURST      1000
#define S(literal) (literal), sizeof(literal) - 1

static const char settings[] =
    "{\"exporter\":\"file\",\"exporter.file\":\"/dev/null\","
    "\"queue.ring_bytes\":4194304,\"queue.max_bytes\":67108864}";

static llmlab_client_t *client;
static int flat;

static void
c_span(void)
{
    llmlab_span_t *span =
        llmlab_span_start_n(client, NULL, S("step"), LLMLAB_SPAN_TOOL);

    llmlab_span_end(span);
}

static void
flat_span(void)
{
    llmlab_bind_end(llmlab_bind_begin(flat, 0, S("step"), LLMLAB_SPAN_TOOL));
}

static void
c_attributes(void)
{
    llmlab_span_t *span =
        llmlab_span_start_n(client, NULL, S("step"), LLMLAB_SPAN_TOOL);
    int i;

    for (i = 0; i < 8; i++) {
        llmlab_span_set_int_n(span, S("attribute"), i);
    }
    llmlab_span_end(span);
}

static BENCH_HOT void
flat_attributes(void)
{
    int64_t span = llmlab_bind_begin(flat, 0, S("step"), LLMLAB_SPAN_TOOL);
    int i;

    for (i = 0; i < 8; i++) {
        llmlab_bind_set_int(span, S("attribute"), i);
    }
    llmlab_bind_end(span);
}

static void
drain(void)
{
    llmlab_client_flush(client, 10000, NULL);
    llmlab_bind_text_free(llmlab_bind_flush(flat, 10000));
}

static double
time_burst(void (*work)(void))
{
    int64_t start = bench_now();
    int i;

    for (i = 0; i < BURST; i++) {
        work();
    }
    return (double)(bench_now() - start) / BURST;
}

/* What the flat way adds, by the minimum of both; and its own minimum. */
static double
compare(void (*c)(void), void (*bound)(void), double *out_flat)
{
    double times[2][BENCH_REPEATS];
    int i;

    time_burst(c);
    time_burst(bound);
    drain();
    for (i = 0; i < BENCH_REPEATS; i++) {
        times[0][i] = time_burst(c);
        drain();
        times[1][i] = time_burst(bound);
        drain();
    }
    *out_flat = bench_min(times[1], BENCH_REPEATS);
    return *out_flat - bench_min(times[0], BENCH_REPEATS);
}

int
main(int argc, char **argv)
{
    static const char *const pairs[] = {"queue.ring_bytes", "4194304",
                                        "queue.max_bytes", "67108864", NULL};
    double bare;
    double with;
    double time;
    bench_t bench;

    bench_begin(&bench, "bind", argc, argv);
    client = bench_open(pairs);
    flat = llmlab_bind_open(S(settings));
    if (flat <= 0) {
        bench_broken(&bench, "cannot open: %s", llmlab_bind_detail());
        return bench_end(&bench);
    }
    if (bench.counting) {
        time_burst(flat_span);
        drain();
        time_burst(flat_attributes);
    } else {
        bare = compare(c_span, flat_span, &time);
        bench_row(&bench, "begin and end: flat layer", time, "ns", NAN, NAN);
        bench_row(&bench, "begin and end: added to C", bare, "ns", 30, NAN);
        with = compare(c_attributes, flat_attributes, &time);
        bench_row(&bench, "begin, 8 x set_int, end: flat layer", time, "ns",
                  NAN, NAN);
        bench_row(&bench, "set_int: added to C", (with - bare) / 8, "ns", 10,
                  NAN);
        bench_drops(&bench, "C client", client);
    }
    llmlab_bind_close(flat, 5000);
    llmlab_client_close(client, 5000);
    return bench_end(&bench);
}
