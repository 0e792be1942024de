/* A model call's facts, set one by one or read from the provider's reply. */
#include <string.h>

#include "base/clock.h"
#include "base/u128.h"
#include "trace/span.h"
#include "usage/request.h"

/* The worst of several statuses is the first that is none. */
static llmlab_status_t
first_of(llmlab_status_t a, llmlab_status_t b)
{
    return a != LLMLAB_OK ? a : b;
}

llmlab_status_t
llmlab_span_set_outcome(llmlab_span_t *span, llmlab_outcome_t outcome)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (outcome < LLMLAB_UNSET || outcome > LLMLAB_CANCELLED) {
        return LLMLAB_EINVAL;
    }
    if (span->record.outcome != LLMLAB_ERROR) {
        span->record.outcome = (uint8_t)outcome;
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_span_set_error(llmlab_span_t *span, const char *type, const char *code,
                      int http_status)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    span->record.outcome = LLMLAB_ERROR;
    if (http_status != 0) {
        span->record.http_status = http_status;
    }
    return first_of(llmlab__span_put_text(span, LLMLAB__ITEM_ERROR_TYPE, type),
                    llmlab__span_put_text(span, LLMLAB__ITEM_ERROR_CODE, code));
}

llmlab_status_t
llmlab_span_set_model(llmlab_span_t *span, const char *provider,
                      const char *model)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    span->dirty = true;
    return first_of(
        llmlab__span_put_text(span, LLMLAB__ITEM_PROVIDER, provider),
        llmlab__span_put_text(span, LLMLAB__ITEM_MODEL, model));
}

llmlab_status_t
llmlab_span_set_request_model(llmlab_span_t *span, const char *model)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    span->dirty = true;
    return llmlab__span_put_text(span, LLMLAB__ITEM_REQUEST_MODEL, model);
}

static uint64_t
count_of(const llmlab_usage_t *usage, llmlab_usage_field_t field)
{
    return (usage->present >> field & 1) != 0 ? usage->count[field] : 0;
}

static llmlab_status_t
put_parts(llmlab_span_t *span, const llmlab_reply_t *reply)
{
    unsigned char packed[LLMLAB_USAGE_PARTS *
                         (sizeof(reply->parts[0].model) + 2 * sizeof(uint16_t) +
                          (1 + LLMLAB_USAGE_CAPACITY) * sizeof(uint64_t))];
    unsigned char *at = packed;

    for (unsigned i = 0; i < reply->part_count && i < LLMLAB_USAGE_PARTS; i++) {
        const llmlab_usage_part_t *part = &reply->parts[i];
        uint16_t sizes[2];

        sizes[0] = (uint16_t)strnlen(part->model, sizeof(part->model) - 1);
        memcpy(at + sizeof(sizes), part->model, sizes[0]);
        sizes[1] =
            llmlab__usage_pack(&part->usage, at + sizeof(sizes) + sizes[0]);
        memcpy(at, sizes, sizeof(sizes));
        at += sizeof(sizes) + sizes[0] + sizes[1];
    }
    return llmlab__span_put(span, LLMLAB__ITEM_PARTS, packed,
                            (size_t)(at - packed));
}

static llmlab_status_t
put_usage(llmlab_span_t *span, const llmlab_usage_t *usage,
          llmlab_usage_source_t source)
{
    uint64_t packed[1 + LLMLAB_USAGE_CAPACITY];
    uint16_t size = llmlab__usage_pack(usage, packed);

    span->dirty = true;
    span->record.usage_source = (uint8_t)source;
    if ((span->items.has >> LLMLAB__ITEM_PARTS & 1) != 0) {
        llmlab__items_remove(&span->items, LLMLAB__ITEM_PARTS);
    }
    span->input_tokens = count_of(usage, LLMLAB_USAGE_INPUT_TOKENS);
    span->output_tokens = count_of(usage, LLMLAB_USAGE_OUTPUT_TOKENS);
    return llmlab__span_put(span, LLMLAB__ITEM_USAGE, packed, size);
}

llmlab_status_t
llmlab_span_set_usage(llmlab_span_t *span, const llmlab_usage_t *usage)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (usage == NULL) {
        return LLMLAB_EINVAL;
    }
    span->record.flags |= LLMLAB__RECORD_USAGE_COMPLETE;
    return put_usage(span, usage, LLMLAB_USAGE_PROVIDER);
}

