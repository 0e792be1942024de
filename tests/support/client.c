#include "support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

llmlab_client_t *
test_open(const char *name, ...)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    va_list arguments;

    va_start(arguments, name);
    while (name != NULL) {
        const char *value = va_arg(arguments, const char *);

        if (llmlab_config_set(config, name, value) != LLMLAB_OK) {
            fail_msg("%s", llmlab_status_detail());
        }
        name = va_arg(arguments, const char *);
    }
    va_end(arguments);
    if (llmlab_client_open(&client, config) != LLMLAB_OK) {
        fail_msg("%s", llmlab_status_detail());
    }
    llmlab_config_destroy(config);
    return client;
}

void
test_record(llmlab_client_t *client, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        llmlab_span_end(
            llmlab_span_start(client, NULL, "step", LLMLAB_SPAN_TOOL));
    }
}

llmlab_stats_t
test_stats(llmlab_client_t *client)
{
    llmlab_stats_t stats;

    llmlab_stats_init(&stats);
    assert_int_equal(llmlab_client_stats(client, &stats), LLMLAB_OK);
    return stats;
}

uint64_t
test_accounted(const llmlab_stats_t *stats)
{
    uint64_t sum = stats->delivered + stats->queued + stats->in_flight +
                   stats->spooled + stats->rejected + stats->dead;

    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        sum += stats->dropped[i];
    }
    return sum;
}

int64_t
test_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
test_await_attempts(llmlab_client_t *client, uint64_t attempts)
{
    struct timespec moment = {0, 2000000};
    int64_t start = test_now_ms();

    while (test_stats(client).attempts < attempts) {
        if (test_now_ms() - start > 10000) {
            fail_msg("%llu attempts, not %llu",
                     (unsigned long long)test_stats(client).attempts,
                     (unsigned long long)attempts);
        }
        nanosleep(&moment, NULL);
    }
}

void
test_log(llmlab_log_level_t level, const char *line, void *payload)
{
    test_log_t *log = payload;

    (void)level;
    log->lines++;
    snprintf(log->last, sizeof(log->last), "%s", line);
}
