/* Promise 2: memory is bounded in bytes by one setting, whatever the server and
 * the disk do, at full speed and with no spool to go to.
 *
 * llmlab-test: threads timeout=120
 * llmlab-sabotage: memory_unbounded */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/peer.h"
#include "support/sanitizer.h"

enum { BOUND = 4 << 20, SECONDS_MS = 2000 };

static size_t
resident(void)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtoul(line + 6, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib << 10;
}

static void
test_a_dead_server_costs_the_bound_and_no_more(void **state)
{
    llmlab_client_t *client = test_open(
        "url", "http://127.0.0.1:1", "api_key", peer_key(), "queue.max_bytes",
        "4194304", "spool.mode", "off", "log.level", "error", NULL);
    int64_t start = test_now_ms();
    size_t before = resident();
    llmlab_stats_t stats;

    (void)state;
    while (test_now_ms() - start < SECONDS_MS) {
        test_record(client, 1000);
        stats = test_stats(client);
        assert_true(stats.memory_bytes <= BOUND);
    }
    stats = test_stats(client);
    assert_true(stats.dropped[LLMLAB_DROP_RING_FULL] > 0);
    assert_true(stats.queued + stats.in_flight > 5000);
    print_message("%llu recorded, %zu KiB grown\n",
                  (unsigned long long)stats.accepted,
                  (resident() - before) >> 10);
    /* libcurl's own and the thread's are beside it. */
    if (!WITH_SANITIZER) {
        assert_true(resident() - before < BOUND + (3 << 20));
    }
    llmlab_client_close(client, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dead_server_costs_the_bound_and_no_more),
    };

    setenv("no_proxy", "*", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
