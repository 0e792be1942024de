/* How fast the reader of streamed replies takes bytes, in pieces as they
 * arrive. */
#include "bench/support/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/support/replies.h"

typedef struct source_s {
    const char *what;
    const char *provider;
    const char *api;
    const char *text;
    size_t size;
    size_t piece;
    double at_least;
} source_t;

/* MB/s over several readings of the whole stream. */
static double
read_stream(const source_t *source, llmlab_usage_stream_t *stream, int passes)
{
    llmlab_reply_t reply;
    int64_t start = bench_now();
    size_t at;
    int i;

    for (i = 0; i < passes; i++) {
        llmlab_usage_stream_reset(stream, source->provider, source->api);
        for (at = 0; at < source->size; at += source->piece) {
            size_t left = source->size - at;

            (void)llmlab_usage_stream_feed(
                stream, source->text + at,
                left < source->piece ? left : source->piece);
        }
        (void)llmlab_usage_stream_reply(stream, &reply);
    }
    return (double)source->size * passes /
           ((double)(bench_now() - start) / 1e9) / 1e6;
}

static void
measure(bench_t *bench, const source_t *source)
{
    llmlab_usage_stream_t *stream =
        llmlab_usage_stream_new(source->provider, source->api);
    double speeds[BENCH_REPEATS];
    char label[96];
    llmlab_reply_t reply;
    uint64_t before;
    int passes = (int)(4000000 / source->size) + 1;
    int i;

    if (bench->counting) {
        read_stream(source, stream, 1);
        llmlab_usage_stream_destroy(stream);
        return;
    }
    read_stream(source, stream, 1);
    if (llmlab_usage_stream_reply(stream, &reply) != LLMLAB_OK) {
        bench_broken(bench, "%s is not read: %s", source->what,
                     llmlab_status_detail());
    }
    before = bench_mallocs();
    for (i = 0; i < BENCH_REPEATS; i++) {
        speeds[i] = read_stream(source, stream, passes);
    }
    snprintf(label, sizeof label, "%s, pieces of %zu: best", source->what,
             source->piece);
    bench_sort(speeds, BENCH_REPEATS);
    bench_row(bench, label, speeds[BENCH_REPEATS - 1], "MB/s", NAN,
              source->at_least);
    snprintf(label, sizeof label, "%s, pieces of %zu: median", source->what,
             source->piece);
    bench_row(bench, label, speeds[BENCH_REPEATS / 2], "MB/s", NAN, NAN);
    snprintf(label, sizeof label, "%s, pieces of %zu: allocations",
             source->what, source->piece);
    bench_row(bench, label, (double)(bench_mallocs() - before), "", 0, NAN);
    llmlab_usage_stream_destroy(stream);
}

int
main(int argc, char **argv)
{
    static const size_t pieces[] = {16384, 1400, 100};
    bench_reply_t recorded;
    source_t source = {"text-heavy chat stream",
                       "openai",
                       "chat_completions",
                       NULL,
                       0,
                       0,
                       NAN};
    char *made;
    bench_t bench;
    size_t i;

    bench_begin(&bench, "stream", argc, argv);
    made = bench_stream_make(200000, &source.size);
    source.text = made;
    for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        source.piece = pieces[i];
        source.at_least = i < 2 ? 100 : NAN;
        measure(&bench, &source);
    }
    if (bench.counting) {
        bench_note(&bench, "no recorded stream: counts are for all machines");
    } else if (bench_stream_find(&recorded, 100000)) {
        bench_note(&bench, "recorded stream of %zu bytes (%s %s)",
                   recorded.size, recorded.provider, recorded.api);
        source.what = "recorded stream";
        source.provider = recorded.provider;
        source.api = recorded.api;
        source.text = recorded.body;
        source.size = recorded.size;
        source.piece = 1400;
        source.at_least = NAN;
        measure(&bench, &source);
        free(recorded.body);
    } else {
        bench_note(&bench, "SKIP recorded stream: ../shared/data is not here");
    }
    free(made);
    return bench_end(&bench);
}
