/* What a span tells of a model call. */
#include <llmlab/span.h>

#include "base/status.h"
#include "bind/cstrings.h"
#include "bind/document.h"
#include "bind/handle.h"
#include "bind/llmlab_bind.h"
#include "bind/report.h"
#include "bind/text.h"

/* Hold the span of a handle; the strings are ready for copies. */
static llmlab_status_t
enter(llmlab__slot_t **slot, llmlab__cstrings_t *strings, int64_t span)
{
    llmlab__cstrings_init(strings);
    return llmlab__handle_hold(slot, span, LLMLAB__HANDLE_SPAN);
}

static llmlab_status_t
leave(llmlab__slot_t *slot, llmlab__cstrings_t *strings, llmlab_status_t status)
{
    llmlab__handle_let_go(slot);
    llmlab__cstrings_cleanup(strings);
    return status;
}

llmlab_bind_status_t
llmlab_bind_set_error(int64_t span, const char *type, size_t type_size,
                      const char *code, size_t code_size, int http_status)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_error(
        slot->object, llmlab__cstring(&strings, type, type_size),
        llmlab__cstring(&strings, code, code_size), http_status);
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_model(int64_t span, const char *provider, size_t provider_size,
                      const char *model, size_t model_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_model(
        slot->object, llmlab__cstring(&strings, provider, provider_size),
        llmlab__cstring(&strings, model, model_size));
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_request_model(int64_t span, const char *model,
                              size_t model_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_request_model(
        slot->object, llmlab__cstring(&strings, model, model_size));
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_tier(int64_t span, const char *tier, size_t tier_size,
                     const char *region, size_t region_size, const char *speed,
                     size_t speed_size, int batch)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_tier(
        slot->object, llmlab__cstring(&strings, tier, tier_size),
        llmlab__cstring(&strings, region, region_size),
        llmlab__cstring(&strings, speed, speed_size), batch);
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_search_context(int64_t span, const char *text, size_t text_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_search_context(
        slot->object, llmlab__cstring(&strings, text, text_size));
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_finish(int64_t span, const char *reason, size_t reason_size,
                       const char *response_id, size_t response_id_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_finish(
        slot->object, llmlab__cstring(&strings, reason, reason_size),
        llmlab__cstring(&strings, response_id, response_id_size));
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_prompt(int64_t span, const char *name, size_t name_size,
                       const char *version, size_t version_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_prompt(
        slot->object, llmlab__cstring(&strings, name, name_size),
        llmlab__cstring(&strings, version, version_size));
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_request(int64_t span, const char *provider,
                        size_t provider_size, const char *api, size_t api_size,
                        const char *body, size_t body_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_request(
        slot->object, llmlab__cstring(&strings, provider, provider_size),
        llmlab__cstring(&strings, api, api_size), body, body_size);
    return leave(slot, &strings, status);
}

llmlab_bind_status_t
llmlab_bind_set_response(int64_t span, const char *provider,
                         size_t provider_size, const char *api, size_t api_size,
                         const char *body, size_t body_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_status_t status = enter(&slot, &strings, span);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_set_response(
        slot->object, llmlab__cstring(&strings, provider, provider_size),
        llmlab__cstring(&strings, api, api_size), body, body_size);
    return leave(slot, &strings, status);
}

typedef llmlab_status_t (*set_usage_fn)(llmlab_span_t *span,
                                        const llmlab_usage_t *usage);

static llmlab_status_t
set_usage(int64_t span, set_usage_fn set, const llmlab_usage_t *usage)
{
    llmlab__slot_t *slot;
    llmlab_status_t status =
        llmlab__handle_hold(&slot, span, LLMLAB__HANDLE_SPAN);

    if (status == LLMLAB_OK) {
        status = set(slot->object, usage);
        llmlab__handle_let_go(slot);
    }
    return status;
}

llmlab_bind_status_t
llmlab_bind_set_tokens(int64_t span, int64_t input, int64_t output,
                       int64_t cache_read, int64_t cache_write,
                       int64_t reasoning)
{
    const struct {
        llmlab_usage_field_t field;
        int64_t count;
    } stated[] = {
        {LLMLAB_USAGE_INPUT_TOKENS, input},
        {LLMLAB_USAGE_OUTPUT_TOKENS, output},
        {LLMLAB_USAGE_CACHE_READ_TOKENS, cache_read},
        {LLMLAB_USAGE_CACHE_WRITE_TOKENS, cache_write},
        {LLMLAB_USAGE_REASONING_TOKENS, reasoning},
    };
    llmlab_usage_t usage;
    size_t i;

    llmlab_usage_init(&usage);
    for (i = 0; i < sizeof stated / sizeof *stated; i++) {
        if (stated[i].count < -1) {
            return llmlab__fail(LLMLAB_EINVAL, "%s: %lld is no count",
                                llmlab_usage_field_name(stated[i].field),
                                (long long)stated[i].count);
        }
        if (stated[i].count >= 0) {
            llmlab_usage_set(&usage, stated[i].field,
                             (uint64_t)stated[i].count);
        }
    }
    return set_usage(span, llmlab_span_set_usage, &usage);
}

static llmlab_status_t
set_usage_document(int64_t span, set_usage_fn set, const char *json,
                   size_t size)
{
    llmlab_usage_t usage;
    llmlab_status_t status;

    if (span == 0) {
        return LLMLAB_EDISABLED;
    }
    status = llmlab__usage_parse(&usage, json, size);
    return status == LLMLAB_OK ? set_usage(span, set, &usage) : status;
}

llmlab_bind_status_t
llmlab_bind_set_usage(int64_t span, const char *json, size_t json_size)
{
    return set_usage_document(span, llmlab_span_set_usage, json, json_size);
}

llmlab_bind_status_t
llmlab_bind_set_estimated_usage(int64_t span, const char *json,
                                size_t json_size)
{
    return set_usage_document(span, llmlab_span_set_estimated_usage, json,
                              json_size);
}

llmlab_bind_status_t
llmlab_bind_set_cost(int64_t span, const char *usd, size_t usd_size)
{
    llmlab_money_t cost;
    llmlab__slot_t *slot;
    llmlab_status_t status;

    if (span == 0) {
        return LLMLAB_EDISABLED;
    }
    status = llmlab_money_parse(&cost, usd, usd_size, NULL);
    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab__handle_hold(&slot, span, LLMLAB__HANDLE_SPAN);
    if (status == LLMLAB_OK) {
        status = llmlab_span_set_cost(slot->object, cost);
        llmlab__handle_let_go(slot);
    }
    return status;
}

llmlab_bind_status_t
llmlab_bind_set_stream_reply(int64_t span, int64_t stream)
{
    llmlab_reply_t reply;
    llmlab__slot_t *slot;
    llmlab_status_t read;
    llmlab_status_t status =
        llmlab__handle_hold(&slot, stream, LLMLAB__HANDLE_STREAM);

    if (status != LLMLAB_OK) {
        return status;
    }
    read = llmlab_usage_stream_reply(slot->object, &reply);
    llmlab__handle_let_go(slot);
    /* One handle at a time: two would be a lock order. */
    status = llmlab__handle_hold(&slot, span, LLMLAB__HANDLE_SPAN);
    if (status == LLMLAB_OK) {
        status = llmlab_span_set_reply(slot->object, &reply);
        llmlab__handle_let_go(slot);
    }
    return status == LLMLAB_OK ? read : status;
}

llmlab_bind_text_t
llmlab_bind_span_cost(int64_t span)
{
    llmlab_cost_t cost;
    llmlab__slot_t *slot;
    llmlab_status_t status =
        llmlab__handle_hold(&slot, span, LLMLAB__HANDLE_SPAN);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_span_cost(slot->object, &cost);
    llmlab__handle_let_go(slot);
    if (status != LLMLAB_OK && status != LLMLAB_EUNPRICED &&
        status != LLMLAB_ENOUSAGE) {
        return status;
    }
    return llmlab__report_cost(&cost);
}
