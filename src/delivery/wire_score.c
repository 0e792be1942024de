#include "delivery/wire_write.h"

void
llmlab__wire_score(llmlab__wire_t *wire, const llmlab__record_t *record,
                   uint64_t number)
{
    llmlab__json_out_t *json = &wire->json;
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    llmlab__json_begin_object(json);
    llmlab__wire_key(json, "n");
    llmlab__json_put_uint(json, number);
    llmlab__wire_key(json, "trace_id");
    llmlab__wire_trace_id(wire, record->trace_id);
    if (record->span_id != 0) {
        llmlab__wire_key(json, "span_id");
        llmlab__wire_id64(wire, record->span_id);
    }
    llmlab__wire_key(json, "at");
    llmlab__wire_time(wire, record->start_ns);
    while (llmlab__record_next(record, &cursor, &item)) {
        if (item.type == LLMLAB__ITEM_NAME) {
            llmlab__wire_key(json, "name");
            llmlab__wire_string(json, (const char *)item.value,
                                item.value_size);
        } else {
            llmlab__wire_attribute(json, &item);
        }
    }
    llmlab__json_end_object(json);
}
