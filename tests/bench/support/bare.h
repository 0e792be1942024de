/* The bare loop: the rows of one SQLite database into a fresh one of the same
 * schema, with the same durability, and nothing else. */
#ifndef LLMLAB_BENCH_BARE_H
#define LLMLAB_BENCH_BARE_H

#include <stdint.h>

typedef struct bench_bare_s {
    uint64_t spans;
    uint64_t rows;  /* of all tables */
    double seconds; /* inserting and committing only */
    char error[256];
} bench_bare_t;

/* At most max_spans rows of span; other tables whole. 0, or -1. */
int bench_bare_run(bench_bare_t *out, const char *from, const char *to,
                   uint64_t max_spans, int rows_per_commit);

/* One number out of a database; -1 when it cannot be had. */
int64_t bench_bare_number(const char *path, const char *sql);

#endif
