#include <string.h>

#include "api/api.h"
#include "api/list.h"
#include "api/write.h"

typedef struct sessions_s {
    llmlab__list_page_t page;
    llmlab__page_end_t end;
    size_t count;
} sessions_t;

static bool
on_session(void *payload, const llmlab__session_row_t *row)
{
    sessions_t *sessions = payload;
    llmlab__json_out_t *out = &sessions->page.out;

    if (sessions->count == sessions->page.limit) {
        sessions->end.more = true;
        return false;
    }
    sessions->count++;
    sessions->end.last.major = row->start_ns;
    sessions->end.last.minor = row->number;
    llmlab__json_begin_object(out);
    llmlab__json_key(out, "session");
    llmlab__json_put_string(out, row->session.data, row->session.size);
    llmlab__json_key(out, "user");
    llmlab__write_text(out, row->user);
    llmlab__json_key(out, "start");
    llmlab__write_time(out, row->start_ns);
    llmlab__json_key(out, "end");
    llmlab__write_time(out, row->end_ns);
    llmlab__json_key(out, "duration_ms");
    llmlab__write_ms(out, row->end_ns - row->start_ns);
    llmlab__json_key(out, "traces");
    llmlab__json_put_int(out, row->traces);
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
    llmlab__json_end_object(out);
    return true;
}

void
llmlab__api_sessions_list(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    const char *user = llmlab__request_param(request, "user");
    llmlab__session_query_t query = {.project = request->project.id};
    sessions_t sessions = {.count = 0};
    llmlab__time_range_t range;

    if (!llmlab__list_read(request, LLMLAB__LIST_SESSIONS, &sessions.page) ||
        !llmlab__request_range(request, &range)) {
        return;
    }
    query.start_ns = range.start * 1000000000;
    query.end_ns = range.end * 1000000000;
    query.limit = sessions.page.limit + 1;
    query.before_ns =
        sessions.page.has_cursor ? sessions.page.cursor.major : INT64_MAX;
    query.before = sessions.page.cursor.minor;
    if (user != NULL) {
        query.user = ops->label_find(request->reader, query.project,
                                     LLMLAB__LABEL_USER, user);
        query.user = query.user == 0 ? -1 : query.user;
    }
    llmlab__list_begin(request, &sessions.page);
    if (ops->sessions(request->reader, &query, on_session, &sessions) !=
        LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list sessions");
        return;
    }
    llmlab__list_end(request, &sessions.page, &sessions.end);
}
