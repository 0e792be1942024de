#include "api/api.h"

void
llmlab__api_healthz(llmlab__request_t *request)
{
    request->reply.status = 200;
    request->reply.content_type = "text/plain";
    llmlab__buf_text(&request->reply.body, "ok\n");
}

void
llmlab__api_readyz(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    bool draining = atomic_load(&request->server->draining);
    bool store = ops->ping(request->reader) == LLMLAB_OK;
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "status");
    llmlab__json_put_text(&out, store && !draining ? "ready" : "not_ready");
    llmlab__json_key(&out, "checks");
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "store");
    llmlab__json_put_text(&out, store ? "ok" : "failed");
    llmlab__json_key(&out, "draining");
    llmlab__json_put_text(&out, draining ? "yes" : "no");
    llmlab__json_end_object(&out);
    llmlab__json_end_object(&out);
    request->reply.status = store && !draining ? 200 : 503;
}
