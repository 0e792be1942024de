#include "services/scheduler.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/status.h"
#include "log.h"
#include "services/cron.h"

#define SECOND_NS   INT64_C(1000000000)
#define KINDS_MAX   16
#define BACKOFF_MAX (900 * SECOND_NS)
/* Jobs that another process stored are seen no later than this. */
#define LOOK_NS (30 * SECOND_NS)

struct llmlab__scheduler_s {
    struct llmlab__server_s *server;
    llmlab__store_t *store;
    const llmlab__job_kind_t *kinds;
    unsigned kind_count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    bool woken;
    bool cancelled;     /* the one that runs */
    int64_t running_id; /* 0: none */
    llmlab__job_numbers_t numbers[KINDS_MAX];
};

const llmlab__job_kind_t *
llmlab__scheduler_kind(const llmlab__scheduler_t *scheduler, const char *name)
{
    for (unsigned i = 0; i < scheduler->kind_count; i++) {
        if (strcmp(scheduler->kinds[i].name, name) == 0) {
            return &scheduler->kinds[i];
        }
    }
    return NULL;
}

bool
llmlab__scheduler_numbers(llmlab__scheduler_t *scheduler, unsigned index,
                          const char **name, llmlab__job_numbers_t *out)
{
    if (index >= scheduler->kind_count) {
        return false;
    }
    *name = scheduler->kinds[index].name;
    pthread_mutex_lock(&scheduler->lock);
    *out = scheduler->numbers[index];
    pthread_mutex_unlock(&scheduler->lock);
    return true;
}

/* Wait for a wake or the time; the lock is held. */
static void
wait_until(llmlab__scheduler_t *scheduler, int64_t mono_ns)
{
    struct timespec at = {.tv_sec = (time_t)(mono_ns / SECOND_NS),
                          .tv_nsec = (long)(mono_ns % SECOND_NS)};

    (void)pthread_cond_timedwait(&scheduler->wake, &scheduler->lock, &at);
}

static void
wake(llmlab__scheduler_t *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    scheduler->woken = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
}

bool
llmlab__job_stopping(const llmlab__job_run_t *run)
{
    llmlab__scheduler_t *scheduler = run->scheduler;
    bool stopping;

    pthread_mutex_lock(&scheduler->lock);
    stopping = scheduler->stopping || scheduler->cancelled;
    pthread_mutex_unlock(&scheduler->lock);
    return stopping;
}

void
llmlab__job_pause(llmlab__job_run_t *run, int64_t ns)
{
    llmlab__scheduler_t *scheduler = run->scheduler;
    int64_t end = llmlab__clock_mono_ns() + ns;

    pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->stopping && !scheduler->cancelled &&
           llmlab__clock_mono_ns() < end) {
        wait_until(scheduler, end);
    }
    pthread_mutex_unlock(&scheduler->lock);
}

llmlab_status_t
llmlab__job_progress(llmlab__job_run_t *run)
{
    llmlab__store_t *store = run->store;
    llmlab__reader_t *changer;
    llmlab_status_t status = store->ops->change_begin(store, &changer);
    llmlab_status_t ended;

    if (status != LLMLAB_OK) {
        return status;
    }
    status = store->jobs->save(changer, &run->job, LLMLAB__JOB_RUNNING);
    ended = store->ops->change_end(store, changer, status == LLMLAB_OK);
    return status == LLMLAB_OK ? ended : status;
}

/* When a schedule is due next; INT64_MAX: never. */
static int64_t
schedule_next(const char *schedule, int64_t now_ns)
{
    llmlab__cron_t cron;
    int64_t next;

    if (!llmlab__cron_parse(&cron, schedule)) {
        return INT64_MAX;
    }
    next = llmlab__cron_next(&cron, now_ns / SECOND_NS);
    return next > INT64_MAX / SECOND_NS ? INT64_MAX : next * SECOND_NS;
}

static int64_t
backoff(const llmlab__job_kind_t *kind, int attempt)
{
    int64_t pause = kind->backoff_ns;

    for (int i = 1; i < attempt && pause < BACKOFF_MAX; i++) {
        pause *= 2;
    }
    return pause < BACKOFF_MAX ? pause : BACKOFF_MAX;
}

