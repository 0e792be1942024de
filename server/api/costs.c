#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/cost_write.h"
#include "api/filter.h"
#include "api/write.h"
#include "services/answer_cache.h"

/* Hours are shown of so many days at most. */
#define HOURLY_DAYS 62
#define DAY         INT64_C(86400)

typedef struct costs_s {
    llmlab__request_t *request;
    llmlab__time_range_t range;
    llmlab__cost_query_t query;
    llmlab__cost_answer_t answer;
    bool csv;
    llmlab__buf_t key; /* of the answer in the cache */
} costs_t;

static bool
bad_parameter(llmlab__request_t *request, const char *field,
              const char *choices)
{
    return llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", field,
                                "%s: it is one of %s", field, choices);
}

static bool
granularity_read(costs_t *costs)
{
    const char *text = llmlab__request_param(costs->request, "granularity");
    int at = 0;

    while (text != NULL && llmlab__cost_granularities[at] != NULL &&
           strcmp(text, llmlab__cost_granularities[at]) != 0) {
        at++;
    }
    if (llmlab__cost_granularities[at] == NULL) {
        return bad_parameter(costs->request, "granularity",
                             "total, daily, hourly");
    }
    costs->query.granularity = (llmlab__granularity_t)at;
    if (costs->query.granularity == LLMLAB__HOURLY &&
        costs->range.end - costs->range.start > HOURLY_DAYS * DAY) {
        return llmlab__reply_refuse(costs->request, 400, "bad-parameter",
                                    "A parameter is wrong", "granularity",
                                    "hours are answered for at most %d days",
                                    HOURLY_DAYS);
    }
    return true;
}

static bool
group_read(costs_t *costs)
{
    const char *text = llmlab__request_param(costs->request, "group_by");

    while (text != NULL && *text != '\0') {
        size_t size = strcspn(text, ",");
        int found = -1;

        for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
            const char *name = llmlab__cost_dimensions[i];

            if (strlen(name) == size && memcmp(name, text, size) == 0) {
                found = i;
            }
        }
        if (found < 0) {
            return bad_parameter(costs->request, "group_by",
                                 "provider, model, agent, status, environment, "
                                 "key, user, tag, session");
        }
        if (!(costs->query.group_by >> found & 1)) {
            costs->query.group_by |= 1u << found;
            costs->answer.order[costs->answer.dimensions++] =
                (llmlab__dimension_t)found;
        }
        text += size;
        text += *text == ',';
    }
    return true;
}

static bool
flag_read(llmlab__request_t *request, const char *name, bool *out)
{
    const char *text = llmlab__request_param(request, name);

    *out = text != NULL && strcmp(text, "true") == 0;
    return text == NULL || *out || strcmp(text, "false") == 0 ||
           bad_parameter(request, name, "true, false");
}

static bool
format_read(costs_t *costs)
{
    const char *text = llmlab__request_param(costs->request, "format");
    const char *accept = llmlab__request_header(costs->request, "Accept");

    if (text == NULL) {
        costs->csv = accept != NULL && strncmp(accept, "text/csv", 8) == 0;
        return true;
    }
    costs->csv = strcmp(text, "csv") == 0;
    return costs->csv || strcmp(text, "json") == 0 ||
           bad_parameter(costs->request, "format", "json, csv");
}

/* All that decides about an answer, but for what is stored. */
static void
key_make(costs_t *costs)
{
    const llmlab__cost_query_t *query = &costs->query;

    llmlab__buf_printf(&costs->key, "%" PRId64 " %s %d %d %d %s",
                       query->project, costs->request->project.slug,
                       (int)query->granularity, costs->csv, query->latency,
                       costs->range.zone_name);
    llmlab__buf_printf(&costs->key, " %" PRId64 " %" PRId64, costs->range.start,
                       costs->range.end);
    for (size_t i = 0; i < costs->answer.dimensions; i++) {
        llmlab__buf_printf(&costs->key, " %d", (int)costs->answer.order[i]);
    }
    for (int i = 0; i < LLMLAB__DIMENSIONS; i++) {
        if (query->only >> i & 1) {
            llmlab__buf_printf(&costs->key, " %d=%" PRId64, i, query->value[i]);
        }
    }
    if (query->session != NULL) {
        llmlab__buf_printf(&costs->key, " %s", query->session);
    }
    llmlab__buf_append(&costs->key, "", 1);
}

