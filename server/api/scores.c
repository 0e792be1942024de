/* What people and judges say of traces and spans. */
#include "api/scores.h"

#include <string.h>

#include "api/api.h"
#include "api/list.h"
#include "api/write.h"
#include "base/id.h"

/* Shown with a trace. */
#define TRACE_SCORES 1000

static void
text_member(llmlab__json_out_t *out, const char *key, const char *text)
{
    llmlab__json_key_n(out, key, strlen(key));
    if (text == NULL) {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_text(out, text);
    }
}

/* A boolean is its word, with or without the number that stands for it. */
static bool
is_boolean(const llmlab__score_t *score)
{
    const char *label = score->label;

    if (label == NULL ||
        (strcmp(label, "true") != 0 && strcmp(label, "false") != 0)) {
        return false;
    }
    return !score->has_value ||
           (*label == 't' ? score->value == 1.0 : score->value == 0.0);
}

static void
value_write(llmlab__json_out_t *out, const llmlab__score_t *score)
{
    const char *label = score->label;

    llmlab__json_key(out, "type");
    if (is_boolean(score)) {
        llmlab__json_put_text(out, "boolean");
        llmlab__json_key(out, "value");
        llmlab__json_put_bool(out, *label == 't');
        label = NULL;
    } else if (score->has_value) {
        llmlab__json_put_text(out, "numeric");
        llmlab__json_key(out, "value");
        llmlab__json_put_double(out, score->value);
    } else {
        llmlab__json_put_text(out, "categorical");
        text_member(out, "value", label);
        label = NULL;
    }
    text_member(out, "label", label);
}

void
llmlab__score_write(llmlab__json_out_t *out, const llmlab__score_t *score)
{
    text_member(out, "id", score->id);
    llmlab__json_key(out, "trace_id");
    llmlab__write_id(out, score->trace_high, score->trace_low, 32);
    llmlab__json_key(out, "span_id");
    if (score->span_id != 0) {
        llmlab__write_id(out, 0, score->span_id, 16);
    } else {
        llmlab__json_put_null(out);
    }
    text_member(out, "name", score->name);
    value_write(out, score);
    text_member(out, "source", score->source);
    text_member(out, "version", score->version);
    text_member(out, "comment", score->comment);
    llmlab__json_key(out, "at");
    llmlab__write_time(out, score->at_ns);
}

void
llmlab__score_reply(llmlab__request_t *request, unsigned status,
                    const llmlab__score_t *score)
{
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__score_write(&out, score);
    llmlab__json_end_object(&out);
    request->reply.status = status;
}

static bool
on_score(void *payload, const llmlab__score_t *score)
{
    llmlab__json_out_t *out = payload;

    llmlab__json_begin_object(out);
    llmlab__score_write(out, score);
    llmlab__json_end_object(out);
    return true;
}

bool
llmlab__trace_scores_write(llmlab__request_t *request, uint64_t trace_high,
                           uint64_t trace_low, llmlab__json_out_t *out)
{
    llmlab__store_t *store = request->server->store;
    const llmlab__score_query_t query = {.project = request->project.id,
                                         .has_trace = true,
                                         .trace_high = trace_high,
                                         .trace_low = trace_low,
                                         .start_ns = INT64_MIN,
                                         .end_ns = INT64_MAX,
                                         .before_ns = INT64_MAX,
                                         .before = INT64_MAX,
                                         .limit = TRACE_SCORES};
    int64_t at_ns;
    int64_t row;
    bool more;
    bool good;

    llmlab__json_key(out, "scores");
    llmlab__json_begin_array(out);
    good = store->scores->list(request->reader, &query, on_score, out, &more,
                               &at_ns, &row) == LLMLAB_OK;
    llmlab__json_end_array(out);
    return good;
}

static bool
bad_parameter(llmlab__request_t *request, const char *field, const char *reason)
{
    return llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", field, "%s: %s", field,
                                reason);
}

bool
llmlab__score_query_read(llmlab__request_t *request, llmlab__score_query_t *out)
{
    const char *trace = llmlab__request_param(request, "trace_id");
    const char *span = llmlab__request_param(request, "span_id");
    llmlab__time_range_t range;

    memset(out, 0, sizeof(*out));
    out->project = request->project.id;
    out->name = llmlab__request_param(request, "name");
    out->source = llmlab__request_param(request, "source");
    out->before_ns = INT64_MAX;
    out->before = INT64_MAX;
    out->has_trace = trace != NULL;
    if (trace != NULL &&
        (strlen(trace) != 32 || llmlab__unhex64(trace, &out->trace_high) != 0 ||
         llmlab__unhex64(trace + 16, &out->trace_low) != 0)) {
        return bad_parameter(request, "trace_id", "32 hex digits are needed");
    }
    if (span != NULL &&
        (strlen(span) != 16 || llmlab__unhex64(span, &out->span_id) != 0 ||
         out->span_id == 0)) {
        return bad_parameter(request, "span_id", "16 hex digits are needed");
    }
    if (!llmlab__request_range(request, &range)) {
        return false;
    }
    out->start_ns = range.start * 1000000000;
    out->end_ns = range.end * 1000000000;
    /* A trace has its own time. */
    if (out->has_trace && llmlab__request_param(request, "start") == NULL &&
        llmlab__request_param(request, "start_date") == NULL) {
        out->start_ns = 0;
    }
    return true;
}

void
llmlab__api_scores_list(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    llmlab__score_query_t query;
    llmlab__page_end_t end = {.more = false};
    llmlab__list_page_t page;

    if (!llmlab__list_read(request, LLMLAB__LIST_SCORES, &page) ||
        !llmlab__score_query_read(request, &query)) {
        return;
    }
    query.limit = page.limit;
    if (page.has_cursor) {
        query.before_ns = page.cursor.major;
        query.before = page.cursor.minor;
    }
    llmlab__list_begin(request, &page);
    if (store->scores->list(request->reader, &query, on_score, &page.out,
                            &end.more, &end.last.major,
                            &end.last.minor) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list scores");
        return;
    }
    llmlab__list_end(request, &page, &end);
}

static bool
on_found(void *payload, const llmlab__score_t *score)
{
    llmlab__score_reply(payload, 200, score);
    return true;
}

static void
no_such_score(llmlab__request_t *request)
{
    llmlab__reply_refuse(request, 404, "no-such-score", "No such score", NULL,
                         "the project has no score of this id");
}

void
llmlab__api_score_get(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    llmlab_status_t status =
        store->scores->get(request->reader, request->project.id,
                           request->parts[1], on_found, request);

    if (status == LLMLAB_ENOTFOUND) {
        no_such_score(request);
    } else if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read a score");
    }
}

void
llmlab__api_score_delete(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    const char *id = request->parts[1];
    llmlab_status_t status =
        store->scores->remove(request->changer, request->project.id, id);

    if (status == LLMLAB_ENOTFOUND) {
        no_such_score(request);
    } else if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot delete a score");
    } else if (llmlab__change_audit(request, "score.delete", id, NULL)) {
        llmlab__reply_nothing(request);
    }
}
