#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "client/client.h"

#define PUT(field)                                \
    do {                                          \
        llmlab__json_key(out, #field);            \
        llmlab__json_put_uint(out, stats->field); \
    } while (0)

static void
put_dropped(llmlab__json_out_t *out, const llmlab_stats_t *stats)
{
    llmlab__json_key(out, "dropped");
    llmlab__json_begin_object(out);
    for (int i = 0; i < LLMLAB_DROP_REASONS; i++) {
        const char *name = llmlab_drop_name((llmlab_drop_t)i);

        llmlab__json_key_n(out, name, strlen(name));
        llmlab__json_put_uint(out, stats->dropped[i]);
    }
    llmlab__json_end_object(out);
}

static void
put_stats(llmlab__json_out_t *out, const llmlab_stats_t *stats)
{
    char cost[LLMLAB_MONEY_TEXT];

    PUT(accepted);
    PUT(delivered);
    PUT(queued);
    PUT(in_flight);
    PUT(spooled);
    PUT(rejected);
    PUT(dead);
    put_dropped(out, stats);
    PUT(recovered);
    PUT(recovering);
    PUT(recovery_lost);
    PUT(duplicates);
    PUT(unsampled);
    PUT(open_spans);
    PUT(stale_ends);
    PUT(batches);
    PUT(attempts);
    PUT(retries);
    PUT(bytes_sent);
    PUT(memory_bytes);
    PUT(calls);
    PUT(unpriced_calls);
    PUT(estimated_calls);
    PUT(input_tokens);
    PUT(output_tokens);
    llmlab_money_format(stats->cost, cost);
    llmlab__json_key(out, "cost");
    llmlab__json_put_text(out, cost);
    llmlab__json_key(out, "last_status");
    llmlab__json_put_text(out, llmlab_status_name(stats->last_status));
    llmlab__json_key(out, "last_http_status");
    llmlab__json_put_int(out, stats->last_http_status);
}

static void
put_prices(llmlab__json_out_t *out, const llmlab_stats_t *stats,
           const llmlab_client_t *client)
{
    char detail[200];
    char checked[LLMLAB__TIME_TEXT];

    llmlab__worker_price_detail(llmlab__client_worker(client), detail,
                                sizeof(detail));
    llmlab__json_key(out, "price_table");
    llmlab__json_put_text(out, stats->price_table);
    llmlab__json_key(out, "price_age_s");
    llmlab__json_put_int(out, stats->price_age_s);
    PUT(price_updates);
    PUT(price_refusals);
    llmlab__json_key(out, "price_status");
    llmlab__json_put_text(out, llmlab_status_name(stats->price_status));
    llmlab__json_key(out, "price_detail");
    llmlab__json_put_text(out, detail);
    llmlab__json_key(out, "price_checked_at");
    if (stats->price_checked_ns == 0) {
        llmlab__json_put_null(out);
    } else {
        llmlab__time_format(stats->price_checked_ns, checked);
        llmlab__json_put_text(out, checked);
    }
}

llmlab_status_t
llmlab_client_stats_json(const llmlab_client_t *client, char **out,
                         size_t *out_size)
{
    llmlab__json_out_t json;
    llmlab__buf_t buf;
    llmlab_stats_t stats;
    llmlab_status_t status;

    if (out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "out is NULL");
    }
    *out = NULL;
    llmlab_stats_init(&stats);
    status = llmlab_client_stats(client, &stats);
    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&json, &buf);
    llmlab__json_begin_object(&json);
    put_stats(&json, &stats);
    put_prices(&json, &stats, client);
    llmlab__json_key(&json, "unpriced_models");
    /* Only the list's own lock changes. */
    llmlab__unpriced_write((llmlab__unpriced_t *)(uintptr_t)&client->unpriced,
                           &json);
    llmlab__json_end_object(&json);
    llmlab__buf_append(&buf, "", 1);
    if (buf.failed) {
        llmlab__buf_cleanup(&buf);
        return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
    }
    *out = (char *)buf.data;
    if (out_size != NULL) {
        *out_size = buf.size - 1;
    }
    return LLMLAB_OK;
}
