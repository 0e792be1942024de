/* Just enough HTTP to load a server over connections that stay open. */
#ifndef LLMLAB_BENCH_HTTP_H
#define LLMLAB_BENCH_HTTP_H

#include <stddef.h>

/* A connected socket, or -1. */
int bench_http_connect(int port);

/* Send a whole request and read a whole reply: its status, or -1. body gets
 * its text with a NUL, cut at the capacity. */
int bench_http_ask(int fd, const char *request, size_t size, char *body,
                   size_t capacity);

/* A GET with a key, as text. */
size_t bench_http_get(char *out, size_t capacity, const char *path,
                      const char *key);

#endif
