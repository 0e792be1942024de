/* llmlab-test: link=llmlab_server_core threads
 *
 * Jobs: run once or by a schedule, tried again, dead at last, cancelled,
 * stopped and found again with their progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/status.h"
#include "services/scheduler.h"

#define SECOND_NS INT64_C(1000000000)

static _Atomic int runs;
static _Atomic bool slow_began;

static llmlab_status_t
run_good(llmlab__job_run_t *run)
{
    atomic_fetch_add(&runs, 1);
    (void)snprintf(run->job.result, sizeof(run->job.result), "{\"n\":1}");
    return LLMLAB_OK;
}

static llmlab_status_t
run_bad(llmlab__job_run_t *run)
{
    (void)run;
    atomic_fetch_add(&runs, 1);
    return llmlab__fail(LLMLAB_EIO, "the disk is \"gone\"");
}

/* Goes on until it is stopped; each run is a step further. */
static llmlab_status_t
run_slow(llmlab__job_run_t *run)
{
    int step = 0;

    (void)sscanf(run->job.progress, "{\"step\":%d}", &step);
    (void)snprintf(run->job.progress, sizeof(run->job.progress),
                   "{\"step\":%d}", step + 1);
    assert_int_equal(llmlab__job_progress(run), LLMLAB_OK);
    atomic_store(&slow_began, true);
    while (!llmlab__job_stopping(run)) {
        llmlab__job_pause(run, 10 * SECOND_NS);
    }
    return llmlab__fail(LLMLAB_ETIMEOUT, "stopped");
}

static const llmlab__job_kind_t kinds[] = {
    {"good", false, false, "", 3, 1000000, run_good},
    {"bad", false, false, "", 3, 1000000, run_bad},
    {"slow", false, false, "", 3, 1000000, run_slow},
    {"standing", true, false, "0 0 1 1 *", 3, 1000000, run_good},
    {"by-hand", true, false, "", 3, 1000000, run_good},
    {.name = NULL},
};

typedef struct fixture_s {
    char path[64];
    llmlab__store_t *store;
    llmlab__scheduler_t *scheduler;
} fixture_t;

static void
start(fixture_t *fixture)
{
    assert_int_equal(llmlab__store_sqlite_open(&fixture->store, fixture->path),
                     LLMLAB_OK);
    assert_int_equal(llmlab__scheduler_start(&fixture->scheduler, NULL,
                                             fixture->store, kinds),
                     LLMLAB_OK);
}

static void
stop(fixture_t *fixture)
{
    llmlab__scheduler_stop(fixture->scheduler);
    llmlab__scheduler_destroy(fixture->scheduler);
    fixture->store->ops->close(fixture->store);
}

static int
setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));

    (void)snprintf(fixture->path, sizeof(fixture->path),
                   "/tmp/llmlab-jobs-%ld.db", (long)getpid());
    atomic_store(&runs, 0);
    atomic_store(&slow_began, false);
    start(fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    fixture_t *fixture = *state;

    stop(fixture);
    for (int i = 0; i < 3; i++) {
        char path[80];

        (void)snprintf(path, sizeof(path), "%s%s", fixture->path, ends[i]);
        (void)unlink(path);
    }
    free(fixture);
    return 0;
}

static llmlab__reader_t *
begin(fixture_t *fixture)
{
    llmlab__reader_t *changer;

    assert_int_equal(
        fixture->store->ops->change_begin(fixture->store, &changer), LLMLAB_OK);
    return changer;
}

static void
end(fixture_t *fixture, llmlab__reader_t *changer)
{
    assert_int_equal(
        fixture->store->ops->change_end(fixture->store, changer, true),
        LLMLAB_OK);
}

static llmlab__job_t
get(fixture_t *fixture, int64_t id)
{
    llmlab__job_t job;
    llmlab__reader_t *reader = fixture->store->ops->acquire(fixture->store);

    assert_int_equal(fixture->store->jobs->get(reader, id, &job), LLMLAB_OK);
    fixture->store->ops->release(fixture->store, reader);
    return job;
}

