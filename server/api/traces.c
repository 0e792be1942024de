#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/trace_tree.h"
#include "api/write.h"
#include "base/id.h"
#include "services/cursor.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     1000

static void
trace_members(llmlab__json_out_t *out, const llmlab__trace_row_t *row)
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

typedef struct list_s {
    llmlab__json_out_t out;
    llmlab__trace_query_t query;
    size_t limit;
    size_t count;
    bool more;
    llmlab__trace_cursor_t last;
} list_t;

static bool
on_trace(void *payload, const llmlab__trace_row_t *row)
{
    list_t *list = payload;
    bool dearest = list->query.order == LLMLAB__DEAREST_FIRST;

    if (list->count == list->limit) {
        list->more = true;
        return false;
    }
    list->count++;
    list->last.major = dearest ? row->cost_nano : row->start_ns;
    list->last.minor = dearest ? row->cost_rest : 0;
    list->last.trace_high = row->trace_high;
    list->last.trace_low = row->trace_low;
    llmlab__json_begin_object(&list->out);
    trace_members(&list->out, row);
    llmlab__json_end_object(&list->out);
    return true;
}

static bool
bad_parameter(llmlab__request_t *request, const char *field, const char *reason)
{
    return llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", field, "%s: %s", field,
                                reason);
}

static bool
limit_read(llmlab__request_t *request, size_t *out)
{
    const char *text = llmlab__request_param(request, "limit");
    unsigned long value = 0;
    size_t digits = 0;

    *out = LIMIT_DEFAULT;
    if (text == NULL) {
        return true;
    }
    while (text[digits] >= '0' && text[digits] <= '9' && digits < 5) {
        value = value * 10 + (unsigned long)(text[digits] - '0');
        digits++;
    }
    if (digits == 0 || text[digits] != '\0' || value == 0 ||
        value > LIMIT_MAX) {
        return bad_parameter(request, "limit",
                             "a number from 1 to 1000 is needed");
    }
    *out = value;
    return true;
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
query_read(llmlab__request_t *request, list_t *list)
{
    llmlab__trace_query_t *query = &list->query;
    const char *cursor = llmlab__request_param(request, "cursor");
    llmlab__time_range_t range;

    if (!limit_read(request, &list->limit) ||
        !order_read(request, &query->order) ||
        !status_read(request, &query->status) ||
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
    query->limit = list->limit + 1;
    if (cursor == NULL) {
        return true;
    }
    query->has_cursor = true;
    return llmlab__cursor_read(request->server->secret, query->project,
                               query->order, cursor, &query->cursor) ||
           bad_parameter(request, "cursor",
                         "it is not from this list's page before");
}

void
llmlab__api_traces_list(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    list_t list = {.count = 0};
    char cursor[LLMLAB__CURSOR_TEXT];

    if (!query_read(request, &list)) {
        return;
    }
    llmlab__reply_json(request, &list.out);
    llmlab__json_begin_object(&list.out);
    llmlab__json_key(&list.out, "data");
    llmlab__json_begin_array(&list.out);
    if (ops->traces(request->reader, &list.query, on_trace, &list) !=
        LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list traces");
        return;
    }
    llmlab__json_end_array(&list.out);
    llmlab__json_key(&list.out, "next_cursor");
    if (list.more) {
        llmlab__cursor_write(request->server->secret, list.query.project,
                             list.query.order, &list.last, cursor);
        llmlab__json_put_text(&list.out, cursor);
    } else {
        llmlab__json_put_null(&list.out);
    }
    llmlab__json_end_object(&list.out);
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
    trace_members(&detail->out, row);
    llmlab__json_key(&detail->out, "tree");
    detail->failed =
        !llmlab__trace_tree_write(detail->request, row, &detail->out);
    llmlab__json_end_object(&detail->out);
    return false;
}

void
llmlab__api_trace_get(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    const char *id = request->parts[1];
    detail_t detail = {.request = request};
    uint64_t high;
    uint64_t low;

    if (strlen(id) != 32 || llmlab__unhex64(id, &high) != 0 ||
        llmlab__unhex64(id + 16, &low) != 0) {
        bad_parameter(request, "trace_id", "32 hex digits are needed");
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
