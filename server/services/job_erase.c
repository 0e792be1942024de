/* Deletion that takes longer than a request: of a long trace, or of all traces
 * of a user. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/exports.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_dom.h"
#include "base/status.h"
#include "services/job_kinds.h"

/* Spans of one transaction: some 20 ms of the writer's time. */
#define STEP_SPANS 500

typedef struct erase_s {
    llmlab__job_run_t *run;
    int64_t label; /* 0: a single trace */
    int64_t start_ns;
    int64_t spans;
    int64_t traces;
} erase_t;

static void
progress_write(erase_t *erase)
{
    llmlab__job_t *job = &erase->run->job;

    (void)snprintf(job->progress, sizeof(job->progress),
                   "{\"label\":%" PRId64 ",\"start_ns\":%" PRId64
                   ",\"spans\":%" PRId64 ",\"traces\":%" PRId64 "}",
                   erase->label, erase->start_ns, erase->spans, erase->traces);
}

static void
progress_read(erase_t *erase)
{
    (void)sscanf(erase->run->job.progress,
                 "{\"label\":%" SCNd64 ",\"start_ns\":%" SCNd64
                 ",\"spans\":%" SCNd64 ",\"traces\":%" SCNd64 "}",
                 &erase->label, &erase->start_ns, &erase->spans,
                 &erase->traces);
}

static llmlab_status_t
trace_erase(erase_t *erase, uint64_t high, uint64_t low)
{
    llmlab__job_run_t *run = erase->run;
    llmlab__removed_t removed = {.more = true};

    while (removed.more) {
        int64_t began = llmlab__clock_mono_ns();
        llmlab_status_t status;

        if (llmlab__job_stopping(run)) {
            return llmlab__fail(LLMLAB_ETIMEOUT, "stopped");
        }
        status = run->store->upkeep->trace_delete(
            run->store, run->job.project, high, low, STEP_SPANS, &removed);
        if (status == LLMLAB_ENOTFOUND) {
            break;
        }
        if (status != LLMLAB_OK) {
            return status;
        }
        erase->spans += removed.spans;
        erase->traces += removed.traces;
        run->store->ops->idle(run->store);
        /* At most half of the writer's time is ours. */
        llmlab__job_pause(run, llmlab__clock_mono_ns() - began);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
next_find(erase_t *erase, uint64_t *high, uint64_t *low)
{
    llmlab__store_t *store = erase->run->store;
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab_status_t status =
        reader == NULL
            ? llmlab__fail(LLMLAB_EIO, "cannot open the database")
            : store->upkeep->user_trace(reader, erase->run->job.project,
                                        erase->label, &erase->start_ns, high,
                                        low);

    store->ops->release(store, reader);
    return status;
}

static llmlab_status_t
user_erase(erase_t *erase)
{
    llmlab_status_t status;
    uint64_t high = 0;
    uint64_t low = 0;
    int count = 0;

    status =
        llmlab__exports_remove(erase->run->server, erase->run->job.project);
    if (status != LLMLAB_OK) {
        return status;
    }
    while ((status = next_find(erase, &high, &low)) == LLMLAB_OK) {
        status = trace_erase(erase, high, low);
        progress_write(erase);
        if (status == LLMLAB_OK && ++count % 50 == 0) {
            status = llmlab__job_progress(erase->run);
        }
        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

/* The user's name is not kept: not even here. */
static void
keep(llmlab__job_t *job, int64_t label)
{
    (void)snprintf(job->progress, sizeof(job->progress),
                   "{\"label\":%" PRId64
                   ",\"start_ns\":0,\"spans\":0,\"traces\":0}",
                   label);
    (void)snprintf(job->arguments, sizeof(job->arguments), "{\"user\":null}");
}

static llmlab_status_t
begin(erase_t *erase, const cJSON *arguments)
{
    llmlab__job_run_t *run = erase->run;
    const char *user =
        llmlab__json_dom_string(llmlab__json_dom_get(arguments, "user"));
    const char *trace =
        llmlab__json_dom_string(llmlab__json_dom_get(arguments, "trace"));
    llmlab_status_t status = LLMLAB_OK;
    uint64_t high;
    uint64_t low;

    if (trace != NULL) {
        return strlen(trace) == 32 && llmlab__unhex64(trace, &high) == 0 &&
                       llmlab__unhex64(trace + 16, &low) == 0
                   ? trace_erase(erase, high, low)
                   : llmlab__fail(LLMLAB_EINVAL, "trace: no id");
    }
    if (erase->label == 0 && user == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "user or trace is needed");
    }
    if (erase->label == 0) {
        status =
            run->store->upkeep->user_forget(run->store, &run->job, user, keep);
        progress_read(erase);
        if (status == LLMLAB_ENOTFOUND) {
            keep(&run->job, 0);
            return LLMLAB_OK;
        }
    }
    return status == LLMLAB_OK ? user_erase(erase) : status;
}

llmlab_status_t
llmlab__job_erase(llmlab__job_run_t *run)
{
    erase_t erase = {.run = run};
    cJSON *arguments = NULL;
    llmlab_status_t status = llmlab__json_dom_parse(
        &arguments, run->job.arguments, strlen(run->job.arguments), 0);

    if (status == LLMLAB_OK) {
        progress_read(&erase);
        status = begin(&erase, arguments);
    }
    cJSON_Delete(arguments);
    (void)snprintf(run->job.result, sizeof(run->job.result),
                   "{\"spans\":%" PRId64 ",\"traces\":%" PRId64 "}",
                   erase.spans, erase.traces);
    return status;
}
