/* Replies to measure on: recorded ones where they are, else of our making. */
#ifndef LLMLAB_BENCH_REPLIES_H
#define LLMLAB_BENCH_REPLIES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct bench_reply_s {
    char *body;
    size_t size;
    char provider[32];
    char api[48];
    bool recorded;
} bench_reply_t;

/* The whole JSON reply with usage whose size is nearest; made up when there
 * are no recorded ones. */
void bench_reply_find(bench_reply_t *out, size_t size);

/* A made-up chat reply of about a size: the same everywhere. */
void bench_reply_make(bench_reply_t *out, size_t size);

/* A chat stream of about that size, text-heavy. */
char *bench_stream_make(size_t about, size_t *size);

/* The recorded event stream nearest to a size; false when there is none. */
bool bench_stream_find(bench_reply_t *out, size_t size);

#endif
