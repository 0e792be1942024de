/* Clients for tests. */
#ifndef LLMLAB_TEST_CLIENT_H
#define LLMLAB_TEST_CLIENT_H

#include <stdint.h>

#include <llmlab/llmlab.h>

/* What flush and close may take beyond their time here: for sanitizers, and for
 * a machine that does other things as well. The promise is 50 ms; it is judged
 * by contract/test_deadline.c. */
enum { TEST_SLACK_MS = 2000 };

/* Open with name/value pairs, NULL-terminated; fails the test on an error. */
llmlab_client_t *test_open(const char *name, ...) __attribute__((sentinel));

/* Record count spans, each its own trace. */
void test_record(llmlab_client_t *client, unsigned count);

llmlab_stats_t test_stats(llmlab_client_t *client);

/* accepted, and the sum of what became of it. */
uint64_t test_accounted(const llmlab_stats_t *stats);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t test_now_ms(void);

/* Wait until the client has so many attempts behind it; fails after 10 s. */
void test_await_attempts(llmlab_client_t *client, uint64_t attempts);

/* Keeps log lines instead of printing them. */
typedef struct test_log_s {
    unsigned lines;
    char last[512];
} test_log_t;
void test_log(llmlab_log_level_t level, const char *line, void *payload);

#endif
