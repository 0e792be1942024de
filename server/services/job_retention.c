#include <stdio.h>

#include "api/exports.h"
#include "base/clock.h"
#include "base/status.h"
#include "server.h"
#include "services/job_kinds.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)
#define DAY_NS  (24 * HOUR_NS)
/* Spans of one transaction: some 10 ms of the writer's time. */
#define STEP_SPANS 1000
/* How long the record of a job stays. */
#define JOB_DAYS 30
/* And a file that was exported. */
#define EXPORT_DAYS 7

/* Of all projects. */
typedef struct removed_s {
    int64_t spans;
    int64_t traces;
} removed_t;

static llmlab_status_t
keeping_next(llmlab__job_run_t *run, int64_t after, llmlab__keeping_t *out)
{
    llmlab__store_t *store = run->store;
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab_status_t status =
        reader == NULL ? llmlab__fail(LLMLAB_EIO, "cannot open the database")
                       : store->upkeep->keeping(reader, after, out);

    store->ops->release(store, reader);
    return status;
}

static llmlab_status_t
project_expire(llmlab__job_run_t *run, const llmlab__keeping_t *keeping,
               int64_t before_ns, removed_t *sums)
{
    llmlab__store_t *store = run->store;
    llmlab__removed_t removed = {.more = true};
    llmlab__job_t *job = &run->job;
    llmlab_status_t status = LLMLAB_OK;

    while (removed.more && status == LLMLAB_OK) {
        int64_t began = llmlab__clock_mono_ns();

        if (llmlab__job_stopping(run)) {
            return llmlab__fail(LLMLAB_ETIMEOUT, "stopped");
        }
        status = store->upkeep->expire(store, keeping->project, before_ns,
                                       STEP_SPANS, &removed);
        sums->spans += removed.spans;
        sums->traces += removed.traces;
        if (removed.more && status == LLMLAB_OK) {
            store->ops->idle(store);
            (void)snprintf(job->progress, sizeof(job->progress),
                           "{\"project\":%lld,\"spans\":%lld}",
                           (long long)keeping->project, (long long)sums->spans);
            /* At most half of the writer's time is ours. */
            llmlab__job_pause(run, llmlab__clock_mono_ns() - began);
        }
    }
    return status;
}

llmlab_status_t
llmlab__job_retention(llmlab__job_run_t *run)
{
    int64_t now = llmlab__clock_real_ns();
    int64_t server = run->server->limits.retention_ns;
    removed_t sums = {0};
    llmlab__keeping_t keeping = {0};
    llmlab_status_t status;

    while ((status = keeping_next(run, keeping.project, &keeping)) ==
           LLMLAB_OK) {
        int64_t retention = keeping.retention_days != 0
                                ? keeping.retention_days * DAY_NS
                                : server;

        /* Whole hours: an hour's roll-up has all of its spans, or none. */
        status = project_expire(run, &keeping,
                                (now - retention) / HOUR_NS * HOUR_NS, &sums);
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    if (status == LLMLAB_ENOTFOUND) {
        llmlab__exports_expire(run->server, now - EXPORT_DAYS * DAY_NS);
        status = run->store->jobs->forget(run->store, now - JOB_DAYS * DAY_NS);
    }
    (void)snprintf(run->job.result, sizeof(run->job.result),
                   "{\"spans\":%lld,\"traces\":%lld}", (long long)sums.spans,
                   (long long)sums.traces);
    return status;
}
