#include "api/api.h"
#include "base/id.h"

static void
write_rejection(llmlab__json_out_t *out, const llmlab__rejection_t *rejection)
{
    char hex[32];

    llmlab__json_begin_object(out);
    llmlab__json_key(out, "trace_id");
    if (rejection->has_trace) {
        llmlab__hex64(rejection->trace_high, hex);
        llmlab__hex64(rejection->trace_low, hex + 16);
        llmlab__json_put_string(out, hex, 32);
    } else {
        llmlab__json_put_null(out);
    }
    llmlab__json_key(out, "span_id");
    if (rejection->span_id != 0) {
        llmlab__hex64(rejection->span_id, hex);
        llmlab__json_put_string(out, hex, 16);
    } else {
        llmlab__json_put_null(out);
    }
    llmlab__json_key(out, "n");
    if (rejection->number != 0) {
        llmlab__json_put_uint(out, rejection->number);
    } else {
        llmlab__json_put_null(out);
    }
    llmlab__json_key(out, "field");
    llmlab__json_put_text(out, rejection->field);
    llmlab__json_key(out, "type");
    llmlab__json_put_text(out, rejection->type);
    llmlab__json_end_object(out);
}

static void
write_echo(llmlab__request_t *request)
{
    const llmlab__batch_t *batch = request->batch;
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "instance");
    llmlab__json_put_text(&out, batch->instance);
    llmlab__json_key(&out, "first");
    llmlab__json_put_uint(&out, batch->first);
    llmlab__json_key(&out, "count");
    llmlab__json_put_uint(&out, batch->count);
    llmlab__json_key(&out, "accepted");
    llmlab__json_put_uint(&out, batch->accepted);
    llmlab__json_key(&out, "duplicate");
    llmlab__json_put_uint(&out, batch->duplicate);
    llmlab__json_key(&out, "rejected");
    llmlab__json_begin_array(&out);
    for (size_t i = 0; i < batch->rejection_count; i++) {
        write_rejection(&out, &batch->rejections[i]);
    }
    llmlab__json_end_array(&out);
    llmlab__json_end_object(&out);
}

void
llmlab__api_ingest_reply(llmlab__request_t *request)
{
    switch (request->batch->status) {
    case LLMLAB_OK:
        write_echo(request);
        break;
    case LLMLAB_EREJECTED:
        llmlab__reply_refuse(request, 409, "instance-of-another-project",
                             "The instance belongs to another project",
                             "sdk.instance",
                             "an instance sends to one project only");
        break;
    case LLMLAB_EOVERFLOW:
        llmlab__reply_refuse(request, 422, "sum-too-large",
                             "A sum would not fit", NULL,
                             "with this batch a sum would exceed 64 bits");
        break;
    default:
        llmlab__reply_refuse(request, 503, "store-failed",
                             "The store cannot take the batch", NULL,
                             "nothing of it was stored; try again");
        break;
    }
}
