/* Promise 6 where there is no room, or something wrong with the files: what can
 * be kept is kept, and what is lost is counted.
 *
 * llmlab-test: threads timeout=180
 * llmlab-sabotage: spool_unwritten */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/peer.h"
#include "support/spool.h"

/* Clients that nobody closes are what this test is about. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}

const char *
__tsan_default_options(void)
{
    return "report_thread_leaks=0:die_after_fork=0";
}

typedef struct fixture_s {
    spool_t spool;
    peer_t peer;
    test_log_t log;
} fixture_t;

static int
begin(void **state)
{
    static fixture_t fixture;

    *state = &fixture;
    memset(&fixture.log, 0, sizeof(fixture.log));
    spool_begin(&fixture.spool);
    return peer_start(&fixture.peer) ? 0 : -1;
}

static int
end(void **state)
{
    fixture_t *fixture = *state;

    peer_stop(&fixture->peer);
    spool_end(&fixture->spool);
    return 0;
}

static void
expect_stored(const fixture_t *fixture, uint64_t count)
{
    assert_int_equal(peer_number(&fixture->peer, "stored"), count);
    assert_int_equal(peer_number(&fixture->peer, "twice"), 0);
}

/* Log lines are kept in the fixture. */
static llmlab_client_t *
open_logged(fixture_t *fixture, const char *name, const char *value)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;

    assert_int_equal(llmlab_config_set(config, "url", fixture->peer.url),
                     LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "api_key", peer_key()),
                     LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, name, value), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "retry.base_ms", "5"),
                     LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "retry.max_ms", "20"),
                     LLMLAB_OK);
    llmlab_config_set_log(config, test_log, &fixture->log);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    return client;
}

static void
leave_segment(fixture_t *fixture, int count, char path[512])
{
    spool_run_victim(fixture->peer.url, peer_key(), "exit", count, NULL);
    spool_file(&fixture->spool, ".seg", path);
}

static void
test_a_torn_end_costs_what_was_torn(void **state)
{
    fixture_t *fixture = *state;
    llmlab_stats_t stats;
    struct stat st;
    char path[512];
    char ring[512];

    leave_segment(fixture, 50, path);
    /* Nothing else tells of them. */
    spool_file(&fixture->spool, ".ring", ring);
    assert_int_equal(unlink(ring), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 200), 0);
    stats = spool_recover(fixture->peer.url, peer_key());
    assert_true(stats.recovered >= 48 && stats.recovered < 50);
    assert_int_equal(stats.recovery_lost, 1);
    expect_stored(fixture, stats.recovered);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

static void
test_a_byte_that_changed_costs_one_call(void **state)
{
    fixture_t *fixture = *state;
    llmlab_stats_t stats;
    struct stat st;
    char path[512];
    char byte;
    int fd;

    leave_segment(fixture, 50, path);
    assert_int_equal(stat(path, &st), 0);
    fd = open(path, O_RDWR);
    /* Within a record's text, not within its frame. */
    assert_int_equal(pread(fd, &byte, 1, st.st_size / 2), 1);
    byte = (char)(byte ^ 0x40);
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size / 2), 1);
    close(fd);
    stats = spool_recover(fixture->peer.url, peer_key());
    assert_int_equal(stats.recovered, 49);
    assert_int_equal(stats.recovery_lost, 1);
    assert_int_equal(peer_number(&fixture->peer, "stored"), 49);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

static void
test_garbage_is_no_segment(void **state)
{
    fixture_t *fixture = *state;
    llmlab_stats_t stats;
    char path[512];
    char ring[512];
    int fd;

    leave_segment(fixture, 50, path);
    spool_file(&fixture->spool, ".ring", ring);
    fd = open(path, O_RDWR | O_TRUNC);
    assert_int_equal(write(fd, "nothing of ours", 15), 15);
    close(fd);
    fd = open(ring, O_RDWR | O_TRUNC);
    assert_int_equal(write(fd, "nothing of ours", 15), 15);
    close(fd);
    stats = spool_recover(fixture->peer.url, peer_key());
    assert_int_equal(stats.recovered, 0);
    assert_int_equal(stats.recovery_lost, 1);
    /* A ring's file of which nothing is known stays. */
    assert_int_equal(spool_files(&fixture->spool, ".ring"), 1);
    assert_int_equal(spool_files(&fixture->spool, ".seg"), 0);
}

/* Another version of this library has written it. */
static void
test_what_we_cannot_read_is_left_alone(void **state)
{
    fixture_t *fixture = *state;
    unsigned version = 77;
    char path[512];
    int fd;

    leave_segment(fixture, 50, path);
    fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &version, 4, 8), 4);
    close(fd);
    assert_int_equal(spool_recover(fixture->peer.url, peer_key()).recovered, 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(spool_files(&fixture->spool, ".ring"), 1);
}

/* An outage longer than the spool: the oldest go, and are counted; memory stays
 * within its bound; the ledger balances; what is left arrives. */
