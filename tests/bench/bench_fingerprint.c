/* What a request's fingerprint costs. */
#include "bench/support/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "usage/fingerprint.h"

#define LOOPS 200

/* Messages of 400 bytes; with escapes every 40 bytes, or none. */
static char *
make_request(size_t messages, const char *line)
{
    static const char head[] = "{\"model\":\"m\",\"messages\":[";
    size_t line_size = strlen(line);
    char *body = malloc(sizeof head + messages * (line_size * 10 + 64));
    char *at = body;
    size_t i;
    int j;

    if (body == NULL) {
        abort();
    }
    at = stpcpy(at, head);
    for (i = 0; i < messages; i++) {
        at = stpcpy(at, i == 0 ? "" : ",");
        at = stpcpy(at, "{\"role\":\"user\",\"content\":\"");
        for (j = 0; j < 10; j++) {
            at = stpcpy(at, line);
        }
        at = stpcpy(at, "\"}");
    }
    strcpy(at, "]}");
    return body;
}

static void
measure(bench_t *bench, const char *what, size_t messages, const char *line)
{
    double times[BENCH_REPEATS];
    unsigned char key[LLMLAB__FINGERPRINT_KEY];
    char *body = make_request(messages, line);
    size_t size = strlen(body);
    llmlab__fingerprint_t print;
    char label[96];
    int i;

    llmlab__fingerprint_key(key, "bench", "");
    for (i = 0; i < BENCH_REPEATS; i++) {
        int64_t start = bench_now();
        int j;

        for (j = 0; j < LOOPS; j++) {
            if (llmlab__fingerprint_read(&print, key, body, size) < 0) {
                abort();
            }
            bench_keep(&print);
        }
        times[i] = (double)(bench_now() - start) / LOOPS * 1024 / (double)size;
    }
    snprintf(label, sizeof label, "fingerprint, %s, a KB: min", what);
    bench_row(bench, label, bench_min(times, BENCH_REPEATS), "ns", NAN, NAN);
    free(body);
}

int
main(int argc, char **argv)
{
    static const char plain[] = "The quick brown fox jumps over the dog. ";
    static const char escaped[] = "The \\\"quick\\\" brown fox jumps over.\\n ";
    bench_t bench;

    bench_begin(&bench, "fingerprint", argc, argv);
    measure(&bench, "1 KB", 2, plain);
    measure(&bench, "16 KB", 37, plain);
    measure(&bench, "16 KB with escapes", 37, escaped);
    measure(&bench, "1 MB", 2350, plain);
    return bench_end(&bench);
}