/* The next time, or the end when it has no schedule. */
static void
ended(llmlab__job_t *job, llmlab__job_state_t state)
{
    job->attempt = 0;
    job->run_at_ns = job->schedule[0] == '\0'
                         ? INT64_MAX
                         : schedule_next(job->schedule, job->finished_ns);
    job->state = job->schedule[0] != '\0' && state == LLMLAB__JOB_DONE
                     ? LLMLAB__JOB_WAITING
                     : state;
}

static void
job_done(llmlab__job_t *job, llmlab__job_numbers_t *numbers, int64_t began)
{
    job->succeeded_ns = job->finished_ns;
    job->error[0] = '\0';
    (void)snprintf(job->progress, sizeof(job->progress), "{}");
    ended(job, LLMLAB__JOB_DONE);
    numbers->done++;
    numbers->succeeded_ns = job->finished_ns;
    numbers->duration_ns = llmlab__clock_mono_ns() - began;
}

static void
job_failed(llmlab__job_t *job, const llmlab__job_kind_t *kind,
           llmlab__job_numbers_t *numbers)
{
    numbers->failed++;
    if (job->attempt < kind->attempts) {
        job->state = LLMLAB__JOB_WAITING;
        job->run_at_ns = job->finished_ns + backoff(kind, job->attempt);
        return;
    }
    numbers->dead++;
    ended(job, LLMLAB__JOB_DEAD);
}

/* What becomes of it. A stop costs no attempt. */
static void
job_end(llmlab__job_run_t *run, const llmlab__job_kind_t *kind,
        llmlab_status_t status, int64_t began)
{
    llmlab__scheduler_t *scheduler = run->scheduler;
    llmlab__job_t *job = &run->job;
    llmlab__job_numbers_t *numbers =
        &scheduler->numbers[kind - scheduler->kinds];
    int attempt = job->attempt;
    bool cancelled;

    pthread_mutex_lock(&scheduler->lock);
    cancelled = scheduler->cancelled;
    scheduler->cancelled = false;
    scheduler->running_id = 0;
    job->finished_ns = llmlab__clock_real_ns();
    if (status == LLMLAB_OK) {
        job_done(job, numbers, began);
    } else if (status == LLMLAB_ETIMEOUT && cancelled) {
        ended(job, LLMLAB__JOB_CANCELLED);
    } else if (status == LLMLAB_ETIMEOUT) {
        job->state = LLMLAB__JOB_WAITING;
        job->attempt--;
        job->run_at_ns = job->finished_ns;
    } else {
        job_failed(job, kind, numbers);
    }
    pthread_mutex_unlock(&scheduler->lock);
    if (status == LLMLAB_OK) {
        llmlab__server_log(LLMLAB_LOG_INFO, "job done", "%s %lld: %s",
                           job->kind, (long long)job->id, job->result);
    } else if (status != LLMLAB_ETIMEOUT) {
        llmlab__server_log(LLMLAB_LOG_ERROR, "job failed",
                           "%s %lld, attempt %d: %s", job->kind,
                           (long long)job->id, attempt, job->error);
    }
    if (llmlab__job_progress(run) != LLMLAB_OK) {
        llmlab__server_log(LLMLAB_LOG_ERROR, "cannot store a job's end", "%s",
                           llmlab_status_detail());
    }
}

static void
job_run(llmlab__scheduler_t *scheduler, llmlab__job_run_t *run)
{
    llmlab__job_t *job = &run->job;
    const llmlab__job_kind_t *kind =
        llmlab__scheduler_kind(scheduler, job->kind);
    int64_t began = llmlab__clock_mono_ns();
    llmlab_status_t status;

    if (kind == NULL) {
        /* An older program's, or a newer one's. */
        job->state = LLMLAB__JOB_DEAD;
        job->finished_ns = llmlab__clock_real_ns();
        job->run_at_ns = INT64_MAX;
        (void)snprintf(job->error, sizeof(job->error),
                       "this program knows no such job");
        (void)llmlab__job_progress(run);
        return;
    }
    if (job->attempt > kind->attempts) {
        /* The process ended each time. */
        status = LLMLAB_EINTERNAL;
        (void)snprintf(job->error, sizeof(job->error),
                       "the server ended while it ran, %d times",
                       job->attempt - 1);
    } else {
        status = kind->run(run);
        if (status != LLMLAB_OK) {
            (void)snprintf(job->error, sizeof(job->error), "%s",
                           llmlab_status_detail());
        }
    }
    job_end(run, kind, status, began);
}

