/* Batches as clients send them, made before the clock runs. The shape of a
 * span is fixed here: what bench_server measures is told with it. */
#ifndef LLMLAB_BENCH_BATCHES_H
#define LLMLAB_BENCH_BATCHES_H

#include <stddef.h>
#include <stdint.h>

/* What one connection sends: an instance of its own, records 1, 2, 3, ... */
typedef struct bench_feed_s {
    char instance[40];
    char key[64];
    int per_batch;
    uint64_t next; /* record number */
    uint64_t random;
    int64_t start_ns; /* of the next span */
    int64_t step_ns;  /* between two spans */
} bench_feed_t;

typedef struct bench_request_s {
    char *bytes; /* the whole HTTP request, body gzipped */
    size_t size;
    size_t json_size;
} bench_request_t;

void bench_feed_init(bench_feed_t *feed, int number, const char *key,
                     int per_batch, int64_t start_ns, int64_t step_ns);

/* The next batch. The caller frees bytes. */
void bench_feed_next(bench_feed_t *feed, bench_request_t *out);

#endif
