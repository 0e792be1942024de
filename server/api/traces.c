#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/exports.h"
#include "api/list.h"
#include "api/scores.h"
#include "api/trace_tree.h"
#include "api/write.h"
#include "base/json_scan.h"
#include "http/page.h"
#include "services/ingest_fields.h"

void
llmlab__trace_write(llmlab__json_out_t *out, const llmlab__trace_row_t *row)
{
    llmlab__json_key(out, "trace_id");
    llmlab__write_id(out, row->trace_high, row->trace_low, 32);
    llmlab__json_key(out, "name");
    llmlab__json_put_string(out, row->name.data, row->name.size);
    llmlab__json_key(out, "agent");
    llmlab__write_text(out, row->agent);
    llmlab__json_key(out, "user");
    llmlab__write_text(out, row->user);
    llmlab__json_key(out, "session");
    llmlab__write_text(out, row->session);
    llmlab__json_key(out, "environment");
    llmlab__write_text(out, row->environment);
    llmlab__json_key(out, "status");
    llmlab__json_put_text(out, llmlab__outcome_word(row->status));
    llmlab__json_key(out, "start");
    llmlab__write_time(out, row->start_ns);
    llmlab__json_key(out, "duration_ms");
    llmlab__write_ms(out, row->end_ns - row->start_ns);
    llmlab__json_key(out, "steps");
    llmlab__json_put_int(out, row->steps);
    llmlab__json_key(out, "calls");
    llmlab__json_put_int(out, row->calls);
    llmlab__json_key(out, "errors");
    llmlab__json_put_int(out, row->errors);
    llmlab__json_key(out, "unpriced_calls");
    llmlab__json_put_int(out, row->unpriced);
    llmlab__json_key(out, "cost_usd");
    llmlab__write_money(out, row->cost_nano, row->cost_rest);
    llmlab__json_key(out, "input_tokens");
    llmlab__json_put_int(out, row->input_tokens);
    llmlab__json_key(out, "output_tokens");
    llmlab__json_put_int(out, row->output_tokens);
    llmlab__json_key(out, "tags");
    if (row->tags.size > 0) {
        llmlab__json_put_raw(out, row->tags.data, row->tags.size);
    } else {
        llmlab__json_put_raw(out, "[]", 2);
    }
}

static bool
on_trace(void *payload, const llmlab__trace_row_t *row)
{
    llmlab__list_page_t *page = payload;

    llmlab__json_begin_object(&page->out);
    llmlab__trace_write(&page->out, row);
    llmlab__json_end_object(&page->out);
    return true;
}

/* Steps of a trace that is shown whole. */
#define TREE_MAX 5000

static bool
bad_parameter(llmlab__request_t *request, const char *field, const char *reason)
{
    return llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", field, "%s: %s", field,
                                reason);
}

static bool
order_read(llmlab__request_t *request, llmlab__trace_order_t *out)
{
    const char *text = llmlab__request_param(request, "order_by");

    *out = LLMLAB__NEWEST_FIRST;
    if (text == NULL || strcmp(text, "start") == 0) {
        return true;
    }
    *out = LLMLAB__DEAREST_FIRST;
    return strcmp(text, "cost") == 0 ||
           bad_parameter(request, "order_by", "it is start or cost");
}

static bool
status_read(llmlab__request_t *request, int *out)
{
    const char *text = llmlab__request_param(request, "status");

    *out = 0;
    if (text == NULL) {
        return true;
    }
    *out = strcmp(text, "success") == 0     ? LLMLAB_SUCCESS
           : strcmp(text, "error") == 0     ? LLMLAB_ERROR
           : strcmp(text, "cancelled") == 0 ? LLMLAB_CANCELLED
                                            : 0;
    return *out != 0 || bad_parameter(request, "status",
                                      "it is success, error or cancelled");
}

static bool
word_read(llmlab__request_t *request, const char *name, bool *out)
{
    const char *text = llmlab__request_param(request, name);

    *out = text != NULL && strcmp(text, "true") == 0;
    return text == NULL || *out || strcmp(text, "false") == 0 ||
           bad_parameter(request, name, "it is one of true, false");
}

static bool
cost_read(llmlab__request_t *request, llmlab__trace_query_t *query)
{
    const char *text = llmlab__request_param(request, "min_cost_usd");
    llmlab_money_t money;

    return text == NULL ||
           (llmlab_money_parse(&money, text, strlen(text), NULL) == LLMLAB_OK &&
            llmlab__money_split(money, &query->min_cost_nano,
                                &query->min_cost_rest)) ||
           bad_parameter(request, "min_cost_usd",
                         "an amount such as 0.05 is needed");
}

