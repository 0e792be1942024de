#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/write.h"
#include "base/alloc.h"
#include "services/cost_service.h"

/* Hours are shown of so many days at most. */
#define HOURLY_DAYS 62

static const char *const dimension_names[LLMLAB__ROLLED] = {
    [LLMLAB__BY_PROVIDER] = "provider",
    [LLMLAB__BY_MODEL] = "model",
    [LLMLAB__BY_AGENT] = "agent",
    [LLMLAB__BY_STATUS] = "status",
    [LLMLAB__BY_ENVIRONMENT] = "environment",
    [LLMLAB__BY_KEY] = "key",
    [LLMLAB__BY_USER] = "user",
    [LLMLAB__BY_TAG] = "tag",
};

typedef struct costs_s {
    llmlab__request_t *request;
    llmlab__time_range_t range;
    llmlab__cost_query_t query;
    llmlab__dimension_t order[LLMLAB__DIMENSIONS]; /* as asked for */
    size_t dimensions;
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

    if (text == NULL || strcmp(text, "total") == 0) {
        costs->query.granularity = LLMLAB__TOTAL;
    } else if (strcmp(text, "daily") == 0) {
        costs->query.granularity = LLMLAB__DAILY;
    } else if (strcmp(text, "hourly") == 0) {
        costs->query.granularity = LLMLAB__HOURLY;
    } else {
        return bad_parameter(costs->request, "granularity",
                             "total, daily, hourly");
    }
    if (costs->query.granularity == LLMLAB__HOURLY &&
        costs->range.end - costs->range.start > HOURLY_DAYS * 86400) {
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

        for (int i = 0; i < LLMLAB__ROLLED; i++) {
            if (strlen(dimension_names[i]) == size &&
                memcmp(dimension_names[i], text, size) == 0) {
                found = i;
            }
        }
        if (found < 0) {
            return bad_parameter(
                costs->request, "group_by",
                "provider, model, agent, status, environment, key, user, tag");
        }
        if (!(costs->query.group_by >> found & 1)) {
            costs->query.group_by |= 1u << found;
            costs->order[costs->dimensions++] = (llmlab__dimension_t)found;
        }
        text += size;
        text += *text == ',';
    }
    return true;
}

static void
sums_write(llmlab__json_out_t *out, const llmlab__sums_t *sums)
{
    const int64_t *of = sums->of;

    llmlab__json_key(out, "cost_usd");
    llmlab__write_money(out, of[LLMLAB__SUM_COST_NANO],
                        of[LLMLAB__SUM_COST_REST]);
    llmlab__json_key(out, "calls");
    llmlab__json_put_int(out, of[LLMLAB__SUM_CALLS]);
    llmlab__json_key(out, "unpriced_calls");
    llmlab__json_put_int(out, of[LLMLAB__SUM_UNPRICED]);
    llmlab__json_key(out, "estimated_calls");
    llmlab__json_put_int(out, of[LLMLAB__SUM_ESTIMATED]);
    llmlab__json_key(out, "spans");
    llmlab__json_put_int(out, of[LLMLAB__SUM_SPANS]);
    llmlab__json_key(out, "input_tokens");
    llmlab__json_put_int(out, llmlab__sums_input(sums));
    llmlab__json_key(out, "cache_read_tokens");
    llmlab__json_put_int(out, of[LLMLAB__SUM_INPUT_CACHE_READ]);
    llmlab__json_key(out, "cache_write_tokens");
    llmlab__json_put_int(out, of[LLMLAB__SUM_INPUT_CACHE_WRITE] +
                                  of[LLMLAB__SUM_INPUT_CACHE_WRITE_1H]);
    llmlab__json_key(out, "output_tokens");
    llmlab__json_put_int(out, llmlab__sums_output(sums));
    llmlab__json_key(out, "reasoning_tokens");
    llmlab__json_put_int(out, of[LLMLAB__SUM_OUTPUT_REASONING]);
    llmlab__json_key(out, "web_search_requests");
    llmlab__json_put_int(out, of[LLMLAB__SUM_WEB_SEARCHES]);
    llmlab__json_key(out, "client_cost_usd");
    llmlab__write_money(out, of[LLMLAB__SUM_CLIENT_NANO],
                        of[LLMLAB__SUM_CLIENT_REST]);
    llmlab__json_key(out, "latency_ms_sum");
    llmlab__write_ms(out, of[LLMLAB__SUM_DURATION_NS]);
}

