#include "delivery/wire_write.h"

#include <string.h>

#define STEP_ROOM ((size_t)2048)

static void
write_error(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    const llmlab__record_t *record = view->record;
    llmlab__json_out_t *json = &wire->json;

    if (record->outcome != LLMLAB_ERROR) {
        if (record->http_status != 0) {
            llmlab__wire_key(json, "http_status");
            llmlab__json_put_int(json, record->http_status);
        }
        return;
    }
    llmlab__wire_key(json, "error");
    llmlab__json_begin_object(json);
    llmlab__wire_item(wire, "type", view, LLMLAB__ITEM_ERROR_TYPE);
    llmlab__wire_item(wire, "code", view, LLMLAB__ITEM_ERROR_CODE);
    if (record->http_status != 0) {
        llmlab__wire_key(json, "http_status");
        llmlab__json_put_int(json, record->http_status);
    }
    llmlab__json_end_object(json);
}

static void
write_times(llmlab__wire_t *wire, const llmlab__record_t *record)
{
    llmlab__json_out_t *json = &wire->json;

    llmlab__wire_key(json, "start");
    llmlab__wire_time(wire, record->start_ns);
    llmlab__wire_key(json, "latency_ms");
    llmlab__wire_millionths(
        wire, llmlab__elapsed_ns(record->start_ns, record->end_ns));
    if (record->ttft_ns > 0) {
        llmlab__wire_key(json, "ttft_ms");
        llmlab__wire_millionths(wire, record->ttft_ns);
    }
    if ((record->flags & LLMLAB__RECORD_STREAM) != 0) {
        llmlab__wire_key(json, "stream");
        llmlab__json_put_bool(json, true);
    }
    if (record->attempt > 0) {
        llmlab__wire_key(json, "attempt");
        llmlab__json_put_uint(json, record->attempt);
    }
}

static void
write_model(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    llmlab__json_out_t *json = &wire->json;

    llmlab__wire_item(wire, "provider", view, LLMLAB__ITEM_PROVIDER);
    llmlab__wire_item(wire, "api", view, LLMLAB__ITEM_API);
    llmlab__wire_item(wire, "request_model", view, LLMLAB__ITEM_REQUEST_MODEL);
    llmlab__wire_item(wire, "model", view, LLMLAB__ITEM_MODEL);
    llmlab__wire_item(wire, "response_id", view, LLMLAB__ITEM_RESPONSE_ID);
    llmlab__wire_item(wire, "finish_reason", view, LLMLAB__ITEM_FINISH_REASON);
    llmlab__wire_item(wire, "service_tier", view, LLMLAB__ITEM_SERVICE_TIER);
    llmlab__wire_item(wire, "region", view, LLMLAB__ITEM_REGION);
    llmlab__wire_item(wire, "speed", view, LLMLAB__ITEM_SPEED);
    llmlab__wire_item(wire, "search_context", view,
                      LLMLAB__ITEM_SEARCH_CONTEXT);
    if ((view->record->flags & LLMLAB__RECORD_BATCH) != 0) {
        llmlab__wire_key(json, "batch");
        llmlab__json_put_bool(json, true);
    }
    if (llmlab__view_has(view, LLMLAB__ITEM_PROMPT_NAME)) {
        llmlab__wire_key(json, "prompt");
        llmlab__json_begin_object(json);
        llmlab__wire_item(wire, "name", view, LLMLAB__ITEM_PROMPT_NAME);
        llmlab__wire_item(wire, "version", view, LLMLAB__ITEM_PROMPT_VERSION);
        llmlab__json_end_object(json);
    }
}

static void
write_cost(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    const llmlab__record_t *record = view->record;
    llmlab__json_out_t *json = &wire->json;

    if (view->usage.present != 0) {
        llmlab__wire_key(json, "usage");
        llmlab__wire_usage(wire, &view->usage,
                           llmlab__view_text(view, LLMLAB__ITEM_PARTS));
        llmlab__wire_key(json, "usage_complete");
        llmlab__json_put_bool(
            json, (record->flags & LLMLAB__RECORD_USAGE_COMPLETE) != 0);
    }
    if (llmlab__view_has_cost(view)) {
        llmlab__wire_key(json, "cost");
        llmlab__wire_money(wire, view->cost);
    }
    if (llmlab__view_has_provider_cost(view)) {
        llmlab__wire_key(json, "provider_cost");
        llmlab__wire_money(wire, view->provider_cost);
    }
    if ((record->flags & LLMLAB__RECORD_CALL) != 0 ||
        record->cost_source != LLMLAB_COST_NONE) {
        llmlab__wire_cost_detail(wire, view);
    }
}

static void
write_fingerprint(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    llmlab__view_text_t whole =
        llmlab__view_text(view, LLMLAB__ITEM_FINGERPRINT);
    llmlab__view_text_t prefix = llmlab__view_text(view, LLMLAB__ITEM_PREFIX);

    if (whole.size > 0) {
        llmlab__wire_key(&wire->json, "fingerprint");
        llmlab__wire_hex(wire, whole.data, whole.size);
    }
    if (prefix.size > 0) {
        llmlab__wire_key(&wire->json, "prefix");
        llmlab__json_begin_array(&wire->json);
        for (size_t at = 0; at + 8 <= prefix.size; at += 8) {
            llmlab__wire_hex(wire, prefix.data + at, 8);
        }
        llmlab__json_end_array(&wire->json);
    }
}