static void *
loop(void *payload)
{
    llmlab__scheduler_t *scheduler = payload;
    llmlab__job_run_t run = {.server = scheduler->server,
                             .store = scheduler->store,
                             .scheduler = scheduler};
    int64_t next;
    int64_t now;

    llmlab__os_thread_setup("llmlab-jobs");
    pthread_mutex_lock(&scheduler->lock);
    while (!scheduler->stopping) {
        llmlab_status_t status;

        scheduler->woken = false;
        pthread_mutex_unlock(&scheduler->lock);
        now = llmlab__clock_real_ns();
        status = scheduler->store->jobs->claim(scheduler->store, now, &run.job,
                                               &next);
        pthread_mutex_lock(&scheduler->lock);
        if (status == LLMLAB_OK) {
            scheduler->running_id = run.job.id;
            pthread_mutex_unlock(&scheduler->lock);
            job_run(scheduler, &run);
            pthread_mutex_lock(&scheduler->lock);
            continue;
        }
        next = status == LLMLAB_ENOTFOUND && next - now < LOOK_NS ? next - now
                                                                  : LOOK_NS;
        if (!scheduler->stopping && !scheduler->woken) {
            wait_until(scheduler, llmlab__clock_mono_ns() + next);
        }
    }
    pthread_mutex_unlock(&scheduler->lock);
    return NULL;
}

/* The standing jobs, and those under way at the last end. */
static llmlab_status_t
prepare(llmlab__scheduler_t *scheduler)
{
    llmlab__store_t *store = scheduler->store;
    llmlab_status_t status = store->jobs->recover(store);
    llmlab_status_t ended;
    llmlab__reader_t *changer;

    if (status == LLMLAB_OK) {
        status = store->ops->change_begin(store, &changer);
    }
    if (status != LLMLAB_OK) {
        return status;
    }
    for (unsigned i = 0; i < scheduler->kind_count && status == LLMLAB_OK;
         i++) {
        const llmlab__job_kind_t *kind = &scheduler->kinds[i];
        llmlab__job_t job;

        if (!kind->standing) {
            continue;
        }
        llmlab__job_init(&job, kind->name, 0);
        job.standing = true;
        (void)snprintf(job.schedule, sizeof(job.schedule), "%s",
                       kind->schedule);
        /* Without a schedule it waits to be run by hand. */
        job.state = LLMLAB__JOB_DONE;
        job.run_at_ns = INT64_MAX;
        if (job.schedule[0] != '\0') {
            job.state = LLMLAB__JOB_WAITING;
            job.run_at_ns = schedule_next(job.schedule, job.created_ns);
        }
        status = store->jobs->create(changer, &job);
        if (status == LLMLAB_EINVAL) {
            status = LLMLAB_OK;
        }
    }
    ended = store->ops->change_end(store, changer, status == LLMLAB_OK);
    return status == LLMLAB_OK ? ended : status;
}

