/* What a client may know of its project: its prices, as a price file. */
#include <string.h>

#include <llmlab/version.h>

#include "api/api.h"
#include "api/write.h"
#include "services/price_books.h"

/* The project's prices as a file that the library and the command read. */
void
llmlab__api_price_file(llmlab__request_t *request)
{
    llmlab__json_out_t out;
    bool any;

    llmlab__reply_json(request, &out);
    if (llmlab__price_file_write(
            request->reader, request->server->store->prices,
            request->project.id, out.buf, &any) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read prices");
    }
}

void
llmlab__api_sdk_config(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    llmlab__json_out_t out;
    llmlab__buf_t prices;
    llmlab_status_t status;
    bool any = false;

    if (request->key.id == 0) {
        llmlab__reply_refuse(request, 403, "forbidden", "This needs a key",
                             NULL, "it tells what a key's project has set");
        return;
    }
    if (ops->project_get(request->reader, request->key.project,
                         &request->project) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot look up a project");
        return;
    }
    llmlab__buf_init(&prices);
    status = llmlab__price_file_write(request->reader,
                                      request->server->store->prices,
                                      request->project.id, &prices, &any);
    if (status != LLMLAB_OK) {
        llmlab__buf_cleanup(&prices);
        llmlab__reply_failure(request, "cannot read prices");
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "project");
    llmlab__json_put_text(&out, request->project.uuid);
    llmlab__json_key(&out, "slug");
    llmlab__json_put_text(&out, request->project.slug);
    llmlab__json_key(&out, "server_version");
    llmlab__json_put_text(&out, llmlab_version());
    llmlab__json_key(&out, "table");
    llmlab__json_put_text(&out, llmlab_pricing_version());
    llmlab__json_key(&out, "prices");
    if (any) {
        llmlab__json_put_raw(&out, (const char *)prices.data, prices.size);
    } else {
        llmlab__json_put_null(&out);
    }
    llmlab__json_end_object(&out);
    llmlab__buf_cleanup(&prices);
}