static void
test_the_cap_drops_the_oldest(void **state)
{
    fixture_t *fixture = *state;
    llmlab_client_t *client =
        open_logged(fixture, "spool.max_bytes", "1048576");
    llmlab_flush_result_t result;
    llmlab_stats_t stats;

    peer_script(&fixture->peer, "[\"else:503\"]");
    for (int i = 0; i < 100; i++) {
        test_record(client, 100);
        usleep(2000);
        stats = test_stats(client);
        assert_true(stats.accepted >= test_accounted(&stats));
        assert_true(stats.memory_bytes <= 8388608);
    }
    usleep(300000); /* the cap is kept with the next drain */
    assert_int_equal(llmlab_client_flush(client, 300, &result), LLMLAB_OK);
    stats = test_stats(client);
    assert_true(stats.spooled > 1000);
    assert_int_equal(result.spooled, stats.spooled);
    assert_int_equal(result.pending, 0);
    assert_int_equal(stats.queued + stats.in_flight, 0);
    assert_true(stats.dropped[LLMLAB_DROP_SPOOL_FULL] > 1000);
    assert_int_equal(test_accounted(&stats), 10000);
    assert_in_range(spool_bytes(&fixture->spool), 500000, 1300000);
    assert_int_equal(llmlab_client_close(client, 50), LLMLAB_OK);

    peer_script(&fixture->peer, "[\"else:ok\"]");
    assert_int_equal(spool_recover(fixture->peer.url, peer_key()).recovered,
                     stats.spooled);
    expect_stored(fixture, stats.spooled);
}

/* Here a full disk is a limit on the size of files: told by an error of write()
 * all the same. Calls then live in memory; one line tells it. */
static void
test_a_full_disk_is_told_and_memory_does(void **state)
{
    fixture_t *fixture = *state;
    llmlab_client_t *client = open_logged(fixture, "batch.max_calls", "1000");
    struct rlimit before;
    struct rlimit small;
    llmlab_stats_t stats;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 20000;
    peer_script(&fixture->peer, "[\"else:503\"]");
    test_record(client, 20);
    while (test_stats(client).spooled < 20) {
        usleep(1000);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    test_record(client, 200);
    usleep(250000);
    test_record(client, 200);
    usleep(250000);
    stats = test_stats(client);
    assert_int_equal(stats.spooled, 20);
    assert_int_equal(stats.queued, 400);
    assert_int_equal(fixture->log.lines, 1);
    assert_non_null(strstr(fixture->log.last, "cannot write to the spool"));
    assert_non_null(strstr(fixture->log.last, "kept in memory"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    /* With room again, all of it goes to disk. */
    test_record(client, 1);
    usleep(250000);
    assert_int_equal(test_stats(client).spooled, 421);
    peer_script(&fixture->peer, "[\"else:ok\"]");
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    expect_stored(fixture, 421);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

/* A process that may not write files at all still traces. */
static void
test_a_limit_from_the_start(void **state)
{
    fixture_t *fixture = *state;
    struct rlimit before;
    struct rlimit none;
    llmlab_client_t *client;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    client = open_logged(fixture, "batch.max_calls", "100");
    test_record(client, 250);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_stored(fixture, 250);
}

/* Fill a directory's file system, but for so much. */
static void
fill(const char *directory, long room)
{
    char path[200];
    char block[4096] = {1};
    int fd;

    snprintf(path, sizeof(path), "%s/filler", directory);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    while (write(fd, block, sizeof(block)) == (ssize_t)sizeof(block)) {
    }
    assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - room), 0);
    close(fd);
}

static bool
mount_small(const char *directory, const char *size)
{
    char options[40];

    snprintf(options, sizeof(options), "size=%s,mode=0700", size);
    /* For this process alone, and gone with it, however it ends. */
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", directory, "tmpfs", 0, options) != 0) {
        print_message("SKIP a full file system: mounting is not allowed\n");
        return false;
    }
    return true;
}

static void
test_a_full_disk(void **state)
{
    fixture_t *fixture = *state;
    llmlab_client_t *client;
    llmlab_stats_t stats;

    if (!mount_small(fixture->spool.directory, "2m")) {
        skip();
    }
    fill(fixture->spool.directory, 0);
    client = open_logged(fixture, "batch.max_calls", "100");
    test_record(client, 250);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    stats = test_stats(client);
    assert_int_equal(stats.delivered, 250);
    assert_int_equal(fixture->log.lines, 1);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    expect_stored(fixture, 250);
    assert_int_equal(umount2(fixture->spool.directory, MNT_DETACH), 0);
}

/* No SIGBUS, no more than half of it, one line, nothing lost in a live process.
 */
static void
test_a_full_tmpfs(void **state)
{
    fixture_t *fixture = *state;
    llmlab_client_t *client;

    if (!mount_small(fixture->spool.rings, "1m")) {
        skip();
    }
    /* First none at all, then room for the first ring alone. */
    for (long room = 0; room <= 700 << 10; room += 700 << 10) {
        memset(&fixture->log, 0, sizeof(fixture->log));
        fill(fixture->spool.rings, room);
        client = open_logged(fixture, "queue.full", "wait");
        test_record(client, 5000);
        assert_int_equal(llmlab_client_flush(client, 10000, NULL), LLMLAB_OK);
        assert_int_equal(test_stats(client).delivered, 5000);
        assert_int_equal(fixture->log.lines, 1);
        assert_non_null(strstr(fixture->log.last, "tmpfs"));
        assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
        assert_int_equal(spool_files(&fixture->spool, ".ring"), 0);
    }
    expect_stored(fixture, 10000);
    assert_int_equal(umount2(fixture->spool.rings, MNT_DETACH), 0);
}

#define SPOOL_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(test_a_torn_end_costs_what_was_torn),
        SPOOL_TEST(test_a_byte_that_changed_costs_one_call),
        SPOOL_TEST(test_garbage_is_no_segment),
        SPOOL_TEST(test_what_we_cannot_read_is_left_alone),
        SPOOL_TEST(test_the_cap_drops_the_oldest),
        SPOOL_TEST(test_a_full_disk_is_told_and_memory_does),
        SPOOL_TEST(test_a_limit_from_the_start),
        SPOOL_TEST(test_a_full_disk),
        SPOOL_TEST(test_a_full_tmpfs),
    };

    spool_victim(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
