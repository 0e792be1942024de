/* The one thread that runs jobs, one after the other. A job that fails is
 * tried again after a pause that grows; when its attempts are used up it is
 * dead, and stays to be looked at and run by hand. A job under way when the
 * process ends, however it ends, runs again and finds its progress. */
#ifndef LLMLAB_SERVICES_SCHEDULER_H
#define LLMLAB_SERVICES_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct llmlab__server_s;

typedef struct llmlab__scheduler_s llmlab__scheduler_t;

/* A job while it runs. The handler reads its arguments and progress, and
 * leaves a result. */
typedef struct llmlab__job_run_s {
    struct llmlab__server_s *server;
    llmlab__store_t *store;
    llmlab__scheduler_t *scheduler;
    llmlab__job_t job;
} llmlab__job_run_t;

typedef struct llmlab__job_kind_s {
    const char *name;
    bool standing;        /* the server has one always */
    bool of_project;      /* made for one project */
    const char *schedule; /* of the standing one, at first; "": none */
    int attempts;
    int64_t backoff_ns; /* before the second attempt; doubled each time */
    /* LLMLAB_ETIMEOUT when it stopped because it was told to; any other
     * failure has its reason in the detail. */
    llmlab_status_t (*run)(llmlab__job_run_t *run);
} llmlab__job_kind_t;

/* Counters of a kind. */
typedef struct llmlab__job_numbers_s {
    uint64_t done;
    uint64_t failed; /* attempts */
    uint64_t dead;   /* jobs */
    int64_t succeeded_ns;
    int64_t duration_ns; /* of the last run that was done */
} llmlab__job_numbers_t;

/* kinds ends with a NULL name and outlives the scheduler. Standing jobs are
 * made, and those that were interrupted wait again. */
llmlab_status_t llmlab__scheduler_start(llmlab__scheduler_t **out,
                                        struct llmlab__server_s *server,
                                        llmlab__store_t *store,
                                        const llmlab__job_kind_t *kinds);
/* Tell the job under way to stop, and end the thread. NULL: no-op. */
void llmlab__scheduler_stop(llmlab__scheduler_t *scheduler);
/* After the stop. NULL: no-op. */
void llmlab__scheduler_destroy(llmlab__scheduler_t *scheduler);

/* NULL: no such kind. */
const llmlab__job_kind_t *
llmlab__scheduler_kind(const llmlab__scheduler_t *scheduler, const char *name);
/* By index in the table; false beyond its end. */
bool llmlab__scheduler_numbers(llmlab__scheduler_t *scheduler, unsigned index,
                               const char **name, llmlab__job_numbers_t *out);

/* Give a job that is not stored yet a schedule ("": none): it is due at its
 * next time. False: it is none. */
bool llmlab__scheduler_schedule(llmlab__job_t *job, const char *schedule);

/* Within a change; what it does is seen once the change is committed. */

/* Store a job and have it run when it is due. */
llmlab_status_t llmlab__scheduler_add(llmlab__scheduler_t *scheduler,
                                      llmlab__reader_t *changer,
                                      llmlab__job_t *job);
/* Run it now, whatever its state; LLMLAB_ENOTFOUND when it is running. */
llmlab_status_t llmlab__scheduler_run(llmlab__scheduler_t *scheduler,
                                      llmlab__reader_t *changer,
                                      llmlab__job_t *job);
/* Set the schedule; "" takes it away. LLMLAB_EINVAL: it is none;
 * LLMLAB_ENOTFOUND: the job is running. */
llmlab_status_t llmlab__scheduler_change(llmlab__scheduler_t *scheduler,
                                         llmlab__reader_t *changer,
                                         llmlab__job_t *job,
                                         const char *schedule);
/* Do not run it until it is run by hand, or stop it if it runs. */
llmlab_status_t llmlab__scheduler_cancel(llmlab__scheduler_t *scheduler,
                                         llmlab__reader_t *changer,
                                         llmlab__job_t *job);

/* For handlers. Is it time to end? */
bool llmlab__job_stopping(const llmlab__job_run_t *run);
/* Keep job.progress; it is what the next attempt begins with. */
llmlab_status_t llmlab__job_progress(llmlab__job_run_t *run);
/* Let others have their turn: wait, at most until the stop. */
void llmlab__job_pause(llmlab__job_run_t *run, int64_t ns);

#endif
