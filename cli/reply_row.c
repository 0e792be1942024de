#include "cli/reply_row.h"

#include <errno.h>
#include <string.h>

#include "cli/file.h"
#include "cli/times.h"
#include "usage/request.h"

/* A member that is a string; null and other types leave out as it was. */
static bool
take_text(llmlab__json_t *json, char *out, size_t capacity)
{
    llmlab__json_text_t text;

    if (!llmlab__json_string(json, &text)) {
        return false;
    }
    llmlab__json_unescape(&text, out, capacity);
    return true;
}

static bool
take_time(llmlab__json_t *json, int64_t *out)
{
    char text[64];
    int64_t time_ns;

    if (!take_text(json, text, sizeof(text))) {
        return false;
    }
    /* A redacted date is as good as none. */
    if (cli_time_parse(text, strlen(text), &time_ns)) {
        *out = time_ns;
    }
    return true;
}

static bool
take_status(llmlab__json_t *json, int64_t *out)
{
    llmlab__json_text_t number;

    if (!llmlab__json_number(json, &number)) {
        return false;
    }
    if (llmlab__json_int(&number, out) != 0) {
        *out = 0;
    }
    return true;
}

const char *
cli_reply_row_parse(cli_reply_row_t *row, const char *line, size_t size)
{
    llmlab__json_t json;
    llmlab__json_text_t key;
    int64_t recorded_ns = 0;

    memset(row, 0, sizeof(*row));
    llmlab__json_init(&json, line, size);
    if (!llmlab__json_enter_object(&json)) {
        return json.error != NULL ? json.error : "the line is no JSON object";
    }
    while (llmlab__json_next_key(&json, &key)) {
        bool taken = false;

        if (llmlab__json_key_is(&key, "id")) {
            taken = llmlab__json_raw(&json, &row->id);
        } else if (llmlab__json_key_is(&key, "provider")) {
            taken = take_text(&json, row->provider, sizeof(row->provider));
        } else if (llmlab__json_key_is(&key, "api")) {
            taken = take_text(&json, row->api, sizeof(row->api));
        } else if (llmlab__json_key_is(&key, "url")) {
            taken = take_text(&json, row->url, sizeof(row->url));
        } else if (llmlab__json_key_is(&key, "response_file")) {
            taken = take_text(&json, row->response_file,
                              sizeof(row->response_file));
        } else if (llmlab__json_key_is(&key, "request_file")) {
            taken =
                take_text(&json, row->request_file, sizeof(row->request_file));
        } else if (llmlab__json_key_is(&key, "request_model")) {
            taken = take_text(&json, row->request_model,
                              sizeof(row->request_model));
        } else if (llmlab__json_key_is(&key, "status")) {
            taken = take_status(&json, &row->status);
        } else if (llmlab__json_key_is(&key, "stream")) {
            taken = llmlab__json_bool(&json, &row->stream);
        } else if (llmlab__json_key_is(&key, "at_utc")) {
            taken = take_time(&json, &row->time_ns);
        } else if (llmlab__json_key_is(&key, "recorded_at")) {
            taken = take_time(&json, &recorded_ns);
        } else if (llmlab__json_key_is(&key, "headers") &&
                   llmlab__json_peek(&json) == LLMLAB__JSON_OBJECT) {
            taken = llmlab__json_raw(&json, &row->headers);
        }
        if (!taken) {
            llmlab__json_skip(&json);
        }
    }
    if (json.error != NULL) {
        return json.error;
    }
    if (!llmlab__json_at_end(&json)) {
        return "something follows the JSON object";
    }
    if (row->response_file[0] == '\0') {
        return "response_file is missing";
    }
    if (row->time_ns == 0) {
        row->time_ns = recorded_ns;
    }
    return NULL;
}