static bool
score_read(llmlab__request_t *request, const char *name, bool *present,
           double *out)
{
    const char *text = llmlab__request_param(request, name);
    llmlab__json_text_t number = {text, text == NULL ? 0 : strlen(text), false};
    llmlab__json_text_t same;
    llmlab__json_t json;

    *present = text != NULL;
    if (text == NULL) {
        return true;
    }
    llmlab__json_init(&json, text, number.size);
    if (!llmlab__json_number(&json, &same) || same.size != number.size) {
        return bad_parameter(request, name, "a number is needed");
    }
    *out = llmlab__json_double(&number);
    return true;
}

/* Filters beside those by name. */
static bool
limits_read(llmlab__request_t *request, llmlab__trace_query_t *query)
{
    int64_t ms;

    if (!cost_read(request, query) ||
        !llmlab__request_int_param(request, "min_duration_ms", 0,
                                   INT64_C(1000000000000), 0, &ms) ||
        !word_read(request, "unpriced", &query->unpriced) ||
        !word_read(request, "errors", &query->errors) ||
        !score_read(request, "min_score", &query->has_min_score,
                    &query->min_score) ||
        !score_read(request, "max_score", &query->has_max_score,
                    &query->max_score)) {
        return false;
    }
    query->min_duration_ns = ms * 1000000;
    query->score = llmlab__request_param(request, "score");
    query->name = llmlab__request_param(request, "name");
    query->tag = llmlab__request_param(request, "tag");
    return true;
}

static bool
query_read(llmlab__request_t *request, llmlab__trace_query_t *query,
           llmlab__list_page_t *page)
{
    llmlab__time_range_t range;

    if (!order_read(request, &query->order) ||
        !llmlab__list_read(request,
                           query->order == LLMLAB__DEAREST_FIRST
                               ? LLMLAB__LIST_TRACES_DEAREST
                               : LLMLAB__LIST_TRACES_NEWEST,
                           page) ||
        !status_read(request, &query->status) || !limits_read(request, query) ||
        !llmlab__request_range(request, &range)) {
        return false;
    }
    query->project = request->project.id;
    query->start_ns = range.start * 1000000000;
    query->end_ns = range.end * 1000000000;
    query->agent = llmlab__request_param(request, "agent");
    query->model = llmlab__request_param(request, "model");
    query->user = llmlab__request_param(request, "user");
    query->session = llmlab__request_param(request, "session");
    query->environment = llmlab__request_param(request, "environment");
    query->limit = page->limit;
    query->has_cursor = page->has_cursor;
    query->cursor = page->cursor;
    return true;
}

void
llmlab__api_traces_list(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    llmlab__trace_query_t query = {.limit = 0};
    llmlab__list_page_t page;
    llmlab__page_end_t end;

    if (!query_read(request, &query, &page)) {
        return;
    }
    llmlab__list_begin(request, &page);
    if (ops->traces(request->reader, &query, on_trace, &page, &end) !=
        LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list traces");
        return;
    }
    llmlab__list_end(request, &page, &end);
}

typedef struct detail_s {
    llmlab__request_t *request;
    llmlab__json_out_t out;
    bool found;
    bool failed;
} detail_t;

static bool
on_detail(void *payload, const llmlab__trace_row_t *row)
{
    detail_t *detail = payload;

    detail->found = true;
    llmlab__reply_json(detail->request, &detail->out);
    llmlab__json_begin_object(&detail->out);
    llmlab__trace_write(&detail->out, row);
    detail->failed = !llmlab__trace_scores_write(
        detail->request, row->trace_high, row->trace_low, &detail->out);
    llmlab__json_key(&detail->out, "tree");
    if (row->steps > TREE_MAX) { /* they come by pages */
        llmlab__json_put_null(&detail->out);
    } else if (!llmlab__trace_tree_write(detail->request, row, &detail->out)) {
        detail->failed = true;
    }
    llmlab__json_end_object(&detail->out);
    return false;
}

void
llmlab__api_trace_get(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    detail_t detail = {.request = request};
    uint64_t high;
    uint64_t low;

    if (!llmlab__request_trace_id(request, &high, &low)) {
        return;
    }
    if (ops->trace(request->reader, request->project.id, high, low, on_detail,
                   &detail) != LLMLAB_OK ||
        detail.failed) {
        llmlab__reply_failure(request, "cannot read a trace");
        return;
    }
    if (!detail.found) {
        llmlab__reply_refuse(request, 404, "no-such-trace", "No such trace",
                             NULL, "the project has no trace of this id");
    }
}