void
llmlab__cost_refuse(llmlab__request_t *request, llmlab_status_t status,
                    const llmlab__cost_query_t *query,
                    const llmlab__cost_result_t *result)
{
    llmlab__problem_t problem;
    int most =
        query->latency ? LLMLAB__COST_LATENCY_MAX : LLMLAB__COST_ROWS_MAX;

    if (status == LLMLAB_ETOOBIG) {
        llmlab__problem(
            &problem, 422, "answer-too-large", "The answer would be too large",
            "more than %d rows: ask for fewer days or groups", most);
        problem.has_limit = true;
        problem.limit = (uint64_t)most;
        llmlab__reply_problem(request, &problem);
    } else if (status == LLMLAB_EFULL) {
        llmlab__problem(&problem, 422, "too-many-spans",
                        "This is read from the spans, and there are too many",
                        "the range has %" PRId64 " spans, at most %d are read; "
                        "user or tag alone, and all others together, have no "
                        "such limit",
                        result->spans, LLMLAB__COST_SPANS_MAX);
        problem.has_limit = true;
        problem.limit = LLMLAB__COST_SPANS_MAX;
        llmlab__reply_problem(request, &problem);
    } else if (status == LLMLAB_ENOTFOUND) {
        llmlab__reply_refuse(request, 422, "spans-expired",
                             "This is read from the spans, and some are gone",
                             NULL,
                             "not all spans of the range are still stored: ask "
                             "for a later range; user or tag alone, and all "
                             "others together, can be answered");
    } else if (status == LLMLAB_EOVERFLOW) {
        llmlab__reply_refuse(request, 422, "sum-too-large",
                             "A sum does not fit", NULL,
                             "ask for fewer days or more groups");
    } else if (status == LLMLAB_EUNSUPPORTED) {
        llmlab__reply_refuse(request, 422, "not-on-quarter-hours",
                             "The zone's days cannot be summed", "tz",
                             "%s: costs are summed by quarter hours, and a day "
                             "of the range begins within one",
                             llmlab_status_detail());
    } else {
        llmlab__reply_failure(request, "cannot answer costs");
    }
}

/* Hand out an answer, or tell who has it already that it still holds. */
static void
answer_send(llmlab__request_t *request, llmlab__kept_t *kept)
{
    const char *known = llmlab__request_header(request, "If-None-Match");

    llmlab__reply_header(request, "ETag", "%s", kept->etag);
    request->reply.kept = kept;
    request->reply.content_type = kept->content_type;
    request->reply.status = 200;
    if (known != NULL &&
        (strcmp(known, "*") == 0 || strstr(known, kept->etag) != NULL)) {
        llmlab__kept_release(kept);
        request->reply.kept = NULL;
        request->reply.content_type = NULL;
        request->reply.status = 304;
    }
}

static llmlab__kept_t *
answer_make(costs_t *costs)
{
    llmlab__request_t *request = costs->request;
    llmlab__cost_result_t result;
    llmlab__kept_t *kept = NULL;
    llmlab__buf_t body;
    llmlab_status_t status;

    status = llmlab__cost_query(request->server->store, request->reader,
                                &costs->query, &result);
    if (status != LLMLAB_OK) {
        llmlab__cost_refuse(request, status, &costs->query, &result);
        llmlab__cost_result_cleanup(&result);
        return NULL;
    }
    costs->answer.result = &result;
    llmlab__buf_init(&body);
    if (costs->csv) {
        llmlab__cost_write_csv(&costs->answer, &body);
    } else {
        llmlab__cost_write_json(&costs->answer, &body);
    }
    if (!body.failed) {
        kept = llmlab__kept_create(&body, costs->csv ? "text/csv; charset=utf-8"
                                                     : "application/json");
    }
    if (kept == NULL) {
        llmlab__reply_refuse(request, 503, "busy", "No memory", NULL,
                             "try again");
    }
    llmlab__buf_cleanup(&body);
    llmlab__cost_result_cleanup(&result);
    return kept;
}

static int64_t
day_of(int64_t seconds)
{
    return seconds / DAY - (seconds % DAY < 0);
}

/* Roll-ups alone have numbers that tell whether they changed. */
static void
answer(costs_t *costs)
{
    llmlab__request_t *request = costs->request;
    llmlab__answer_cache_t *cache = request->server->answers;
    const llmlab__store_ops_t *ops = request->server->store->ops;
    llmlab__kept_t *kept = NULL;
    uint64_t number = 0;

    key_make(costs);
    if (llmlab__cost_is_rolled(&costs->query) && !costs->key.failed &&
        ops->changed(request->reader, costs->query.project,
                     day_of(costs->range.start),
                     day_of(costs->range.end - 1) + 1, &number) == LLMLAB_OK &&
        number != 0) {
        kept = llmlab__answer_cache_find(cache, (const char *)costs->key.data,
                                         number);
    }
    if (kept == NULL) {
        kept = answer_make(costs);
        if (kept != NULL && number != 0) {
            llmlab__answer_cache_put(cache, (const char *)costs->key.data,
                                     number, kept);
        }
    }
    if (kept != NULL) {
        answer_send(request, kept);
    }
}

void
llmlab__api_costs(llmlab__request_t *request)
{
    costs_t costs = {.request = request};
    llmlab__filter_t filter;

    if (!llmlab__request_range(request, &costs.range)) {
        return;
    }
    costs.query.project = request->project.id;
    costs.query.range = &costs.range;
    costs.answer.request = request;
    costs.answer.query = &costs.query;
    llmlab__buf_init(&costs.key);
    if (granularity_read(&costs) && group_read(&costs) && format_read(&costs) &&
        flag_read(request, "latency", &costs.query.latency) &&
        llmlab__filter_read(request, &filter)) {
        costs.query.only = filter.only;
        memcpy(costs.query.value, filter.value, sizeof(filter.value));
        costs.query.session = filter.session;
        answer(&costs);
    }
    llmlab__buf_cleanup(&costs.key);
}
