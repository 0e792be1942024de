/* The server's jobs, for its admins. */
#include "api/jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/write.h"
#include "http/fields.h"
#include "http/page.h"
#include "services/scheduler.h"

static const char *const state_names[LLMLAB__JOB_STATES + 1] = {
    [LLMLAB__JOB_WAITING] = "waiting",
    [LLMLAB__JOB_RUNNING] = "running",
    [LLMLAB__JOB_DONE] = "done",
    [LLMLAB__JOB_DEAD] = "dead",
    [LLMLAB__JOB_CANCELLED] = "cancelled"};

static void
time_member(llmlab__json_out_t *out, const char *key, int64_t ns)
{
    llmlab__json_key_n(out, key, strlen(key));
    if (ns == 0 || ns == INT64_MAX) {
        llmlab__json_put_null(out);
    } else {
        llmlab__write_time(out, ns);
    }
}

static void
object_member(llmlab__json_out_t *out, const char *key, const char *json)
{
    llmlab__json_key_n(out, key, strlen(key));
    llmlab__json_put_raw(out, json, strlen(json));
}

void
llmlab__job_members(llmlab__json_out_t *out, const llmlab__job_t *job)
{
    bool due = job->state == LLMLAB__JOB_WAITING ||
               (job->state == LLMLAB__JOB_DEAD && job->schedule[0] != '\0');

    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, job->id);
    llmlab__json_key(out, "kind");
    llmlab__json_put_text(out, job->kind);
    llmlab__json_key(out, "state");
    llmlab__json_put_text(out, state_names[job->state]);
    llmlab__json_key(out, "schedule");
    if (job->schedule[0] == '\0') {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_text(out, job->schedule);
    }
    llmlab__json_key(out, "attempt");
    llmlab__json_put_int(out, job->attempt);
    time_member(out, "created_at", job->created_ns);
    time_member(out, "due_at", due ? job->run_at_ns : 0);
    time_member(out, "started_at", job->started_ns);
    time_member(out, "finished_at", job->finished_ns);
    time_member(out, "succeeded_at", job->succeeded_ns);
    object_member(out, "arguments", job->arguments);
    object_member(out, "progress", job->progress);
    object_member(out, "result", job->result);
    llmlab__json_key(out, "error");
    if (job->error[0] == '\0') {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_text(out, job->error);
    }
}

static bool
on_job(void *payload, const llmlab__job_t *job)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, job->id)) {
        return false;
    }
    llmlab__job_members(&page->out, job);
    llmlab__json_end_object(&page->out);
    return true;
}

static bool
state_read(llmlab__request_t *request, int *out)
{
    const char *text = llmlab__request_param(request, "state");

    *out = -1;
    for (int i = 0; i < LLMLAB__JOB_STATES && text != NULL; i++) {
        if (strcmp(text, state_names[i]) == 0) {
            *out = i;
        }
    }
    return text == NULL || *out >= 0 ||
           llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", "state",
                                "state: it is one of waiting, running, done, "
                                "dead, cancelled");
}

