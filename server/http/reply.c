#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <llmlab/status.h>

#include "http/request.h"
#include "log.h"

bool
llmlab__reply_problem(llmlab__request_t *request,
                      const llmlab__problem_t *problem)
{
    llmlab__reply_t *reply = &request->reply;
    llmlab__json_out_t out;

    llmlab__buf_clear(&reply->body);
    reply->status = problem->status;
    reply->content_type = "application/problem+json";
    reply->retry = problem->status == 503;
    llmlab__json_out_init(&out, &reply->body);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "type");
    llmlab__buf_printf(&reply->body, "\"urn:llmlab:problem:%s\"",
                       problem->type);
    out.comma = true;
    llmlab__json_key(&out, "title");
    llmlab__json_put_text(&out, problem->title);
    llmlab__json_key(&out, "status");
    llmlab__json_put_uint(&out, problem->status);
    llmlab__json_key(&out, "detail");
    llmlab__json_put_text(&out, problem->detail);
    if (problem->field != NULL) {
        llmlab__json_key(&out, "field");
        llmlab__json_put_text(&out, problem->field);
    }
    if (problem->has_limit) {
        llmlab__json_key(&out, "limit");
        llmlab__json_put_uint(&out, problem->limit);
    }
    if (problem->has_offset) {
        llmlab__json_key(&out, "offset");
        llmlab__json_put_uint(&out, problem->offset);
    }
    llmlab__json_end_object(&out);
    return false;
}

bool
llmlab__reply_refuse(llmlab__request_t *request, unsigned status,
                     const char *type, const char *title, const char *field,
                     const char *format, ...)
{
    llmlab__problem_t problem;
    char detail[sizeof(problem.detail)];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    llmlab__problem(&problem, status, type, title, "%s", detail);
    problem.field = field;
    return llmlab__reply_problem(request, &problem);
}

bool
llmlab__reply_failure(llmlab__request_t *request, const char *what)
{
    llmlab__server_log(LLMLAB_LOG_ERROR, what, "%s", llmlab_status_detail());
    return llmlab__reply_refuse(request, 503, "store-failed",
                                "The store cannot answer", NULL,
                                "the server's log tells why; try again");
}

void
llmlab__reply_json(llmlab__request_t *request, llmlab__json_out_t *out)
{
    llmlab__buf_clear(&request->reply.body);
    request->reply.status = 200;
    request->reply.content_type = "application/json";
    llmlab__json_out_init(out, &request->reply.body);
}

void
llmlab__reply_nothing(llmlab__request_t *request)
{
    llmlab__buf_clear(&request->reply.body);
    request->reply.status = 204;
    request->reply.content_type = NULL;
}

void
llmlab__reply_header(llmlab__request_t *request, const char *name,
                     const char *format, ...)
{
    llmlab__reply_t *reply = &request->reply;
    size_t room = sizeof(reply->text) - reply->text_size;
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(reply->text + reply->text_size, room, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= room ||
        reply->header_count == LLMLAB__HEADERS) {
        return;
    }
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count++].offset = reply->text_size;
    reply->text_size += (unsigned)size + 1;
}

void
llmlab__reply_version(llmlab__request_t *request, int64_t version)
{
    llmlab__reply_header(request, "ETag", "\"%lld\"", (long long)version);
}

bool
llmlab__request_if_match(llmlab__request_t *request, int64_t version)
{
    const char *header = llmlab__request_header(request, "If-Match");
    char tag[32];

    (void)snprintf(tag, sizeof(tag), "\"%lld\"", (long long)version);
    return header == NULL || strcmp(header, "*") == 0 ||
           strcmp(header, tag) == 0 ||
           llmlab__reply_refuse(request, 412, "changed-meanwhile",
                                "It was changed meanwhile", "If-Match",
                                "its ETag is %s now: read it again", tag);
}