llmlab_status_t
llmlab_span_set_estimated_usage(llmlab_span_t *span,
                                const llmlab_usage_t *usage)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (usage == NULL) {
        return LLMLAB_EINVAL;
    }
    span->record.flags &= (uint16_t)~LLMLAB__RECORD_USAGE_COMPLETE;
    return put_usage(span, usage, LLMLAB_USAGE_ESTIMATED);
}

/* effective: it is what the call cost, not only a part of it. */
static llmlab_status_t
put_charge(llmlab_span_t *span, llmlab_money_t charge, bool effective)
{
    uint64_t words[2] = {charge.low, charge.high};

    span->record.flags &= (uint16_t)~LLMLAB__RECORD_PROVIDER_COST;
    if (effective) {
        span->record.flags |= LLMLAB__RECORD_PROVIDER_COST;
        span->record.cost_source = LLMLAB_COST_PROVIDER;
    }
    return llmlab__span_put(span, LLMLAB__ITEM_PROVIDER_COST, words,
                            sizeof(words));
}

llmlab_status_t
llmlab_span_set_cost(llmlab_span_t *span, llmlab_money_t cost)
{
    llmlab_status_t status = llmlab__span_usable(span);

    return status != LLMLAB_OK ? status : put_charge(span, cost, true);
}

static void
set_flag(llmlab_span_t *span, int on, uint16_t flag)
{
    if (on) {
        span->record.flags |= flag;
    } else {
        span->record.flags &= (uint16_t)~flag;
    }
}

llmlab_status_t
llmlab_span_set_tier(llmlab_span_t *span, const char *service_tier,
                     const char *region, const char *speed, int batch)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    span->dirty = true;
    set_flag(span, batch, LLMLAB__RECORD_BATCH);
    status =
        llmlab__span_put_text(span, LLMLAB__ITEM_SERVICE_TIER, service_tier);
    status = first_of(status,
                      llmlab__span_put_text(span, LLMLAB__ITEM_REGION, region));
    return first_of(status,
                    llmlab__span_put_text(span, LLMLAB__ITEM_SPEED, speed));
}

llmlab_status_t
llmlab_span_set_search_context(llmlab_span_t *span, const char *size)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    span->dirty = true;
    return llmlab__span_put_text(span, LLMLAB__ITEM_SEARCH_CONTEXT, size);
}

llmlab_status_t
llmlab_span_set_finish(llmlab_span_t *span, const char *finish_reason,
                       const char *response_id)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    return first_of(
        llmlab__span_put_text(span, LLMLAB__ITEM_FINISH_REASON, finish_reason),
        llmlab__span_put_text(span, LLMLAB__ITEM_RESPONSE_ID, response_id));
}

llmlab_status_t
llmlab_span_set_attempt(llmlab_span_t *span, int attempt)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (attempt < 0 || attempt > UINT16_MAX) {
        return LLMLAB_EINVAL;
    }
    span->record.attempt = (uint16_t)attempt;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_span_set_stream(llmlab_span_t *span, int stream)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status == LLMLAB_OK) {
        set_flag(span, stream, LLMLAB__RECORD_STREAM);
    }
    return status;
}

llmlab_status_t
llmlab_span_first_token(llmlab_span_t *span)
{
    llmlab_status_t status = llmlab__span_usable(span);
    int64_t now;

    if (status != LLMLAB_OK) {
        return status;
    }
    now = llmlab__clock_mono_ns();
    if (span->set_start) {
        now += atomic_load_explicit(&span->tracer->clock_offset_ns,
                                    memory_order_relaxed);
    }
    now -= span->record.start_ns;
    span->record.ttft_ns = now > 0 ? now : 1;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_span_set_prompt(llmlab_span_t *span, const char *name,
                       const char *version)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    return first_of(
        llmlab__span_put_text(span, LLMLAB__ITEM_PROMPT_NAME, name),
        llmlab__span_put_text(span, LLMLAB__ITEM_PROMPT_VERSION, version));
}

llmlab_status_t
llmlab_span_set_times(llmlab_span_t *span, int64_t start_ns, int64_t end_ns)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (start_ns < 0 || end_ns < 0) {
        return LLMLAB_EINVAL;
    }
    if (start_ns != 0) {
        span->record.start_ns = start_ns;
        span->set_start = true;
        span->dirty = true;
    }
    if (end_ns != 0) {
        span->record.end_ns = end_ns;
        span->set_end = true;
    }
    return LLMLAB_OK;
}

