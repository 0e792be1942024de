/* Price a project's stored calls again, with the prices that it has now; dry,
 * to see what would change, or for good. Each step is a transaction in which
 * every sum is right, so that a run that was interrupted begins anew and finds
 * the rest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_dom.h"
#include "base/json_write.h"
#include "base/status.h"
#include "server.h"
#include "services/ingest_fields.h"
#include "services/job_kinds.h"
#include "services/repricing.h"
#include "store/usage_sums.h"

/* Spans of one transaction: some 10 ms of the writer's time. */
#define STEP_SPANS 200
/* Pairs of provider and model that are told apart, and shown. */
#define MODELS_MAX   512
#define MODELS_SHOWN 24

typedef struct sum_s {
    int64_t nano;
    int64_t rest;
} sum_t;

typedef struct model_s {
    char provider[64];
    char name[160];
    int64_t calls;
    int64_t changed;
    sum_t before;
    sum_t after;
} model_t;

typedef struct work_s {
    llmlab__job_run_t *run;
    llmlab__repricing_t repricing;
    llmlab__project_book_t *book;
    bool apply;
    int64_t priced;   /* calls that had no price and have one */
    int64_t unpriced; /* the other way round */
    int64_t failed;   /* calls that could not be read */
    model_t total;
    model_t *models;
    size_t count;
    size_t unlisted; /* calls of models beyond the most */
} work_t;

static void
sum_add(sum_t *sum, int64_t nano, int64_t rest)
{
    sum->rest += rest;
    sum->nano += nano + sum->rest / LLMLAB__FEMTO_PER_NANO;
    sum->rest %= LLMLAB__FEMTO_PER_NANO;
}

static model_t *
model_of(work_t *work, const llmlab__span_view_t *call)
{
    char provider[sizeof(work->models->provider)];
    char name[sizeof(work->models->name)];
    model_t *model;

    (void)snprintf(provider, sizeof(provider), "%.*s", (int)call->provider.size,
                   call->provider.size > 0 ? call->provider.data : "");
    (void)snprintf(name, sizeof(name), "%.*s", (int)call->model.size,
                   call->model.size > 0 ? call->model.data : "");
    for (size_t i = 0; i < work->count; i++) {
        model = &work->models[i];
        if (strcmp(model->name, name) == 0 &&
            strcmp(model->provider, provider) == 0) {
            return model;
        }
    }
    if (work->count == MODELS_MAX) {
        work->unlisted++;
        return NULL;
    }
    model = &work->models[work->count++];
    memcpy(model->provider, provider, sizeof(provider));
    memcpy(model->name, name, sizeof(name));
    return model;
}

static void
model_add(model_t *model, const llmlab__call_price_t *before,
          const llmlab__call_price_t *now, bool changed)
{
    model->calls++;
    model->changed += changed;
    sum_add(&model->before, before->nano, before->rest);
    sum_add(&model->after, now->nano, now->rest);
}

static bool
price(void *payload, const llmlab__span_view_t *call, llmlab__call_price_t *now)
{
    work_t *work = payload;
    llmlab__call_price_t before = *now;
    model_t *model;
    bool changed;

    if (!llmlab__call_reprice(&work->repricing, work->book->book, call, now)) {
        work->failed++;
        return true;
    }
    /* What is a part of a child's call is in no sum. */
    if (!call->counted) {
        return true;
    }
    changed = before.nano != now->nano || before.rest != now->rest ||
              before.has_cost != now->has_cost;
    work->priced += now->has_cost && !before.has_cost;
    work->unpriced += before.has_cost && !now->has_cost;
    model_add(&work->total, &before, now, changed);
    model = model_of(work, call);
    if (model != NULL) {
        model_add(model, &before, now, changed);
    }
    return true;
}

static void
put_sums(llmlab__json_out_t *out, const model_t *model)
{
    char text[LLMLAB_MONEY_TEXT];

    llmlab__json_key(out, "calls");
    llmlab__json_put_int(out, model->calls);
    llmlab__json_key(out, "changed");
    llmlab__json_put_int(out, model->changed);
    llmlab__json_key(out, "before_usd");
    llmlab_money_format(
        llmlab__money_join(model->before.nano, model->before.rest), text);
    llmlab__json_put_text(out, text);
    llmlab__json_key(out, "after_usd");
    llmlab_money_format(
        llmlab__money_join(model->after.nano, model->after.rest), text);
    llmlab__json_put_text(out, text);
}

/* The model whose cost changes most, and is not shown yet. */
static model_t *
next_model(work_t *work)
{
    model_t *found = NULL;
    int64_t most = -1;

    for (size_t i = 0; i < work->count; i++) {
        model_t *model = &work->models[i];
        int64_t change = model->after.nano - model->before.nano;

        change = change < 0 ? -change : change;
        if (model->changed > 0 && change > most) {
            most = change;
            found = model;
        }
    }
    return found;
}

