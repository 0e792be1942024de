#include "http/body.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "http/router.h"

/* Of bodies under way: many small ones, or some of the greatest. */
#define HELD_BYTES (UINT64_C(256) << 20)
#define JSON_DEPTH 32

static bool
is_batch(const llmlab__request_t *request)
{
    return (request->route->flags & LLMLAB__ROUTE_BATCH) != 0;
}

static bool
is_json(const llmlab__request_t *request)
{
    return (request->route->flags & LLMLAB__ROUTE_JSON) != 0;
}

size_t
llmlab__body_limit(const llmlab__request_t *request)
{
    size_t limit = request->server->limits.max_body;

    if (request->route == NULL || is_batch(request)) {
        return limit;
    }
    return request->route->access == LLMLAB__ACCESS_OPEN ? LLMLAB__OPEN_BODY_MAX
           : limit < LLMLAB__JSON_BODY_MAX               ? limit
                                           : LLMLAB__JSON_BODY_MAX;
}

bool
llmlab__body_announced(const llmlab__request_t *request, uint64_t *size)
{
    const char *length = llmlab__request_header(request, "Content-Length");

    *size = length == NULL ? 0 : strtoull(length, NULL, 10);
    return *size > 0 ||
           llmlab__request_header(request, "Transfer-Encoding") != NULL;
}

bool
llmlab__body_too_large(llmlab__request_t *request)
{
    llmlab__problem_t problem;
    size_t limit = llmlab__body_limit(request);

    llmlab__problem(&problem, 413, "body-too-large", "The body is too large",
                    "more than %zu bytes as sent", limit);
    problem.has_limit = true;
    problem.limit = limit;
    return llmlab__reply_problem(request, &problem);
}

static bool
no_memory(llmlab__request_t *request)
{
    return llmlab__reply_refuse(request, 503, "busy", "No memory", NULL,
                                "try again");
}

static bool
begin_batch(llmlab__request_t *request)
{
    if (request->batch == NULL) {
        request->batch = llmlab__batch_new();
    }
    if (request->batch == NULL) {
        return no_memory(request);
    }
    if (request->gzip) {
        llmlab__inflate_begin(&request->inflate,
                              request->server->limits.max_inflated);
    }
    request->batch->project = request->project.id;
    request->batch->api_key = request->key.id;
    request->batch->retention_ns =
        request->project.retention_days * 86400 * 1000000000;
    request->batch->any_time = request->key.scope == LLMLAB__SCOPE_ADMIN;
    return true;
}

bool
llmlab__body_begin(llmlab__request_t *request)
{
    const char *coding = llmlab__request_header(request, "Content-Encoding");
    const char *type = llmlab__request_header(request, "Content-Type");
    uint64_t size;

    if (!is_batch(request) && !is_json(request)) {
        return true;
    }
    if (is_batch(request) && coding != NULL &&
        strcasecmp(coding, "gzip") == 0) {
        request->gzip = true;
    } else if (coding != NULL && *coding != '\0' &&
               strcasecmp(coding, "identity") != 0) {
        return llmlab__reply_refuse(
            request, 415, "unsupported-encoding", "The encoding is not known",
            "Content-Encoding",
            is_batch(request) ? "gzip or none is understood"
                              : "none is understood here");
    }
    if (type != NULL && strncasecmp(type, "application/json", 16) != 0 &&
        (is_batch(request) ||
         strncasecmp(type, "application/merge-patch+json", 28) != 0)) {
        return llmlab__reply_refuse(
            request, 415, "unsupported-type", "The content type is not known",
            "Content-Type", "application/json is needed");
    }
    if (llmlab__body_announced(request, &size) &&
        size > llmlab__body_limit(request)) {
        return llmlab__body_too_large(request);
    }
    return is_json(request) || begin_batch(request);
}

static bool
inflated_too_large(llmlab__request_t *request)
{
    llmlab__problem_t problem;
    size_t limit = request->server->limits.max_inflated;

    llmlab__problem(&problem, 413, "inflated-too-large",
                    "The body is too large", "more than %zu bytes inflated",
                    limit);
    problem.has_limit = true;
    problem.limit = limit;
    return llmlab__reply_problem(request, &problem);
}

void
llmlab__body_let_go(llmlab__request_t *request)
{
    atomic_fetch_sub(&request->server->held_bytes, request->held);
    request->held = 0;
}

/* Count what the body takes of the memory that all bodies share. */
static bool
hold(llmlab__request_t *request, llmlab__buf_t *body)
{
    llmlab__server_t *server = request->server;
    uint64_t most = 2 * (uint64_t)server->limits.max_inflated;

    if (body->failed) {
        return no_memory(request);
    }
    if (body->capacity <= request->held) {
        return true;
    }
    atomic_fetch_add(&server->held_bytes, body->capacity - request->held);
    request->held = body->capacity;
    if (atomic_load(&server->held_bytes) <=
        (most > HELD_BYTES ? most : HELD_BYTES)) {
        return true;
    }
    llmlab__buf_cleanup(body);
    llmlab__body_let_go(request);
    return llmlab__reply_refuse(request, 503, "busy", "Too much is on its way",
                                NULL, "try again");
}

static bool
feed_batch(llmlab__request_t *request, const char *bytes, size_t size)
{
    llmlab__buf_t *body = &request->batch->body;

    if (!request->gzip) {
        if (body->size + size > request->server->limits.max_inflated) {
            return inflated_too_large(request);
        }
        llmlab__buf_append(body, bytes, size);
        return hold(request, body);
    }
    switch (llmlab__inflate_feed(&request->inflate, bytes, size, body)) {
    case LLMLAB__INFLATE_MORE:
    case LLMLAB__INFLATE_DONE:
        return hold(request, body);
    case LLMLAB__INFLATE_TOO_BIG:
        return inflated_too_large(request);
    case LLMLAB__INFLATE_NO_MEMORY:
        return no_memory(request);
    default:
        return llmlab__reply_refuse(request, 400, "malformed-gzip",
                                    "The gzip body is malformed", NULL,
                                    "it is no single gzip member, or damaged");
    }
}

bool
llmlab__body_feed(llmlab__request_t *request, const char *bytes, size_t size)
{
    if (is_batch(request)) {
        return feed_batch(request, bytes, size);
    }
    if (!is_json(request)) {
        return true; /* not asked for, not looked at */
    }
    llmlab__buf_append(&request->body, bytes, size);
    return hold(request, &request->body);
}

bool
llmlab__body_end(llmlab__request_t *request)
{
    if (is_batch(request)) {
        return !request->gzip ||
               request->inflate.status == LLMLAB__INFLATE_DONE ||
               llmlab__reply_refuse(request, 400, "malformed-gzip",
                                    "The gzip body is malformed", NULL,
                                    "it ends before its end");
    }
    if (!is_json(request) ||
        (request->body.size == 0 &&
         (request->route->flags & LLMLAB__ROUTE_MAY_LACK_BODY) != 0)) {
        return true;
    }
    if (llmlab__json_dom_parse(&request->json, (char *)request->body.data,
                               request->body.size, JSON_DEPTH) != LLMLAB_OK) {
        return llmlab__reply_refuse(request, 400, "malformed-json",
                                    "The body is no JSON", NULL, "%s",
                                    llmlab_status_detail());
    }
    return cJSON_IsObject(request->json) ||
           llmlab__reply_refuse(request, 400, "malformed-json",
                                "The body is no object", NULL,
                                "a JSON object is needed");
}