static llmlab__job_t
await(fixture_t *fixture, int64_t id, llmlab__job_state_t state)
{
    const struct timespec pause = {.tv_nsec = 2000000};

    for (int i = 0; i < 5000; i++) {
        llmlab__job_t job = get(fixture, id);

        if (job.state == state) {
            return job;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("job %lld does not reach state %d", (long long)id, state);
    return get(fixture, id);
}

static int64_t
add(fixture_t *fixture, const char *kind, const char *schedule)
{
    llmlab__reader_t *changer;
    llmlab__job_t job;

    llmlab__job_init(&job, kind, 0);
    (void)snprintf(job.schedule, sizeof(job.schedule), "%s", schedule);
    changer = begin(fixture);
    assert_int_equal(llmlab__scheduler_add(fixture->scheduler, changer, &job),
                     LLMLAB_OK);
    end(fixture, changer);
    return job.id;
}

static void
test_once(void **state)
{
    llmlab__reader_t *changer;
    fixture_t *fixture = *state;
    llmlab__job_t job =
        await(fixture, add(fixture, "good", ""), LLMLAB__JOB_DONE);
    llmlab__job_numbers_t numbers;
    const char *name;

    assert_int_equal(atomic_load(&runs), 1);
    assert_string_equal(job.result, "{\"n\":1}");
    assert_string_equal(job.error, "");
    assert_true(job.succeeded_ns >= job.created_ns);
    assert_true(
        llmlab__scheduler_numbers(fixture->scheduler, 0, &name, &numbers));
    assert_string_equal(name, "good");
    assert_int_equal(numbers.done, 1);
    /* And again, by hand. */
    changer = begin(fixture);
    assert_int_equal(llmlab__scheduler_run(fixture->scheduler, changer, &job),
                     LLMLAB_OK);
    end(fixture, changer);
    for (int i = 0; i < 2000 && atomic_load(&runs) < 2; i++) {
        (void)usleep(2000);
    }
    (void)await(fixture, job.id, LLMLAB__JOB_DONE);
    assert_int_equal(atomic_load(&runs), 2);
}

static void
test_dead_after_its_attempts(void **state)
{
    fixture_t *fixture = *state;
    llmlab__job_t job =
        await(fixture, add(fixture, "bad", ""), LLMLAB__JOB_DEAD);

    assert_int_equal(atomic_load(&runs), 3);
    assert_string_equal(job.error, "the disk is \"gone\"");
    assert_int_equal(job.succeeded_ns, 0);
    /* With a schedule it is dead until then. */
    job = await(fixture, add(fixture, "bad", "0 0 1 1 *"), LLMLAB__JOB_DEAD);
    assert_true(job.run_at_ns > job.finished_ns && job.run_at_ns < INT64_MAX);
    job = await(fixture, add(fixture, "unheard-of", ""), LLMLAB__JOB_DEAD);
}

static void
test_schedule(void **state)
{
    llmlab__reader_t *changer;
    fixture_t *fixture = *state;
    llmlab__job_t job;
    int64_t id = add(fixture, "good", "0 0 1 1 *");

    for (int i = 0; i < 2000 && get(fixture, id).succeeded_ns == 0; i++) {
        (void)usleep(2000);
    }
    job = await(fixture, id, LLMLAB__JOB_WAITING);
    assert_true(job.run_at_ns > job.finished_ns);
    assert_int_equal(job.attempt, 0);
    changer = begin(fixture);
    assert_int_equal(
        llmlab__scheduler_change(fixture->scheduler, changer, &job, "bad"),
        LLMLAB_EINVAL);
    end(fixture, changer);
    changer = begin(fixture);
    assert_int_equal(
        llmlab__scheduler_change(fixture->scheduler, changer, &job, "@daily"),
        LLMLAB_OK);
    end(fixture, changer);
    job = get(fixture, id);
    assert_string_equal(job.schedule, "@daily");
    assert_true(job.run_at_ns <= llmlab__clock_real_ns() + 86400 * SECOND_NS);
    changer = begin(fixture);
    assert_int_equal(
        llmlab__scheduler_change(fixture->scheduler, changer, &job, ""),
        LLMLAB_OK);
    end(fixture, changer);
    job = get(fixture, id);
    assert_int_equal(job.state, LLMLAB__JOB_DONE);
}

/* As after kill -9: the row says that it runs, and nobody runs it. */
static void
test_interrupted_jobs_run_again(void **state)
{
    llmlab__reader_t *changer;
    fixture_t *fixture = *state;
    llmlab__job_t job;
    int64_t id = add(fixture, "slow", "");
    int64_t next;

    for (int i = 0; i < 2000 && !atomic_load(&slow_began); i++) {
        (void)usleep(2000);
    }
    job = get(fixture, id);
    assert_int_equal(job.state, LLMLAB__JOB_RUNNING);
    assert_string_equal(job.progress, "{\"step\":1}");
    atomic_store(&slow_began, false);
    stop(fixture);
    /* A stop costs no attempt. */
    assert_int_equal(llmlab__store_sqlite_open(&fixture->store, fixture->path),
                     LLMLAB_OK);
    job = get(fixture, id);
    assert_int_equal(job.state, LLMLAB__JOB_WAITING);
    assert_int_equal(job.attempt, 0);
    assert_int_equal(
        fixture->store->jobs->claim(fixture->store, INT64_MAX - 1, &job, &next),
        LLMLAB_OK);
    assert_int_equal(job.id, id);
    fixture->store->ops->close(fixture->store);
    start(fixture);
    for (int i = 0; i < 2000 && !atomic_load(&slow_began); i++) {
        (void)usleep(2000);
    }
    job = get(fixture, id);
    assert_string_equal(job.progress, "{\"step\":2}");
    assert_int_equal(job.attempt, 2);
    changer = begin(fixture);
    assert_int_equal(
        llmlab__scheduler_cancel(fixture->scheduler, changer, &job), LLMLAB_OK);
    end(fixture, changer);
    job = await(fixture, id, LLMLAB__JOB_CANCELLED);
}

/* One that brings the process down each time must not do so for ever. */
static void
test_poison(void **state)
{
    llmlab__reader_t *changer;
    fixture_t *fixture = *state;
    llmlab__job_t job;
    int64_t next;
    int64_t id;

    stop(fixture);
    assert_int_equal(llmlab__store_sqlite_open(&fixture->store, fixture->path),
                     LLMLAB_OK);
    llmlab__job_init(&job, "good", 0);
    changer = begin(fixture);
    assert_int_equal(fixture->store->jobs->create(changer, &job), LLMLAB_OK);
    end(fixture, changer);
    id = job.id;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fixture->store->jobs->claim(
                             fixture->store, INT64_MAX - 1, &job, &next),
                         LLMLAB_OK);
        assert_int_equal(job.id, id);
        assert_int_equal(fixture->store->jobs->recover(fixture->store),
                         LLMLAB_OK);
    }
    fixture->store->ops->close(fixture->store);
    start(fixture);
    job = await(fixture, id, LLMLAB__JOB_DEAD);
    assert_int_equal(atomic_load(&runs), 0);
    assert_non_null(strstr(job.error, "3 times"));
}

static bool
count_standing(void *payload, const llmlab__job_t *job)
{
    *(int *)payload += job->standing;
    return true;
}

static void
test_standing_jobs_are_made_once(void **state)
{
    fixture_t *fixture = *state;
    llmlab__job_query_t query = {.project = -1, .state = -1, .limit = 100};
    llmlab__reader_t *reader;
    int count = 0;

    stop(fixture);
    start(fixture);
    reader = fixture->store->ops->acquire(fixture->store);
    assert_int_equal(
        fixture->store->jobs->list(reader, &query, count_standing, &count),
        LLMLAB_OK);
    assert_int_equal(count, 2);
    query.kind = "by-hand";
    count = 0;
    assert_int_equal(
        fixture->store->jobs->list(reader, &query, count_standing, &count),
        LLMLAB_OK);
    assert_int_equal(count, 1);
    fixture->store->ops->release(fixture->store, reader);
    assert_int_equal(atomic_load(&runs), 0);
    assert_int_equal(
        fixture->store->jobs->forget(fixture->store, llmlab__clock_real_ns()),
        LLMLAB_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_after_its_attempts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_schedule, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupted_jobs_run_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_poison, setup, teardown),
        cmocka_unit_test_setup_teardown(test_standing_jobs_are_made_once, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
