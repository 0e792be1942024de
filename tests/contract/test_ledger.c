/* Promise 3: the ledger balances. While threads record, batches are sent,
 * refused and put on disk, no reader ever sees more accounted for than was
 * accepted; and when nothing moves, exactly as much.
 *
 * llmlab-test: threads timeout=120
 * llmlab-sabotage: ledger_counts_twice */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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
#include "support/threads.h"

enum { RECORDERS = 3, ROUNDS = 60, CALLS = 50 };

typedef struct scene_s {
    llmlab_client_t *client;
    atomic_bool is_over;
    _Atomic uint64_t looks;
    _Atomic uint64_t wrong;
} scene_t;

static void *
record(void *payload)
{
    scene_t *scene = payload;

    for (int i = 0; i < ROUNDS; i++) {
        test_record(scene->client, CALLS);
        usleep(5000);
    }
    return NULL;
}

static void *
look(void *payload)
{
    scene_t *scene = payload;

    while (!atomic_load(&scene->is_over)) {
        llmlab_stats_t stats = test_stats(scene->client);

        atomic_fetch_add(&scene->looks, 1);
        if (stats.accepted < test_accounted(&stats)) {
            atomic_fetch_add(&scene->wrong, 1);
        }
    }
    return NULL;
}

static void
play(const peer_t *peer, const char *mode)
{
    scene_t scene = {.is_over = false};
    pthread_t recorders[RECORDERS];
    pthread_t reader;
    llmlab_stats_t stats;

    peer_script(peer, "[\"reject\",\"503\",\"rst\",\"400\",\"html\",\"ok\","
                      "\"429:1\",\"reject\",\"commit_drop\",\"max:30\"]");
    scene.client =
        test_open("url", peer->url, "api_key", peer_key(), "batch.max_calls",
                  "50", "retry.base_ms", "2", "retry.max_ms", "10",
                  "retry.pace_ms", "0", "log.level", "error", "spool.mode",
                  mode, "queue.max_bytes", "524288", NULL);
    assert_int_equal(pthread_create(&reader, NULL, look, &scene), 0);
    for (int i = 0; i < RECORDERS; i++) {
        assert_int_equal(pthread_create(&recorders[i], NULL, record, &scene),
                         0);
    }
    for (int i = 0; i < RECORDERS; i++) {
        pthread_join(recorders[i], NULL);
    }
    assert_int_equal(llmlab_client_flush(scene.client, 20000, NULL), LLMLAB_OK);
    atomic_store(&scene.is_over, true);
    pthread_join(reader, NULL);
    stats = test_stats(scene.client);
    print_message("%s: %llu looks\n", mode, (unsigned long long)scene.looks);
    assert_int_equal(scene.wrong, 0);
    assert_int_equal(stats.accepted, RECORDERS * ROUNDS * CALLS);
    assert_int_equal(test_accounted(&stats), stats.accepted);
    assert_int_equal(stats.queued + stats.in_flight + stats.spooled, 0);
    assert_int_equal(stats.dead, 50);
    assert_true(stats.rejected >= 2);
    llmlab_client_close(scene.client, 1000);
}

static void
test_it_balances_in_memory(void **state)
{
    peer_t peer;

    (void)state;
    assert_true(peer_start(&peer));
    play(&peer, "off");
    peer_stop(&peer);
}

static void
test_it_balances_with_a_spool(void **state)
{
    spool_t spool;
    peer_t peer;

    (void)state;
    assert_true(peer_start(&peer));
    spool_begin(&spool);
    play(&peer, spool.directory);
    assert_int_equal(spool_files(&spool, ""), 0);
    spool_end(&spool);
    peer_stop(&peer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_balances_in_memory),
        cmocka_unit_test(test_it_balances_with_a_spool),
    };

    setenv("no_proxy", "*", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
