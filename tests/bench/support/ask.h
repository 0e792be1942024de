/* Questions to a server that holds spans. */
#ifndef LLMLAB_BENCH_ASK_H
#define LLMLAB_BENCH_ASK_H

#include "bench/support/bench.h"
#include "bench/support/server.h"

/* As many as it answers, the same few again and again, while spans arrive in
 * the same project; *spans_sent of these are stored more. */
void bench_ask_many(bench_t *bench, const bench_server_t *server,
                    uint64_t *spans_sent);
/* Costs, lists and traces that nobody asked for before. */
void bench_ask_new(bench_t *bench, const bench_server_t *server);

#endif