/* pieces then the record's own item, as one string: a character may be cut
 * between two of them. */
static void
write_text(llmlab__wire_t *wire, const llmlab__span_view_t *view,
           llmlab__item_type_t type, const llmlab__buf_t *pieces)
{
    llmlab__view_text_t own = llmlab__view_text(view, type);
    llmlab__buf_t whole;

    if (pieces == NULL || pieces->size == 0) {
        llmlab__wire_string(&wire->json, own.data, own.size);
        return;
    }
    llmlab__buf_init(&whole);
    llmlab__buf_append(&whole, pieces->data, pieces->size);
    llmlab__buf_append(&whole, own.data, own.size);
    if (whole.failed) {
        wire->json.buf->failed = true;
    } else {
        llmlab__wire_string(&wire->json, (const char *)whole.data, whole.size);
    }
    llmlab__buf_cleanup(&whole);
}

static void
write_content(llmlab__wire_t *wire, const llmlab__span_view_t *view,
              const llmlab__buf_t *input, const llmlab__buf_t *output)
{
    if (llmlab__view_has(view, LLMLAB__ITEM_INPUT) ||
        (input != NULL && input->size > 0)) {
        llmlab__wire_key(&wire->json, "input");
        write_text(wire, view, LLMLAB__ITEM_INPUT, input);
    }
    if (llmlab__view_has(view, LLMLAB__ITEM_OUTPUT) ||
        (output != NULL && output->size > 0)) {
        llmlab__wire_key(&wire->json, "output");
        write_text(wire, view, LLMLAB__ITEM_OUTPUT, output);
    }
    llmlab__wire_item(wire, "tracestate", view, LLMLAB__ITEM_TRACESTATE);
    if ((view->record->flags & LLMLAB__RECORD_CUT) != 0) {
        llmlab__wire_key(&wire->json, "cut");
        llmlab__json_put_bool(&wire->json, true);
    }
}

void
llmlab__wire_attribute(llmlab__json_out_t *json,
                       const llmlab__item_view_t *item)
{
    int64_t integer;
    double number;

    switch (item->type) {
    case LLMLAB__ITEM_ATTR_STRING:
        llmlab__json_key_n(json, item->key, item->key_size);
        llmlab__wire_string(json, (const char *)item->value, item->value_size);
        break;
    case LLMLAB__ITEM_ATTR_INT:
        memcpy(&integer, item->value, sizeof(integer));
        llmlab__json_key_n(json, item->key, item->key_size);
        llmlab__json_put_int(json, integer);
        break;
    case LLMLAB__ITEM_ATTR_DOUBLE:
        memcpy(&number, item->value, sizeof(number));
        if (number - number == 0) { /* JSON has no infinity and no NaN */
            llmlab__json_key_n(json, item->key, item->key_size);
            llmlab__json_put_double(json, number);
        }
        break;
    case LLMLAB__ITEM_ATTR_BOOL:
        llmlab__json_key_n(json, item->key, item->key_size);
        llmlab__json_put_bool(json, item->value[0] != 0);
        break;
    default:
        break;
    }
}

static void
write_attributes(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    if (!view->has_attributes) {
        return;
    }
    llmlab__wire_key(&wire->json, "attributes");
    llmlab__json_begin_object(&wire->json);
    while (llmlab__record_next(view->record, &cursor, &item)) {
        llmlab__wire_attribute(&wire->json, &item);
    }
    llmlab__json_end_object(&wire->json);
}

void
llmlab__wire_step(llmlab__wire_t *wire, const llmlab__span_view_t *view,
                  const llmlab__buf_t *input, const llmlab__buf_t *output)
{
    const llmlab__record_t *record = view->record;
    llmlab__json_out_t *json = &wire->json;
    llmlab__view_text_t name = llmlab__view_text(view, LLMLAB__ITEM_NAME);

    /* Room for all that is short, so that it is asked for once. */
    (void)llmlab__buf_reserve(json->buf, STEP_ROOM);
    llmlab__json_begin_object(json);
    llmlab__wire_key(json, "span_id");
    llmlab__wire_id64(wire, record->span_id);
    if (record->parent_id != 0) {
        llmlab__wire_key(json, "parent_id");
        llmlab__wire_id64(wire, record->parent_id);
    }
    llmlab__wire_key(json, "n");
    llmlab__json_put_uint(json, view->number);
    llmlab__wire_key(json, "type");
    llmlab__wire_name(json, llmlab__kind_name(record->kind));
    llmlab__wire_key(json, "name");
    llmlab__wire_string(json, name.data, name.size);
    llmlab__wire_item(wire, "agent", view, LLMLAB__ITEM_AGENT);
    llmlab__wire_item(wire, "user", view, LLMLAB__ITEM_USER);
    llmlab__wire_item(wire, "session", view, LLMLAB__ITEM_SESSION);
    llmlab__wire_tags(wire, view);
    llmlab__wire_key(json, "status");
    llmlab__wire_name(json, llmlab__outcome_name(record->outcome));
    write_error(wire, view);
    write_times(wire, record);
    write_model(wire, view);
    write_cost(wire, view);
    write_fingerprint(wire, view);
    write_content(wire, view, input, output);
    write_attributes(wire, view);
    llmlab__json_end_object(json);
}
