/* The call is written down as a client would send it and read by the ingest
 * parser, so that what it costs cannot depend on when it was asked. */
#include "services/repricing.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/status.h"
#include "services/ingest_fields.h"

llmlab_status_t
llmlab__repricing_init(llmlab__repricing_t *repricing)
{
    llmlab__limits_init(&repricing->limits);
    repricing->batch = llmlab__batch_new();
    return repricing->batch != NULL
               ? LLMLAB_OK
               : llmlab__fail(LLMLAB_ENOMEM, "no memory for a call");
}

void
llmlab__repricing_cleanup(llmlab__repricing_t *repricing)
{
    llmlab__batch_destroy(repricing->batch);
}

static void
put_text(llmlab__json_out_t *out, const char *key, llmlab__text_t text)
{
    if (text.size > 0) {
        llmlab__json_key_n(out, key, strlen(key));
        llmlab__json_put_string(out, text.data, text.size);
    }
}

static void
call_write(llmlab__buf_t *buf, const llmlab__span_view_t *call)
{
    char start[LLMLAB__TIME_TEXT];
    llmlab__json_out_t out;

    llmlab__buf_text(
        buf, "{\"schema\":1,\"sdk\":{\"name\":\"llmlab-server\","
             "\"version\":\"1\",\"instance\":"
             "\"00000000-0000-4000-8000-000000000000\"},"
             "\"batch\":{\"first\":1,\"count\":1,"
             "\"sent_at\":\"2026-01-01T00:00:00Z\",\"totals\":{\"accepted\":1,"
             "\"delivered\":0,\"rejected\":0,\"dropped\":{}}},"
             "\"traces\":[{\"trace_id\":\"00000000000000000000000000000001\","
             "\"steps\":[");
    llmlab__json_out_init(&out, buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "span_id");
    llmlab__json_put_text(&out, "0000000000000001");
    llmlab__json_key(&out, "n");
    llmlab__json_put_int(&out, 1);
    llmlab__json_key(&out, "type");
    llmlab__json_put_text(&out, llmlab__kind_names[call->kind]);
    llmlab__json_key(&out, "name");
    llmlab__json_put_text(&out, "call");
    llmlab__json_key(&out, "status");
    llmlab__json_put_text(&out,
                          call->status == LLMLAB_SUCCESS ? "success" : "error");
    llmlab__time_format(call->start_ns, start);
    llmlab__json_key(&out, "start");
    llmlab__json_put_text(&out, start);
    llmlab__json_key(&out, "latency_ms");
    llmlab__json_put_int(&out, 0);
    put_text(&out, "provider", call->provider);
    put_text(&out, "model", call->model);
    llmlab__json_key(&out, "usage");
    llmlab__json_put_raw(&out, call->usage.data, call->usage.size);
    if (call->detail.size > 0) {
        llmlab__buf_text(buf, ",");
        llmlab__buf_append(buf, call->detail.data, call->detail.size);
    }
    llmlab__json_end_object(&out);
    llmlab__buf_text(buf, "]}]}");
}

bool
llmlab__call_reprice(llmlab__repricing_t *repricing,
                     const llmlab_price_book_t *book,
                     const llmlab__span_view_t *call, llmlab__call_price_t *out)
{
    llmlab__batch_t *batch = repricing->batch;
    llmlab__problem_t problem;
    const llmlab__row_t *row;

    llmlab__batch_clear(batch);
    batch->now_ns = call->start_ns;
    batch->any_time = true;
    if (call->kind < 0 || call->kind >= LLMLAB_SPAN_KINDS) {
        return false;
    }
    call_write(&batch->body, call);
    if (batch->body.failed ||
        !llmlab__ingest_parse(batch, &repricing->limits, book, &problem) ||
        batch->row_count != 1 || batch->rejection_count != 0) {
        return false;
    }
    row = &batch->rows[0];
    out->has_cost = row->has_cost;
    out->priced = row->priced;
    out->match = row->match;
    out->cost_source = row->cost_source;
    out->nano = row->has_cost ? row->sums.of[LLMLAB__SUM_COST_NANO] : 0;
    out->rest = row->has_cost ? row->sums.of[LLMLAB__SUM_COST_REST] : 0;
    (void)snprintf(out->key, sizeof(out->key), "%.*s", (int)row->price_key.size,
                   row->price_key.size > 0 ? row->price_key.data : "");
    return true;
}