static void
dimension_write(costs_t *costs, llmlab__json_out_t *out,
                llmlab__dimension_t dimension, int64_t value)
{
    const llmlab__store_ops_t *ops = costs->request->server->store->ops;
    char key[24];

    llmlab__json_key_n(out, dimension_names[dimension],
                       strlen(dimension_names[dimension]));
    if (dimension == LLMLAB__BY_STATUS) {
        llmlab__json_put_text(out, llmlab__outcome_word((int)value));
    } else if (dimension == LLMLAB__BY_KEY) {
        (void)snprintf(key, sizeof(key), "%lld", (long long)value);
        llmlab__json_put_text(out, key);
    } else {
        llmlab__write_text(out, ops->label_text(costs->request->reader, value));
    }
}

static void
row_write(costs_t *costs, llmlab__json_out_t *out,
          const llmlab__cost_row_t *row)
{
    llmlab__json_begin_object(out);
    if (costs->query.granularity != LLMLAB__TOTAL) {
        llmlab__json_key(out, "start");
        llmlab__write_time(out, row->start * 1000000000);
    }
    for (size_t i = 0; i < costs->dimensions; i++) {
        dimension_write(costs, out, costs->order[i], row->by[costs->order[i]]);
    }
    sums_write(out, &row->sums);
    llmlab__json_end_object(out);
}

static void
answer_write(costs_t *costs, const llmlab__cost_result_t *result)
{
    static const char *const granularities[] = {"total", "daily", "hourly"};
    llmlab__json_out_t out;

    llmlab__reply_json(costs->request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "project");
    llmlab__json_put_text(&out, costs->request->project.slug);
    llmlab__json_key(&out, "start");
    llmlab__write_time(&out, costs->range.start * 1000000000);
    llmlab__json_key(&out, "end");
    llmlab__write_time(&out, costs->range.end * 1000000000);
    llmlab__json_key(&out, "tz");
    llmlab__json_put_text(&out, costs->range.zone_name);
    llmlab__json_key(&out, "granularity");
    llmlab__json_put_text(&out, granularities[costs->query.granularity]);
    llmlab__json_key(&out, "group_by");
    llmlab__json_begin_array(&out);
    for (size_t i = 0; i < costs->dimensions; i++) {
        llmlab__json_put_text(&out, dimension_names[costs->order[i]]);
    }
    llmlab__json_end_array(&out);
    llmlab__json_key(&out, "data");
    llmlab__json_begin_array(&out);
    for (size_t i = 0; i < result->count; i++) {
        row_write(costs, &out, &result->rows[i]);
    }
    llmlab__json_end_array(&out);
    llmlab__json_key(&out, "total");
    llmlab__json_begin_object(&out);
    sums_write(&out, &result->total);
    llmlab__json_end_object(&out);
    llmlab__json_end_object(&out);
}

static void
costs_answer(costs_t *costs)
{
    llmlab__request_t *request = costs->request;
    llmlab__cost_result_t result;
    llmlab__problem_t problem;
    llmlab_status_t status;

    costs->query.project = request->project.id;
    costs->query.range = &costs->range;
    if (!granularity_read(costs) || !group_read(costs)) {
        return;
    }
    if (!llmlab__cost_is_rolled(&costs->query)) {
        llmlab__reply_refuse(request, 422, "not-summed",
                             "These are not summed together", "group_by",
                             "user and tag stand alone");
        return;
    }
    status = llmlab__cost_query(request->server->store, request->reader,
                                &costs->query, &result);
    if (status == LLMLAB_ETOOBIG) {
        llmlab__problem(&problem, 422, "answer-too-large",
                        "The answer would be too large",
                        "more than %d rows: ask for fewer days or groups",
                        LLMLAB__COST_ROWS_MAX);
        problem.has_limit = true;
        problem.limit = LLMLAB__COST_ROWS_MAX;
        llmlab__reply_problem(request, &problem);
    } else if (status == LLMLAB_EOVERFLOW) {
        llmlab__reply_refuse(request, 422, "sum-too-large",
                             "A sum does not fit", NULL,
                             "ask for fewer days or more groups");
    } else if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot answer costs");
    } else {
        answer_write(costs, &result);
        llmlab__cost_result_cleanup(&result);
    }
}

void
llmlab__api_costs(llmlab__request_t *request)
{
    costs_t costs = {.request = request};

    if (llmlab__request_range(request, &costs.range)) {
        costs_answer(&costs);
        llmlab__zone_close(&costs.range.zone);
    }
}
