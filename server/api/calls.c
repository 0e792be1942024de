#include <string.h>

#include "api/api.h"
#include "api/filter.h"
#include "api/list.h"
#include "api/trace_tree.h"
#include "api/write.h"

static bool
on_call(void *payload, const llmlab__span_view_t *span)
{
    llmlab__list_page_t *page = payload;

    llmlab__json_begin_object(&page->out);
    llmlab__json_key(&page->out, "trace_id");
    llmlab__write_id(&page->out, span->trace_high, span->trace_low, 32);
    llmlab__step_write(&page->out, span);
    llmlab__json_end_object(&page->out);
    return true;
}

static bool
type_read(llmlab__request_t *request, int *out)
{
    const char *text = llmlab__request_param(request, "type");

    *out = text == NULL ? -1 : llmlab__step_kind(text);
    return text == NULL || *out >= 0 ||
           llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", "type",
                                "type: such as llm_call, tool_call, agent");
}

static bool
unpriced_read(llmlab__request_t *request, bool *out)
{
    const char *text = llmlab__request_param(request, "unpriced");

    *out = text != NULL && strcmp(text, "true") == 0;
    return text == NULL || *out || strcmp(text, "false") == 0 ||
           llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", "unpriced",
                                "unpriced: it is one of true, false");
}

void
llmlab__api_calls_list(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    llmlab__call_query_t query = {.project = request->project.id};
    llmlab__list_page_t page;
    llmlab__page_end_t end;
    llmlab__filter_t filter;
    llmlab__time_range_t range;

    if (!llmlab__list_read(request, LLMLAB__LIST_CALLS, &page) ||
        !llmlab__request_range(request, &range) ||
        !llmlab__filter_read(request, &filter) ||
        !type_read(request, &query.kind) ||
        !unpriced_read(request, &query.unpriced)) {
        return;
    }
    query.start_ns = range.start * 1000000000;
    query.end_ns = range.end * 1000000000;
    query.only = filter.only;
    memcpy(query.value, filter.value, sizeof(query.value));
    query.session = filter.session;
    query.tag = llmlab__request_param(request, "tag");
    query.has_cursor = page.has_cursor;
    query.cursor = page.cursor;
    query.limit = page.limit;
    llmlab__list_begin(request, &page);
    if (ops->calls(request->reader, &query, on_call, &page, &end) !=
        LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list calls");
        return;
    }
    llmlab__list_end(request, &page, &end);
}