static void
add_headers(const llmlab__json_text_t *headers, llmlab_reply_t *reply)
{
    llmlab__json_t json;
    llmlab__json_text_t key;

    if (headers->data == NULL) {
        return;
    }
    llmlab__json_init(&json, headers->data, headers->size);
    if (!llmlab__json_enter_object(&json)) {
        return;
    }
    while (llmlab__json_next_key(&json, &key)) {
        char name[128];
        char value[1024];

        if (take_text(&json, value, sizeof(value))) {
            llmlab__json_unescape(&key, name, sizeof(name));
            llmlab_reply_set_header(reply, name, value);
        } else {
            llmlab__json_skip(&json);
        }
    }
}

/* What the reply leaves unsaid and its request tells. A request that is not
 * there tells nothing. */
static void
add_request(const cli_reply_row_t *row, const char *root, llmlab__buf_t *body,
            llmlab_reply_t *reply)
{
    llmlab__request_facts_t request;

    if (reply->model[0] == '\0') {
        memcpy(reply->model, row->request_model, sizeof(row->request_model));
    }
    if (row->request_file[0] == '\0' ||
        (reply->model[0] != '\0' &&
         reply->usage_source != LLMLAB_USAGE_ESTIMATED) ||
        !cli_file_read_in(body, root, row->request_file)) {
        return;
    }
    llmlab__request_facts_read(&request, (const char *)body->data, body->size);
    llmlab__request_facts_complete(&request.prompt, reply);
    if (reply->model[0] == '\0') {
        memcpy(reply->model, request.model, sizeof(request.model));
    }
}

const char *
cli_reply_row_read(const cli_reply_row_t *row, const char *root,
                   llmlab__buf_t *body, llmlab_reply_t *reply,
                   llmlab_status_t *status)
{
    if (!cli_file_read_in(body, root, row->response_file)) {
        return strerror(errno);
    }
    *status = llmlab_usage_read(reply, row->provider, row->api, body->data,
                                body->size);
    add_headers(&row->headers, reply);
    llmlab_reply_set_url(reply, row->url, strlen(row->url));
    add_request(row, root, body, reply);
    return NULL;
}

static void
price_parts(cli_reply_cost_t *out, const llmlab_price_book_t *book,
            const llmlab_call_facts_t *facts)
{
    for (size_t i = 0; i < facts->part_count; i++) {
        llmlab_call_facts_t one = *facts;
        llmlab_cost_t cost;

        one.parts = &facts->parts[i];
        one.part_count = 1;
        one.usage = NULL;
        out->parts[i].has_cost =
            llmlab_cost_compute(&cost, book, &one) == LLMLAB_OK;
        out->parts[i].cost = cost.amount;
    }
}

void
cli_reply_price(cli_reply_cost_t *out, const llmlab_price_book_t *book,
                const llmlab_reply_t *reply, int64_t time_ns)
{
    llmlab_call_facts_t facts;

    memset(out, 0, sizeof(*out));
    llmlab_call_facts_init(&facts);
    facts.provider = reply->provider;
    facts.model = reply->model;
    facts.usage = &reply->usage;
    facts.time_ns = time_ns != 0 ? time_ns : reply->created_ns;
    facts.service_tier = reply->service_tier;
    facts.speed = reply->speed;
    facts.region = reply->region;
    facts.search_context = reply->search_context;
    facts.batch = reply->is_batch;
    facts.parts = reply->parts;
    facts.part_count = reply->part_count;
    out->has_computed =
        llmlab_cost_compute(&out->computed, book, &facts) == LLMLAB_OK;
    price_parts(out, book, &facts);
    if (!reply->has_provider_cost ||
        (reply->is_byok && !reply->has_upstream_cost)) {
        return;
    }
    out->has_stated = true;
    out->stated.low = reply->provider_cost[0];
    out->stated.high = reply->provider_cost[1];
    if (reply->is_byok) {
        llmlab_money_t upstream = {reply->upstream_cost[0],
                                   reply->upstream_cost[1]};

        out->has_stated = llmlab_money_add(&out->stated, upstream) == LLMLAB_OK;
    }
}

bool
cli_reply_cost_effective(const cli_reply_cost_t *cost, llmlab_money_t *out)
{
    if (cost->has_stated) {
        *out = cost->stated;
        return true;
    }
    if (cost->has_computed) {
        *out = cost->computed.amount;
        return true;
    }
    return false;
}
