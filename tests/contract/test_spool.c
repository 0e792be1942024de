/* Promise 6: what a process that is gone has left is sent by the next one with
 * the same address, project and key; by nobody else, and by nobody before.
 *
 * llmlab-test: threads timeout=180
 * llmlab-sabotage: locks_ignored spool_unwritten */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <llmlab/llmlab.h>

#include "support/client.h"
#include "support/peer.h"
#include "support/sanitizer.h"
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
} fixture_t;

static int
begin(void **state)
{
    static fixture_t fixture;

    *state = &fixture;
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
expect_stored(const fixture_t *fixture, int count)
{
    assert_int_equal(peer_number(&fixture->peer, "stored"), count);
    assert_int_equal(peer_number(&fixture->peer, "twice"), 0);
}

static void
test_the_first_program_that_forgets_close_loses_nothing(void **state)
{
    fixture_t *fixture = *state;
    llmlab_stats_t stats;

    assert_int_equal(
        spool_run_victim(fixture->peer.url, peer_key(), "return", 50, NULL), 0);
    expect_stored(fixture, 0);
    stats = spool_recover(fixture->peer.url, peer_key());
    assert_int_equal(stats.recovered, 50);
    assert_int_equal(stats.recovery_lost, 0);
    assert_int_equal(stats.accepted, 0);
    expect_stored(fixture, 50);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

/* A program that asks for it delivers while it ends. */
static void
test_an_exit_may_deliver(void **state)
{
    static const char *const patient[] = {"exit_flush_ms=5000", NULL};
    fixture_t *fixture = *state;

    assert_int_equal(
        spool_run_victim(fixture->peer.url, peer_key(), "return", 50, patient),
        0);
    expect_stored(fixture, 50);
    assert_int_equal(spool_recover(fixture->peer.url, peer_key()).recovered, 0);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

static void
test_whatever_ends_a_process_loses_nothing(void **state)
{
    static const char *const ways[] = {"exit", "quick", "at_once",
                                       "kill", "abort", "fault"};
    fixture_t *fixture = *state;
    int expected = 0;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        spool_run_victim(fixture->peer.url, peer_key(), ways[i], 30, NULL);
        expected += 30;
        spool_recover(fixture->peer.url, peer_key());
        print_message("%s\n", ways[i]);
        expect_stored(fixture, expected);
    }
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

/* The records of several processes at once, more than are taken up in one go,
 * each under the name of its own process. */
static void
test_many_processes_leave_theirs(void **state)
{
    static const char *const first[] = {"service=first", NULL};
    fixture_t *fixture = *state;

    for (int i = 0; i < 11; i++) {
        spool_run_victim(fixture->peer.url, peer_key(),
                         i % 2 == 0 ? "kill" : "exit", 10 + i, first);
    }
    spool_recover(fixture->peer.url, peer_key());
    /* They have sent each other's, too, and were killed before they knew that
     * it had arrived: twice on the wire then, and once in a store. */
    assert_int_equal(peer_number(&fixture->peer, "stored"), 11 * 10 + 55);
    assert_int_equal(peer_number(&fixture->peer, "instances"), 11);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

static void
await_ready(const fixture_t *fixture)
{
    /* A segment is there when the worker has drained. */
    for (int i = 0; i < 1000 && spool_files(&fixture->spool, ".seg") == 0;
         i++) {
        usleep(5000);
    }
    assert_int_equal(spool_files(&fixture->spool, ".seg"), 1);
}

static void
test_a_living_process_is_left_alone(void **state)
{
    fixture_t *fixture = *state;
    victim_t victim;

    spool_begin_victim(&victim, fixture->peer.url, peer_key(), "wait", 40,
                       NULL);
    await_ready(fixture);
    assert_int_equal(spool_recover(fixture->peer.url, peer_key()).recovered, 0);
    expect_stored(fixture, 0);
    spool_end_victim(&victim);
    assert_int_equal(spool_recover(fixture->peer.url, peer_key()).recovered,
                     40);
    expect_stored(fixture, 40);
}

static void
test_a_child_of_the_dead_does_not_hold_its_files(void **state)
{
    fixture_t *fixture = *state;
    victim_t victim;
    int status;

    spool_begin_victim(&victim, fixture->peer.url, peer_key(), "fork", 40,
                       NULL);
    /* Its child lives until the pipe ends. */
    assert_int_equal(waitpid(victim.pid, &status, 0), victim.pid);
    spool_recover(fixture->peer.url, peer_key());
    expect_stored(fixture, 40);
    close(victim.input);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

static void
test_two_clients_of_one_process_leave_each_other_alone(void **state)
{
    fixture_t *fixture = *state;
    llmlab_client_t *first =
        test_open("url", fixture->peer.url, "api_key", peer_key(), NULL);
    llmlab_client_t *second;

    test_record(first, 20);
    await_ready(fixture);
    second = test_open("url", fixture->peer.url, "api_key", peer_key(), NULL);
    test_record(second, 10);
    assert_int_equal(llmlab_client_flush(second, 5000, NULL), LLMLAB_OK);
    assert_int_equal(test_stats(second).recovering, 0);
    assert_int_equal(test_stats(second).recovered, 0);
    expect_stored(fixture, 10);
    assert_int_equal(llmlab_client_close(second, 5000), LLMLAB_OK);
    assert_int_equal(llmlab_client_close(first, 5000), LLMLAB_OK);
    expect_stored(fixture, 30);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

static void
test_other_projects_and_keys_are_left_alone(void **state)
{
    static const char other_key[] =
        "llmlab_sk_0000000000000000000000000000003BhUX8";
    static const char *const blue[] = {"project=blue", NULL};
    fixture_t *fixture = *state;

    spool_run_victim(fixture->peer.url, peer_key(), "kill", 11, NULL);
    spool_run_victim(fixture->peer.url, peer_key(), "exit", 12, blue);
    spool_run_victim(fixture->peer.url, other_key, "exit", 13, NULL);
    spool_run_victim("http://127.0.0.1:1", peer_key(), "exit", 14, NULL);
    assert_int_equal(spool_recover(fixture->peer.url, peer_key()).recovered,
                     11);
    expect_stored(fixture, 11);
    assert_int_equal(spool_files(&fixture->spool, ".seg"), 3);
    assert_int_equal(spool_recover(fixture->peer.url, other_key).recovered, 13);
    expect_stored(fixture, 24);
    assert_int_equal(spool_files(&fixture->spool, ".seg"), 2);
}

/* A victim that is process 1 of a namespace of its own. */
static void
begin_in_namespace(victim_t *victim, const fixture_t *fixture, const char *how,
                   int count)
{
    int input[2];

    assert_int_equal(pipe(input), 0);
    victim->pid = fork();
    if (victim->pid == 0) {
        int status;

        dup2(input[0], 0);
        close(input[0]);
        close(input[1]);
        if (unshare(CLONE_NEWPID) != 0) {
            _exit(7);
        }
        spool_begin_victim(victim, fixture->peer.url, peer_key(), how, count,
                           NULL);
        (void)!read(0, &status, 1);
        spool_end_victim(victim);
        _exit(0);
    }
    close(input[0]);
    victim->input = input[1];
}

/* The process number is the same in two namespaces, the lock is not. */
static void
test_two_pid_namespaces_share_a_spool(void **state)
{
    fixture_t *fixture = *state;
    victim_t first;
    victim_t second;
    int status;

    begin_in_namespace(&first, fixture, "wait", 40);
    usleep(50000);
    if (waitpid(first.pid, &status, WNOHANG) == first.pid) {
        close(first.input);
        print_message("SKIP pid namespaces: not allowed here\n");
        skip();
    }
    await_ready(fixture);
    begin_in_namespace(&second, fixture, "flush", 5);
    for (int i = 0; i < 500 && peer_number(&fixture->peer, "stored") < 5; i++) {
        usleep(10000);
    }
    assert_int_equal(spool_end_victim(&second), 0);
    expect_stored(fixture, 5);
    assert_int_equal(spool_end_victim(&first), 0);
    assert_int_equal(spool_recover(fixture->peer.url, peer_key()).recovered,
                     40);
    expect_stored(fixture, 45);
}

static void
test_off_leaves_nothing(void **state)
{
    static const char *const off[] = {"spool.mode=off", "log.level=error",
                                      NULL};
    fixture_t *fixture = *state;

    spool_run_victim(fixture->peer.url, peer_key(), "exit", 20, off);
    spool_run_victim(fixture->peer.url, peer_key(), "kill", 20, off);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

static void
test_a_clean_close_leaves_nothing(void **state)
{
    fixture_t *fixture = *state;
    llmlab_client_t *client =
        test_open("url", fixture->peer.url, "api_key", peer_key(), NULL);

    test_record(client, 250);
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    expect_stored(fixture, 250);
    assert_int_equal(spool_files(&fixture->spool, ""), 0);
}

/* Readable by us alone, in a directory of ours, whatever that one lies in. */
static void
test_files_are_ours_alone(void **state)
{
    fixture_t *fixture = *state;
    char inner[100];
    char path[512];
    struct stat st;
    char text[65536];
    FILE *file;
    size_t size;

    assert_int_equal(chmod(fixture->spool.directory, 0777), 0);
    spool_run_victim(fixture->peer.url, peer_key(), "exit", 20, NULL);
    snprintf(inner, sizeof(inner), "%s/llmlab-%u", fixture->spool.directory,
             (unsigned)geteuid());
    assert_int_equal(lstat(inner, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    strcpy(fixture->spool.directory, inner);
    spool_file(&fixture->spool, ".seg", path);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    /* It tells the address, and which key by a hash alone. */
    file = fopen(path, "rb");
    size = fread(text, 1, sizeof(text), file);
    fclose(file);
    assert_non_null(
        memmem(text, size, fixture->peer.url, strlen(fixture->peer.url)));
    assert_null(memmem(text, size, peer_key() + 10, 12));
    spool_recover(fixture->peer.url, peer_key());
    expect_stored(fixture, 20);
    assert_int_equal(rmdir(inner), 0);
    *strrchr(fixture->spool.directory, '/') = '\0';
}

static void
test_no_directory_is_told_once_and_memory_does(void **state)
{
    fixture_t *fixture = *state;
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;
    test_log_t log = {0, ""};
    char path[100];

    /* A link is no directory, wherever it leads. */
    snprintf(path, sizeof(path), "%s/link", fixture->spool.directory);
    assert_int_equal(symlink("/proc/self", path), 0);
    assert_int_equal(llmlab_config_set(config, "spool.mode", path), LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "url", fixture->peer.url),
                     LLMLAB_OK);
    assert_int_equal(llmlab_config_set(config, "api_key", peer_key()),
                     LLMLAB_OK);
    llmlab_config_set_log(config, test_log, &log);
    assert_int_equal(llmlab_client_open(&client, config), LLMLAB_OK);
    llmlab_config_destroy(config);
    test_record(client, 250);
    assert_int_equal(llmlab_client_flush(client, 5000, NULL), LLMLAB_OK);
    assert_int_equal(log.lines, 1);
    assert_non_null(strstr(log.last, "no directory for the spool"));
    assert_int_equal(llmlab_client_close(client, 5000), LLMLAB_OK);
    expect_stored(fixture, 250);
}

#define SPOOL_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(test_the_first_program_that_forgets_close_loses_nothing),
        SPOOL_TEST(test_an_exit_may_deliver),
        SPOOL_TEST(test_whatever_ends_a_process_loses_nothing),
        SPOOL_TEST(test_many_processes_leave_theirs),
        SPOOL_TEST(test_a_living_process_is_left_alone),
        SPOOL_TEST(test_a_child_of_the_dead_does_not_hold_its_files),
        SPOOL_TEST(test_two_clients_of_one_process_leave_each_other_alone),
        SPOOL_TEST(test_other_projects_and_keys_are_left_alone),
        SPOOL_TEST(test_two_pid_namespaces_share_a_spool),
        SPOOL_TEST(test_off_leaves_nothing),
        SPOOL_TEST(test_a_clean_close_leaves_nothing),
        SPOOL_TEST(test_files_are_ours_alone),
        SPOOL_TEST(test_no_directory_is_told_once_and_memory_does),
    };

    spool_victim(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