/* What the provider charged. With a key of the user's own it states only its
 * fee: the call's cost is the sum with what the upstream took, and unknown
 * without that. */
static llmlab_status_t
put_stated_cost(llmlab_span_t *span, const llmlab_reply_t *reply)
{
    llmlab_money_t charge = {reply->provider_cost[0], reply->provider_cost[1]};
    llmlab_money_t upstream = {reply->upstream_cost[0],
                               reply->upstream_cost[1]};
    llmlab__u128_t sum;

    if (!reply->is_byok) {
        return put_charge(span, charge, true);
    }
    if (!reply->has_upstream_cost ||
        llmlab__u128_add(&sum, llmlab__u128_of(charge),
                         llmlab__u128_of(upstream))) {
        return put_charge(span, charge, false);
    }
    return put_charge(span, llmlab__money_of(sum), true);
}

static llmlab_status_t
put_reply(llmlab_span_t *span, const llmlab_reply_t *reply)
{
    const struct {
        llmlab__item_type_t type;
        const char *text;
    } texts[] = {
        {LLMLAB__ITEM_PROVIDER, reply->provider},
        {LLMLAB__ITEM_API, reply->api},
        {LLMLAB__ITEM_MODEL, reply->model},
        {LLMLAB__ITEM_RESPONSE_ID, reply->response_id},
        {LLMLAB__ITEM_FINISH_REASON, reply->finish_reason},
        {LLMLAB__ITEM_SERVICE_TIER, reply->service_tier},
        {LLMLAB__ITEM_SPEED, reply->speed},
        {LLMLAB__ITEM_REGION, reply->region},
        {LLMLAB__ITEM_SEARCH_CONTEXT, reply->search_context},
    };
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].text[0] != '\0') {
            status = first_of(status, llmlab__span_put_text(span, texts[i].type,
                                                            texts[i].text));
        }
    }
    if (reply->usage.present != 0) {
        status = first_of(status,
                          put_usage(span, &reply->usage, reply->usage_source));
        status = first_of(status, put_parts(span, reply));
    }
    if (reply->has_provider_cost) {
        status = first_of(status, put_stated_cost(span, reply));
    }
    set_flag(span,
             reply->complete && reply->usage_source != LLMLAB_USAGE_ESTIMATED,
             LLMLAB__RECORD_USAGE_COMPLETE);
    if (reply->is_stream) {
        span->record.flags |= LLMLAB__RECORD_STREAM;
    }
    if (reply->is_batch) {
        span->record.flags |= LLMLAB__RECORD_BATCH;
    }
    if (reply->is_error) {
        status = first_of(status, llmlab_span_set_error(span, reply->error_type,
                                                        reply->error_code, 0));
    }
    span->dirty = true;
    return status;
}

llmlab_status_t
llmlab_span_set_reply(llmlab_span_t *span, const llmlab_reply_t *reply)
{
    llmlab_status_t status = llmlab__span_usable(span);
    llmlab_status_t priced;
    llmlab_reply_t completed;

    if (status != LLMLAB_OK) {
        return status;
    }
    if (reply == NULL) {
        return LLMLAB_EINVAL;
    }
    if (reply->usage_source == LLMLAB_USAGE_ESTIMATED) {
        completed = *reply;
        llmlab__request_facts_complete(&span->prompt, &completed);
        reply = &completed;
    }
    status = put_reply(span, reply);
    if (reply->usage.present == 0) {
        return status;
    }
    priced = llmlab__span_price(span);
    if ((span->record.flags & LLMLAB__RECORD_PROVIDER_COST) != 0) {
        return status; /* what it cost is known without a price */
    }
    return first_of(status, priced);
}

llmlab_status_t
llmlab_span_set_response(llmlab_span_t *span, const char *provider,
                         const char *api, const void *body, size_t size)
{
    llmlab_status_t status = llmlab__span_usable(span);
    llmlab_reply_t reply;

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_usage_read(&reply, provider, api, body, size);
    if (status == LLMLAB_EINVAL) {
        return status;
    }
    return first_of(status, llmlab_span_set_reply(span, &reply));
}
