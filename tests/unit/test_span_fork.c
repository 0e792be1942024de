/* A child records by rings of its own, and leaves what is the parent's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <llmlab/llmlab.h>

#include "support/emulation.h"
#include "support/recording.h"

static recording_t *recording;
static llmlab_client_t *client;

static int
set_up(void **state)
{
    (void)state;
    recording = recording_open();
    client = recording_client(recording);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    recording_close(recording);
    return 0;
}

static int
status_of(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* What a child must find: 0, or the number of what is wrong. */
static int
check_child(llmlab_span_t *parents, uint64_t generation)
{
    llmlab__tracer_counts_t counts;
    const llmlab__record_t *record;
    llmlab_span_t *span;

    if (llmlab__fork_generation() == generation) {
        return 1;
    }
    llmlab__tracer_counts(&recording->tracer, &counts);
    if (counts.accepted != 0 || counts.open_spans != 0) {
        return 2;
    }
    if (llmlab_span_end(parents) != LLMLAB_EFORKED ||
        llmlab_span_end(parents) != LLMLAB_EFORKED) {
        return 3;
    }
    llmlab_span_set_string(parents, "harmless", "here");
    span = llmlab_span_start(client, parents, "child", LLMLAB_SPAN_TOOL);
    if (span == NULL || llmlab_span_end(span) != LLMLAB_OK ||
        llmlab_span_end(span) != LLMLAB_ESTALE) {
        return 4;
    }
    record = recording_next(recording);
    if (record == NULL || record->parent_id == 0 ||
        !recording_has(record, LLMLAB__ITEM_NAME, "child") ||
        recording_next(recording) != NULL) {
        return 5;
    }
    llmlab__tracer_counts(&recording->tracer, &counts);
    if (counts.accepted != 1 || counts.stale_ends != 3 ||
        recording->prepared != 2) {
        return 6;
    }
    return 0;
}

static void
test_a_child_starts_anew(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "parent", LLMLAB_SPAN_TOOL);
    uint64_t generation = llmlab__fork_generation();
    llmlab__tracer_counts_t counts;
    pid_t child;

    (void)state;
    llmlab_span_end(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    child = fork();
    if (child == 0) {
        _exit(check_child(span, generation));
    }
    assert_int_equal(status_of(child), 0);
    assert_int_equal(llmlab_span_end(span), LLMLAB_OK);
    assert_int_equal(recording_drain(recording), 2);
    llmlab__tracer_counts(&recording->tracer, &counts);
    assert_int_equal(counts.accepted, 2);
    assert_int_equal(counts.stale_ends, 0);
    assert_int_equal(llmlab__fork_generation(), generation);
}

/* clone() without libc runs no pthread_atfork handler. */
static void
test_a_raw_clone_is_noticed(void **state)
{
    llmlab_span_t *span;
    uint64_t generation;
    long child;

    (void)state;
    skip_under_emulation("raw clone: qemu does not pass madvise on");
    span = llmlab_span_start(client, NULL, "parent", LLMLAB_SPAN_TOOL);
    generation = llmlab__fork_generation();
    child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        _exit(check_child(span, generation));
    }
    assert_int_equal(status_of((pid_t)child), 0);
    llmlab_span_end(span);
}

static void
test_a_childs_child_starts_anew_too(void **state)
{
    llmlab_span_t *span =
        llmlab_span_start(client, NULL, "parent", LLMLAB_SPAN_TOOL);
    pid_t child;

    (void)state;
    child = fork();
    if (child == 0) {
        llmlab_span_t *mine =
            llmlab_span_start(client, NULL, "child", LLMLAB_SPAN_TOOL);
        uint64_t generation = llmlab__fork_generation();
        pid_t grandchild = fork();

        if (grandchild == 0) {
            recording->prepared = 1;
            _exit(check_child(mine, generation));
        }
        _exit(status_of(grandchild) != 0                ? 100
              : llmlab_span_end(span) != LLMLAB_EFORKED ? 101
              : llmlab_span_end(mine) != LLMLAB_OK      ? 102
                                                        : 0);
    }
    assert_int_equal(status_of(child), 0);
    llmlab_span_end(span);
}

static void
test_ids_do_not_repeat_in_children(void **state)
{
    uint64_t ids[20][2];
    int pipes[2];

    (void)state;
    llmlab_span_end(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();

        if (child == 0) {
            const llmlab__record_t *record;

            llmlab_span_end(
                llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
            record = recording_next(recording);
            _exit(write(pipes[1], &record->trace_id[1], 8) == 8 &&
                          write(pipes[1], &record->span_id, 8) == 8
                      ? 0
                      : 1);
        }
        assert_int_equal(status_of(child), 0);
        assert_int_equal(read(pipes[0], ids[i], 16), 16);
        for (int j = 0; j < i; j++) {
            assert_true(ids[i][0] != ids[j][0]);
            assert_true(ids[i][1] != ids[j][1]);
        }
    }
    close(pipes[0]);
    close(pipes[1]);
}

static _Atomic int stop;

static void *
record_until_stopped(void *payload)
{
    while (atomic_load(&stop) == 0) {
        llmlab_span_t *span =
            llmlab_span_start(client, NULL, "thread", LLMLAB_SPAN_TOOL);

        llmlab_span_set_string(span, "key", "value");
        llmlab_span_end(span);
    }
    return payload;
}

/* Whatever the other threads held when the process forked. */
static void
test_forks_amid_recording(void **state)
{
    pthread_t threads[2];

    (void)state;
    /* prepare() of this test takes a mutex: not while we fork. */
    llmlab_span_end(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    atomic_store(&stop, 0);
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, record_until_stopped, NULL);
    }
    for (int i = 0; i < 100; i++) {
        pid_t child = fork();

        if (child == 0) {
            alarm(20);
            for (int n = 0; n < 50; n++) {
                llmlab_span_t *span =
                    llmlab_span_start(client, NULL, "c", LLMLAB_SPAN_TOOL);

                if (llmlab_span_end(span) != LLMLAB_OK) {
                    _exit(1);
                }
            }
            _exit(recording_drain(recording) == 50 ? 0 : 2);
        }
        recording_drain(recording);
        recording->at = recording->taken.size;
        assert_int_equal(status_of(child), 0);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* The parent's client may be closed in a child that never used it. */
static void
test_an_unused_client_closes_in_a_child(void **state)
{
    pid_t child;

    (void)state;
    llmlab_span_end(llmlab_span_start(client, NULL, "x", LLMLAB_SPAN_TOOL));
    child = fork();
    if (child == 0) {
        llmlab__tracer_cleanup(&recording->tracer);
        _exit(0);
    }
    assert_int_equal(status_of(child), 0);
    assert_int_equal(recording_drain(recording), 1);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(test_a_child_starts_anew),
        UNIT(test_a_raw_clone_is_noticed),
        UNIT(test_a_childs_child_starts_anew_too),
        UNIT(test_ids_do_not_repeat_in_children),
        UNIT(test_forks_amid_recording),
        UNIT(test_an_unused_client_closes_in_a_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
