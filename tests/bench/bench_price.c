/* Finding a model in the price book and pricing its call. */
#include "bench/support/bench.h"

#include <math.h>

#define LOOPS 20000

typedef struct kind_s {
    const char *what;
    const char *provider;
    const char *model;
    uint64_t input;
    double at_most;
} kind_t;

static double
time_cost(const kind_t *kind, const llmlab_call_facts_t *facts, int loops)
{
    llmlab_cost_t cost;
    int64_t start = bench_now();
    int i;

    (void)kind;
    for (i = 0; i < loops; i++) {
        if (llmlab_cost_compute(&cost, NULL, facts) < 0) {
            bench_keep(facts);
        }
        bench_keep(&cost);
    }
    return (double)(bench_now() - start) / loops;
}

static void
measure(bench_t *bench, const kind_t *kind)
{
    double times[BENCH_REPEATS];
    llmlab_call_facts_t facts;
    llmlab_usage_t usage;
    char label[96];
    int i;

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, kind->input);
    llmlab_usage_set(&usage, LLMLAB_USAGE_CACHE_READ_TOKENS, 1024);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 80);
    llmlab_call_facts_init(&facts);
    facts.provider = kind->provider;
    facts.model = kind->model;
    facts.usage = &usage;
    if (bench->counting) {
        time_cost(kind, &facts, 1000);
        return;
    }
    time_cost(kind, &facts, LOOPS);
    for (i = 0; i < BENCH_REPEATS; i++) {
        times[i] = time_cost(kind, &facts, LOOPS);
    }
    snprintf(label, sizeof label, "lookup and cost, %s: min", kind->what);
    bench_row(bench, label, bench_min(times, BENCH_REPEATS), "ns",
              kind->at_most, NAN);
    snprintf(label, sizeof label, "lookup and cost, %s: median", kind->what);
    bench_row(bench, label, bench_median(times, BENCH_REPEATS), "ns", NAN, NAN);
}

int
main(int argc, char **argv)
{
    static const kind_t kinds[] = {
        {"plain", "openai", "gpt-4o-mini", 1200, 200},
        {"dated name", "openai", "gpt-4o-mini-2024-07-18", 1200, 200},
        {"context tier", "gemini", "gemini-2.5-pro", 300000, NAN},
        {"unlisted date", "openai", "gpt-4o-2099-01-01", 1200, NAN},
        {"unknown name", "openai", "no-such-model-of-ours", 1200, NAN},
    };
    bench_t bench;
    size_t i;

    bench_begin(&bench, "price", argc, argv);
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        measure(&bench, &kinds[i]);
    }
    return bench_end(&bench);
}
