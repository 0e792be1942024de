/* /users: what each user cost, the dearest first. /facets: the values that a
 * field has in a time range, the most frequent first. Both are costs by one
 * dimension, page by page. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/cost_write.h"
#include "api/list.h"
#include "api/write.h"

typedef struct groups_s {
    llmlab__request_t *request;
    llmlab__dimension_t by;
    bool by_cost;
    llmlab__list_page_t page;
    llmlab__page_end_t end;
    llmlab__cost_answer_t answer;
} groups_t;

/* Where a row stands: the greatest first, then by its value. */
static llmlab__cursor_t
place(const groups_t *groups, const llmlab__cost_row_t *row)
{
    const int64_t *of = row->sums.of;
    llmlab__cursor_t cursor = {
        .major =
            of[groups->by_cost ? LLMLAB__SUM_COST_NANO : LLMLAB__SUM_SPANS],
        .minor = groups->by_cost ? of[LLMLAB__SUM_COST_REST] : 0,
        .trace_high = (uint64_t)row->by[groups->by]};

    return cursor;
}

static int
compare(const void *a, const void *b, void *payload)
{
    llmlab__cursor_t left = place(payload, a);
    llmlab__cursor_t right = place(payload, b);

    if (left.major != right.major) {
        return left.major > right.major ? -1 : 1;
    }
    if (left.minor != right.minor) {
        return left.minor > right.minor ? -1 : 1;
    }
    return left.trace_high == right.trace_high  ? 0
           : left.trace_high < right.trace_high ? -1
                                                : 1;
}

static bool
is_behind(const groups_t *groups, const llmlab__cost_row_t *row)
{
    llmlab__cursor_t at = place(groups, row);
    const llmlab__cursor_t *last = &groups->page.cursor;

    if (at.major != last->major) {
        return at.major < last->major;
    }
    if (at.minor != last->minor) {
        return at.minor < last->minor;
    }
    return at.trace_high > last->trace_high;
}

static void
row_write(groups_t *groups, const llmlab__cost_row_t *row)
{
    llmlab__json_out_t *out = &groups->page.out;
    const char *name = groups->by_cost ? "user" : "value";

    llmlab__json_begin_object(out);
    llmlab__json_key_n(out, name, strlen(name));
    llmlab__cost_value_write(&groups->answer, out, groups->by, row);
    if (groups->by_cost) {
        llmlab__cost_sums_write(out, &row->sums);
    } else {
        llmlab__json_key(out, "spans");
        llmlab__json_put_int(out, row->sums.of[LLMLAB__SUM_SPANS]);
        llmlab__json_key(out, "calls");
        llmlab__json_put_int(out, row->sums.of[LLMLAB__SUM_CALLS]);
        llmlab__json_key(out, "cost_usd");
        llmlab__write_money(out, row->sums.of[LLMLAB__SUM_COST_NANO],
                            row->sums.of[LLMLAB__SUM_COST_REST]);
    }
    llmlab__json_end_object(out);
}

static void
page_write(groups_t *groups, const llmlab__cost_result_t *result)
{
    size_t count = 0;

    qsort_r(result->rows, result->count, sizeof(*result->rows), compare,
            groups);
    groups->answer.result = result;
    llmlab__list_begin(groups->request, &groups->page);
    for (size_t i = 0; i < result->count && !groups->end.more; i++) {
        const llmlab__cost_row_t *row = &result->rows[i];

        if (groups->page.has_cursor && !is_behind(groups, row)) {
            continue;
        }
        if (count == groups->page.limit) {
            groups->end.more = true;
            break;
        }
        row_write(groups, row);
        groups->end.last = place(groups, row);
        count++;
    }
    llmlab__list_end(groups->request, &groups->page, &groups->end);
}

static void
answer(groups_t *groups)
{
    llmlab__request_t *request = groups->request;
    llmlab__time_range_t range;
    llmlab__cost_query_t query = {.project = request->project.id,
                                  .range = &range,
                                  .granularity = LLMLAB__TOTAL,
                                  .group_by = 1u << groups->by,
                                  .steps_too = true};
    llmlab__cost_result_t result;
    llmlab_status_t status;
    int list = groups->by_cost ? LLMLAB__LIST_USERS
                               : LLMLAB__LIST_FACETS + (int)groups->by;

    if (!llmlab__list_read(request, list, &groups->page) ||
        !llmlab__request_range(request, &range)) {
        return;
    }
    groups->answer.request = request;
    groups->answer.query = &query;
    status = llmlab__cost_query(request->server->store, request->reader, &query,
                                &result);
    if (status == LLMLAB_OK) {
        page_write(groups, &result);
    } else {
        llmlab__cost_refuse(request, status, &query, &result);
    }
    llmlab__cost_result_cleanup(&result);
}

void
llmlab__api_users_list(llmlab__request_t *request)
{
    groups_t groups = {
        .request = request, .by = LLMLAB__BY_USER, .by_cost = true};

    answer(&groups);
}

void
llmlab__api_facets_list(llmlab__request_t *request)
{
    const char *field = llmlab__request_param(request, "field");
    groups_t groups = {.request = request};
    int found = -1;

    for (int i = 0; i < LLMLAB__ROLLED && field != NULL; i++) {
        found = strcmp(field, llmlab__cost_dimensions[i]) == 0 ? i : found;
    }
    if (found < 0) {
        llmlab__reply_refuse(request, 400, "bad-parameter",
                             "A parameter is wrong", "field",
                             "field: it is one of provider, model, agent, "
                             "status, environment, key, user, tag");
        return;
    }
    groups.by = (llmlab__dimension_t)found;
    answer(&groups);
}