static void
result_write(work_t *work)
{
    llmlab__job_t *job = &work->run->job;
    llmlab__json_out_t out;
    llmlab__buf_t buf;
    model_t *model;
    int shown = 0;

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "applied");
    llmlab__json_put_bool(&out, work->apply);
    put_sums(&out, &work->total);
    llmlab__json_key(&out, "newly_priced");
    llmlab__json_put_int(&out, work->priced);
    llmlab__json_key(&out, "newly_unpriced");
    llmlab__json_put_int(&out, work->unpriced);
    llmlab__json_key(&out, "unreadable");
    llmlab__json_put_int(&out, work->failed);
    llmlab__json_key(&out, "by_model");
    llmlab__json_begin_array(&out);
    while (shown < MODELS_SHOWN && (model = next_model(work)) != NULL) {
        llmlab__json_begin_object(&out);
        llmlab__json_key(&out, "provider");
        llmlab__json_put_text(&out, model->provider);
        llmlab__json_key(&out, "model");
        llmlab__json_put_text(&out, model->name);
        put_sums(&out, model);
        llmlab__json_end_object(&out);
        model->changed = 0;
        shown++;
    }
    llmlab__json_end_array(&out);
    llmlab__json_key(&out, "all_models");
    llmlab__json_put_bool(&out,
                          next_model(work) == NULL && work->unlisted == 0);
    llmlab__json_end_object(&out);
    llmlab__buf_append(&buf, "", 1);
    if (!buf.failed && buf.size <= sizeof(job->result)) {
        memcpy(job->result, buf.data, buf.size);
    }
    llmlab__buf_cleanup(&buf);
}

static void
progress_write(work_t *work, int64_t at_ns)
{
    llmlab__job_t *job = &work->run->job;
    char at[LLMLAB__TIME_TEXT];

    llmlab__time_format(at_ns, at);
    (void)snprintf(job->progress, sizeof(job->progress),
                   "{\"at\":\"%s\",\"calls\":%" PRId64 ",\"changed\":%" PRId64
                   "}",
                   at, work->total.calls, work->total.changed);
}

static llmlab_status_t
reprice(work_t *work, int64_t start_ns, int64_t end_ns)
{
    llmlab__job_run_t *run = work->run;
    llmlab__store_t *store = run->store;
    const llmlab__reprice_t reprice = {.project = run->job.project,
                                       .end_ns = end_ns,
                                       .limit = STEP_SPANS,
                                       .apply = work->apply,
                                       .price = price,
                                       .payload = work};
    llmlab__span_place_t place = {start_ns, INT64_MIN, INT64_MIN, INT64_MIN};
    llmlab_status_t status = LLMLAB_OK;
    bool more = true;
    int steps = 0;

    while (more && status == LLMLAB_OK) {
        int64_t began = llmlab__clock_mono_ns();

        if (llmlab__job_stopping(run)) {
            return llmlab__fail(LLMLAB_ETIMEOUT, "stopped");
        }
        status = store->upkeep->reprice(store, &reprice, &place, &more);
        if (status == LLMLAB_OK && ++steps % 100 == 0) {
            progress_write(work, place.start_ns);
            status = llmlab__job_progress(run);
        }
        if (work->apply) {
            store->ops->idle(store);
            /* At most half of the writer's time is ours. */
            llmlab__job_pause(run, llmlab__clock_mono_ns() - began);
        }
    }
    return status;
}

/* Where the work ends: calls that come behind the newest of now are priced with
 * the prices of now. Without an end it would chase those that keep coming. */
static llmlab_status_t
end_find(const llmlab__job_run_t *run, int64_t *end_ns)
{
    llmlab__store_t *store = run->store;
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab_status_t status;
    int64_t newest = INT64_MIN;

    if (reader == NULL) {
        return llmlab__fail(LLMLAB_EIO, "cannot open the database");
    }
    status = store->upkeep->newest(reader, run->job.project, &newest);
    store->ops->release(store, reader);
    if (status == LLMLAB_OK && newest < *end_ns) {
        *end_ns = newest + 1;
    }
    return status == LLMLAB_ENOTFOUND ? LLMLAB_OK : status;
}

static int64_t
time_member(const cJSON *arguments, const char *name, int64_t fallback)
{
    const char *text =
        llmlab__json_dom_string(llmlab__json_dom_get(arguments, name));
    int64_t at;

    return text != NULL && llmlab__time_parse(text, strlen(text), &at) == 0
               ? at
               : fallback;
}

llmlab_status_t
llmlab__job_reprice(llmlab__job_run_t *run)
{
    work_t work = {.run = run};
    cJSON *arguments = NULL;
    int64_t end_ns;
    llmlab_status_t status = llmlab__json_dom_parse(
        &arguments, run->job.arguments, strlen(run->job.arguments), 0);

    work.models = llmlab__calloc(MODELS_MAX, sizeof(*work.models));
    if (status == LLMLAB_OK) {
        status = work.models == NULL
                     ? llmlab__fail(LLMLAB_ENOMEM, "no memory for a list")
                     : llmlab__repricing_init(&work.repricing);
    }
    if (status == LLMLAB_OK) {
        work.book =
            llmlab__price_books_hold(run->server->books, run->job.project);
        status = work.book == NULL ? LLMLAB_EIO : LLMLAB_OK;
    }
    if (status == LLMLAB_OK) {
        end_ns = time_member(arguments, "end", INT64_MAX);
        status = end_find(run, &end_ns);
    }
    if (status == LLMLAB_OK) {
        work.apply = cJSON_IsTrue(llmlab__json_dom_get(arguments, "apply"));
        status =
            reprice(&work, time_member(arguments, "start", INT64_MIN), end_ns);
        result_write(&work);
    }
    llmlab__project_book_release(work.book);
    llmlab__repricing_cleanup(&work.repricing);
    llmlab__free(work.models);
    cJSON_Delete(arguments);
    return status;
}
