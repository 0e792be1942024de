/* Deletion of a trace, and of all that is known of a user. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/jobs.h"
#include "api/write.h"

/* Longer traces are deleted by a job. */
#define STEPS_AT_ONCE 2000

typedef struct found_s {
    bool found;
    int64_t steps;
} found_t;

static bool
on_trace(void *payload, const llmlab__trace_row_t *row)
{
    found_t *found = payload;

    found->found = true;
    found->steps = row->steps;
    return false;
}

static bool
trace_find(llmlab__request_t *request, uint64_t *high, uint64_t *low,
           found_t *out)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;

    if (!llmlab__request_trace_id(request, high, low)) {
        return false;
    }
    if (ops->trace(request->reader, request->project.id, *high, *low, on_trace,
                   out) != LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot read a trace");
    }
    return out->found ||
           llmlab__reply_refuse(request, 404, "no-such-trace", "No such trace",
                                NULL, "the project has no trace of this id");
}

/* Audited first: what is gone was told, whenever the process ends. */
static bool
submit(llmlab__request_t *request, const found_t *found)
{
    const char *id = request->parts[1];
    llmlab__job_t job;
    bool good;

    if (!llmlab__change_begin(request)) {
        return false;
    }
    if (found->steps > STEPS_AT_ONCE) {
        llmlab__job_init(&job, "erase", request->project.id);
        (void)snprintf(job.arguments, sizeof(job.arguments),
                       "{\"trace\":\"%.32s\"}", id);
        good = llmlab__job_submit(request, &job);
        if (good) {
            llmlab__job_reply(request, 202, &job);
        }
    } else {
        good = llmlab__change_audit(request, "trace.delete", id, NULL);
        if (good) {
            llmlab__reply_nothing(request);
        }
    }
    llmlab__change_end(request);
    return request->reply.status < 400;
}

void
llmlab__api_trace_delete(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    found_t found = {.found = false};
    llmlab__removed_t removed = {.more = true};
    llmlab_status_t status = LLMLAB_OK;
    uint64_t high;
    uint64_t low;

    if (!trace_find(request, &high, &low, &found)) {
        return;
    }
    if (submit(request, &found) && request->reply.status == 204) {
        while (removed.more && status == LLMLAB_OK) {
            status = store->upkeep->trace_delete(
                store, request->project.id, high, low, STEPS_AT_ONCE, &removed);
        }
        if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
            llmlab__reply_failure(request, "cannot delete a trace");
        }
    }
}

void
llmlab__api_user_erase(llmlab__request_t *request)
{
    const char *user = llmlab__request_param(request, "user");
    llmlab__buf_t arguments;
    llmlab__json_out_t out;
    llmlab__job_t job;

    if (user == NULL || *user == '\0' || strlen(user) > 512) {
        llmlab__reply_refuse(request, 400, "bad-parameter",
                             "A parameter is wrong", "user",
                             "user: the id of a user is needed");
        return;
    }
    llmlab__buf_init(&arguments);
    llmlab__json_out_init(&out, &arguments);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "user");
    llmlab__json_put_text(&out, user);
    llmlab__json_end_object(&out);
    llmlab__buf_append(&arguments, "", 1);
    llmlab__job_init(&job, "erase", request->project.id);
    if (arguments.failed || arguments.size > sizeof(job.arguments)) {
        llmlab__reply_refuse(request, 400, "bad-parameter",
                             "A parameter is wrong", "user",
                             "user: it is too long");
    } else {
        memcpy(job.arguments, arguments.data, arguments.size);
        if (llmlab__job_submit(request, &job)) {
            llmlab__job_reply(request, 202, &job);
        }
    }
    llmlab__buf_cleanup(&arguments);
}