void
llmlab__api_jobs_list(llmlab__request_t *request)
{
    llmlab__job_query_t query = {
        .project = request->project.id != 0 ? request->project.id : -1,
        .kind = llmlab__request_param(request, "kind")};
    llmlab__page_t page;

    if (!state_read(request, &query.state) ||
        !llmlab__page_read(request, "jobs", &page)) {
        return;
    }
    query.before = page.has_after ? page.after : 0;
    query.limit = page.limit + 1;
    llmlab__page_begin(request, &page);
    if (request->server->store->jobs->list(request->reader, &query, on_job,
                                           &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list jobs");
        return;
    }
    llmlab__page_end(request, &page);
}

static bool
no_such_job(llmlab__request_t *request)
{
    return llmlab__reply_refuse(request, 404, "no-such-job", "No such job",
                                NULL, "there is no job of this id");
}

bool
llmlab__job_load(llmlab__request_t *request, const char *text,
                 llmlab__job_t *out)
{
    char *end;
    long long id = strtoll(text, &end, 10);
    llmlab_status_t status =
        *end != '\0' || end == text
            ? LLMLAB_ENOTFOUND
            : request->server->store->jobs->get(request->reader, id, out);

    if (status == LLMLAB_OK) {
        return true;
    }
    return status == LLMLAB_ENOTFOUND
               ? no_such_job(request)
               : llmlab__reply_failure(request, "cannot read a job");
}

void
llmlab__job_reply(llmlab__request_t *request, unsigned status,
                  const llmlab__job_t *job)
{
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__job_members(&out, job);
    llmlab__json_end_object(&out);
    request->reply.status = status;
}

void
llmlab__api_job_get(llmlab__request_t *request)
{
    llmlab__job_t job;

    if (llmlab__job_load(request, request->parts[0], &job)) {
        llmlab__job_reply(request, 200, &job);
    }
}

void
llmlab__api_project_job_get(llmlab__request_t *request)
{
    llmlab__job_t job;

    if (!llmlab__job_load(request, request->parts[1], &job)) {
        return;
    }
    if (job.project != request->project.id) {
        no_such_job(request);
        return;
    }
    llmlab__job_reply(request, 200, &job);
}

static bool
audit(llmlab__request_t *request, const char *action, const llmlab__job_t *job)
{
    char target[24];
    llmlab__buf_t detail;
    bool good;

    (void)snprintf(target, sizeof(target), "%" PRId64, job->id);
    llmlab__buf_init(&detail);
    llmlab__buf_printf(&detail, "\"kind\":\"%s\",\"schedule\":\"%s\"",
                       job->kind, job->schedule);
    good = llmlab__change_audit(request, action, target, &detail);
    llmlab__buf_cleanup(&detail);
    return good;
}

bool
llmlab__job_submit(llmlab__request_t *request, llmlab__job_t *job)
{
    return llmlab__scheduler_add(request->server->scheduler, request->changer,
                                 job) == LLMLAB_OK
               ? audit(request, "job.create", job)
               : llmlab__reply_failure(request, "cannot make a job");
}

static bool
bad_schedule(llmlab__request_t *request)
{
    return llmlab__reply_refuse(
        request, 400, "bad-field", "A field of the body is wrong", "schedule",
        "schedule: the cron form is needed, in UTC: minute hour day month "
        "weekday");
}

static bool
arguments_keep(llmlab__request_t *request, const cJSON *arguments,
               llmlab__job_t *job)
{
    /* Numbers keep their text: they are raw nodes. */
    return arguments == NULL ||
           cJSON_PrintPreallocated((cJSON *)(uintptr_t)arguments,
                                   job->arguments, sizeof(job->arguments), 0) ||
           llmlab__reply_refuse(request, 400, "bad-field",
                                "A field of the body is wrong", "arguments",
                                "arguments: at most %zu bytes",
                                sizeof(job->arguments) - 1);
}

void
llmlab__api_job_create(llmlab__request_t *request)
{
    llmlab__scheduler_t *scheduler = request->server->scheduler;
    const llmlab__job_kind_t *kind;
    const cJSON *arguments = NULL;
    const char *name = NULL;
    const char *schedule = "";
    const llmlab__field_t fields[] = {
        {.name = "kind",
         .type = LLMLAB__FIELD_TEXT,
         .required = true,
         .low = 1,
         .high = LLMLAB__JOB_KIND_SIZE,
         .out = &name},
        {.name = "schedule",
         .type = LLMLAB__FIELD_TEXT,
         .high = LLMLAB__JOB_SCHEDULE_SIZE,
         .out = &schedule},
        {.name = "arguments", .type = LLMLAB__FIELD_OBJECT, .out = &arguments},
    };
    llmlab__job_t job;

    if (!llmlab__request_fields(request, fields, 3)) {
        return;
    }
    kind = llmlab__scheduler_kind(scheduler, name);
    if (kind == NULL || kind->of_project) {
        llmlab__reply_refuse(request, 400, "bad-field",
                             "A field of the body is wrong", "kind",
                             "kind: the server has no such job");
        return;
    }
    llmlab__job_init(&job, name, 0);
    if (!llmlab__scheduler_schedule(&job, schedule)) {
        bad_schedule(request);
        return;
    }
    if (arguments_keep(request, arguments, &job) &&
        llmlab__job_submit(request, &job)) {
        llmlab__job_reply(request, 202, &job);
    }
}

/* What the scheduler says of a change to a job. */
static bool
changed(llmlab__request_t *request, llmlab_status_t status)
{
    if (status == LLMLAB_ENOTFOUND) {
        return llmlab__reply_refuse(request, 409, "job-running",
                                    "The job is running", NULL,
                                    "wait for its end, or cancel it");
    }
    return status == LLMLAB_OK ||
           llmlab__reply_failure(request, "cannot change a job");
}

void
llmlab__api_job_change(llmlab__request_t *request)
{
    const char *schedule = "";
    const llmlab__field_t field = {.name = "schedule",
                                   .type = LLMLAB__FIELD_TEXT,
                                   .required = true,
                                   .nullable = true,
                                   .high = LLMLAB__JOB_SCHEDULE_SIZE,
                                   .out = &schedule};
    llmlab__job_t job;
    llmlab_status_t status;

    if (!llmlab__request_fields(request, &field, 1) ||
        !llmlab__job_load(request, request->parts[0], &job)) {
        return;
    }
    status = llmlab__scheduler_change(request->server->scheduler,
                                      request->changer, &job, schedule);
    if (status == LLMLAB_EINVAL) {
        bad_schedule(request);
    } else if (changed(request, status) && audit(request, "job.change", &job)) {
        llmlab__job_reply(request, 200, &job);
    }
}

void
llmlab__api_job_run(llmlab__request_t *request)
{
    llmlab__job_t job;

    if (llmlab__job_load(request, request->parts[0], &job) &&
        changed(request, llmlab__scheduler_run(request->server->scheduler,
                                               request->changer, &job)) &&
        audit(request, "job.run", &job)) {
        llmlab__job_reply(request, 202, &job);
    }
}

void
llmlab__api_job_cancel(llmlab__request_t *request)
{
    llmlab__job_t job;

    if (llmlab__job_load(request, request->parts[0], &job) &&
        changed(request, llmlab__scheduler_cancel(request->server->scheduler,
                                                  request->changer, &job)) &&
        audit(request, "job.cancel", &job)) {
        llmlab__job_reply(request, 202, &job);
    }
}
