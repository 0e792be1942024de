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