llmlab_status_t
llmlab__scheduler_start(llmlab__scheduler_t **out,
                        struct llmlab__server_s *server, llmlab__store_t *store,
                        const llmlab__job_kind_t *kinds)
{
    llmlab__scheduler_t *scheduler = llmlab__calloc(1, sizeof(*scheduler));
    pthread_condattr_t attributes;
    llmlab_status_t status;

    *out = NULL;
    if (scheduler == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for the scheduler");
    }
    scheduler->server = server;
    scheduler->store = store;
    scheduler->kinds = kinds;
    while (kinds[scheduler->kind_count].name != NULL &&
           scheduler->kind_count < KINDS_MAX) {
        scheduler->kind_count++;
    }
    (void)pthread_mutex_init(&scheduler->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&scheduler->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    status = prepare(scheduler);
    if (status == LLMLAB_OK &&
        pthread_create(&scheduler->thread, NULL, loop, scheduler) != 0) {
        status = llmlab__fail(LLMLAB_EINTERNAL, "cannot start the scheduler");
    }
    if (status != LLMLAB_OK) {
        llmlab__scheduler_destroy(scheduler);
        return status;
    }
    *out = scheduler;
    return LLMLAB_OK;
}

void
llmlab__scheduler_stop(llmlab__scheduler_t *scheduler)
{
    if (scheduler == NULL) {
        return;
    }
    pthread_mutex_lock(&scheduler->lock);
    scheduler->stopping = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
    pthread_join(scheduler->thread, NULL);
}

void
llmlab__scheduler_destroy(llmlab__scheduler_t *scheduler)
{
    if (scheduler == NULL) {
        return;
    }
    pthread_mutex_destroy(&scheduler->lock);
    pthread_cond_destroy(&scheduler->wake);
    llmlab__free(scheduler);
}

bool
llmlab__scheduler_schedule(llmlab__job_t *job, const char *schedule)
{
    llmlab__cron_t cron;

    if (*schedule == '\0') {
        return true;
    }
    if (strlen(schedule) > LLMLAB__JOB_SCHEDULE_SIZE ||
        !llmlab__cron_parse(&cron, schedule)) {
        return false;
    }
    (void)snprintf(job->schedule, sizeof(job->schedule), "%s", schedule);
    job->run_at_ns = schedule_next(schedule, job->created_ns);
    return true;
}

llmlab_status_t
llmlab__scheduler_add(llmlab__scheduler_t *scheduler, llmlab__reader_t *changer,
                      llmlab__job_t *job)
{
    llmlab_status_t status = scheduler->store->jobs->create(changer, job);

    if (status == LLMLAB_OK) {
        wake(scheduler);
    }
    return status;
}

llmlab_status_t
llmlab__scheduler_run(llmlab__scheduler_t *scheduler, llmlab__reader_t *changer,
                      llmlab__job_t *job)
{
    llmlab__job_state_t was = job->state;
    llmlab_status_t status;

    if (was == LLMLAB__JOB_RUNNING) {
        return llmlab__fail(LLMLAB_ENOTFOUND, "the job is running");
    }
    job->state = LLMLAB__JOB_WAITING;
    job->attempt = 0;
    job->run_at_ns = llmlab__clock_real_ns();
    status = scheduler->store->jobs->save(changer, job, was);
    if (status == LLMLAB_OK) {
        wake(scheduler);
    }
    return status;
}

llmlab_status_t
llmlab__scheduler_change(llmlab__scheduler_t *scheduler,
                         llmlab__reader_t *changer, llmlab__job_t *job,
                         const char *schedule)
{
    llmlab__job_state_t was = job->state;
    llmlab__cron_t cron;
    llmlab_status_t status;

    if (*schedule != '\0' && (strlen(schedule) > LLMLAB__JOB_SCHEDULE_SIZE ||
                              !llmlab__cron_parse(&cron, schedule))) {
        return llmlab__fail(LLMLAB_EINVAL, "no schedule in cron form");
    }
    if (was == LLMLAB__JOB_RUNNING) {
        return llmlab__fail(LLMLAB_ENOTFOUND, "the job is running");
    }
    (void)snprintf(job->schedule, sizeof(job->schedule), "%s", schedule);
    job->run_at_ns = schedule_next(schedule, llmlab__clock_real_ns());
    job->state = *schedule == '\0' ? LLMLAB__JOB_DONE : LLMLAB__JOB_WAITING;
    job->attempt = 0;
    status = scheduler->store->jobs->save(changer, job, was);
    if (status == LLMLAB_OK) {
        wake(scheduler);
    }
    return status;
}

llmlab_status_t
llmlab__scheduler_cancel(llmlab__scheduler_t *scheduler,
                         llmlab__reader_t *changer, llmlab__job_t *job)
{
    llmlab__job_state_t was = job->state;
    bool running;

    pthread_mutex_lock(&scheduler->lock);
    running = scheduler->running_id == job->id;
    if (running) {
        scheduler->cancelled = true;
        pthread_cond_signal(&scheduler->wake);
    }
    pthread_mutex_unlock(&scheduler->lock);
    if (running || was == LLMLAB__JOB_DONE || was == LLMLAB__JOB_CANCELLED) {
        return LLMLAB_OK;
    }
    job->finished_ns = llmlab__clock_real_ns();
    ended(job, LLMLAB__JOB_CANCELLED);
    return scheduler->store->jobs->save(changer, job, was);
}
