/* Promise 7: an outage of thousands of batches, with all that a network does to
 * a client; nothing is lost while the spool has room, memory stays within its
 * bound, and the backlog goes out in order of its age, paced, not at once.
 *
 * llmlab-test: threads timeout=180
 * llmlab-sabotage: nothing_is_retried */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/peer.h"
#include "support/spool.h"

enum { BATCHES = 2000, CALLS = 10, BOUND = 1 << 20 };

static void
await_delivered(llmlab_client_t *client, uint64_t count)
{
    int64_t start = test_now_ms();

    while (test_stats(client).delivered < count) {
        if (test_now_ms() - start > 60000) {
            fail_msg("%llu delivered of %llu",
                     (unsigned long long)test_stats(client).delivered,
                     (unsigned long long)count);
        }
        usleep(10000);
    }
}

/* Between the last requests: no two alike, and none at once. */
static void
expect_paced(const peer_t *peer)
{
    cJSON *report = peer_report(peer);
    const cJSON *times = cJSON_GetObjectItem(report, "times");
    int count = cJSON_GetArraySize(times);
    double first = cJSON_GetArrayItem(times, 0)->valuedouble;
    double last = cJSON_GetArrayItem(times, count - 1)->valuedouble;
    double shortest = 1e9;
    double longest = 0;

    assert_int_equal(count, 50);
    for (int i = 1; i < count; i++) {
        double gap = cJSON_GetArrayItem(times, i)->valuedouble -
                     cJSON_GetArrayItem(times, i - 1)->valuedouble;

        shortest = gap < shortest ? gap : shortest;
        longest = gap > longest ? gap : longest;
    }
    print_message("gaps %.1f..%.1f ms, mean %.1f ms\n", shortest * 1e3,
                  longest * 1e3, (last - first) / (count - 1) * 1e3);
    assert_true((last - first) / (count - 1) >= 0.002);
    assert_true(longest - shortest >= 0.002);
    cJSON_Delete(report);
}

static void
test_thousands_of_batches_wait_and_arrive_once(void **state)
{
    spool_t spool;
    peer_t peer;
    llmlab_client_t *client;
    llmlab_stats_t stats;
    double twice;

    (void)state;
    assert_true(peer_start(&peer));
    spool_begin(&spool);
    client = test_open(
        "url", peer.url, "api_key", peer_key(), "batch.max_calls", "10",
        "queue.max_bytes", "1048576", "queue.full", "wait", "queue.wait_ms",
        "30000", "retry.base_ms", "5", "retry.max_ms", "50", "retry.pace_ms",
        "3", "retry.probe_ms", "50", "log.level", "error", NULL);
    peer_script(&peer, "[\"429:1\",\"503:date+2\",\"html\",\"rst\",\"close\","
                       "\"alien\",\"302\",\"401\",\"404\",\"408\","
                       "\"commit_drop\",\"500\",\"else:502\"]");
    for (int i = 0; i < BATCHES; i++) {
        test_record(client, CALLS);
        stats = test_stats(client);
        assert_true(stats.memory_bytes <= BOUND);
        assert_true(stats.accepted >= test_accounted(&stats));
    }
    test_await_attempts(client, 14);
    while (test_stats(client).queued > 0) {
        usleep(10000);
    }
    stats = test_stats(client);
    assert_int_equal(stats.spooled, BATCHES * CALLS);
    assert_int_equal(test_accounted(&stats), stats.accepted);

    peer_script(&peer, "[\"else:ok\"]");
    await_delivered(client, BATCHES * CALLS);
    expect_paced(&peer);
    assert_int_equal(peer_number(&peer, "stored"), BATCHES * CALLS);
    /* Only the batch whose reply was dropped came again. */
    twice = peer_number(&peer, "twice");
    assert_int_equal(twice, CALLS);
    assert_int_equal(peer_number(&peer, "stolen"), 0);
    stats = test_stats(client);
    assert_int_equal(stats.duplicates, CALLS);
    assert_int_equal(stats.delivered, stats.accepted);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    assert_int_equal(spool_files(&spool, ""), 0);
    spool_end(&spool);
    peer_stop(&peer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thousands_of_batches_wait_and_arrive_once),
    };

    setenv("no_proxy", "*", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
