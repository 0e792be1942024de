#include "services/ingest_step.h"

#include <string.h>

#include "services/ingest_record.h"

/* In the order in which our own client writes them: the next member is then
 * found at once. */
static const llmlab__field_row_t step_fields[] = {
    LLMLAB__FIELD("span_id", SPAN_ID, true),
    LLMLAB__FIELD("parent_id", PARENT_ID, false),
    LLMLAB__FIELD("n", NUMBER, true),
    LLMLAB__FIELD("type", TYPE, true),
    LLMLAB__FIELD("name", NAME, true),
    LLMLAB__FIELD("agent", AGENT, false),
    LLMLAB__FIELD("user", USER, false),
    LLMLAB__FIELD("session", SESSION, false),
    LLMLAB__FIELD("tags", TAGS, false),
    LLMLAB__FIELD("status", STATUS, true),
    LLMLAB__FIELD("error", OBJECT, false),
    LLMLAB__FIELD("http_status", INTEGER, false),
    LLMLAB__FIELD("start", START, true),
    LLMLAB__FIELD("latency_ms", LATENCY, true),
    LLMLAB__FIELD("ttft_ms", TTFT, false),
    LLMLAB__FIELD("stream", BOOL, false),
    LLMLAB__FIELD("attempt", INTEGER, false),
    LLMLAB__FIELD("provider", PROVIDER, false),
    LLMLAB__FIELD("api", STRING, false),
    LLMLAB__FIELD("request_model", STRING, false),
    LLMLAB__FIELD("model", MODEL, false),
    LLMLAB__FIELD("response_id", STRING, false),
    LLMLAB__FIELD("finish_reason", STRING, false),
    LLMLAB__FIELD("service_tier", STRING, false),
    LLMLAB__FIELD("region", STRING, false),
    LLMLAB__FIELD("speed", STRING, false),
    LLMLAB__FIELD("search_context", STRING, false),
    LLMLAB__FIELD("batch", BOOL, false),
    LLMLAB__FIELD("prompt", OBJECT, false),
    LLMLAB__FIELD("usage", USAGE, false),
    LLMLAB__FIELD("usage_complete", BOOL, false),
    LLMLAB__FIELD("cost", COST, false),
    LLMLAB__FIELD("cost_detail", COST_DETAIL, false),
    LLMLAB__FIELD("provider_cost", PROVIDER_COST, false),
    LLMLAB__FIELD("fingerprint", STRING, false),
    LLMLAB__FIELD("prefix", ARRAY, false),
    LLMLAB__FIELD("input", STRING, false),
    LLMLAB__FIELD("output", STRING, false),
    LLMLAB__FIELD("tracestate", STRING, false),
    LLMLAB__FIELD("cut", BOOL, false),
    LLMLAB__FIELD("attributes", OBJECT, false),
};
#define STEP_FIELDS (sizeof(step_fields) / sizeof(step_fields[0]))

static void
detail_write(llmlab__record_state_t *record)
{
    char *text = llmlab__arena_alloc(&record->ingest->batch->arena,
                                     record->detail_size + 1);
    char *at = text;

    if (text == NULL) {
        record->ingest->failed = true;
        return;
    }
    for (size_t i = 0; i < record->detail_count; i++) {
        const llmlab__field_row_t *field = record->detail[i].field;

        if (i > 0) {
            *at++ = ',';
        }
        *at++ = '"';
        memcpy(at, field->name, field->size);
        at += field->size;
        *at++ = '"';
        *at++ = ':';
        memcpy(at, record->detail[i].text.data, record->detail[i].text.size);
        at += record->detail[i].text.size;
    }
    record->row.detail.data = text;
    record->row.detail.size = (size_t)(at - text);
}

void
llmlab__ingest_step(llmlab__ingest_t *ingest)
{
    llmlab__record_state_t record;
    llmlab__row_t *row;

    llmlab__record_init(&record, ingest);
    llmlab__record_read(&record, step_fields, STEP_FIELDS);
    record.facts.is_call = llmlab__record_is_call(&record);
    if (record.facts.has_usage && record.facts.usage_source == 0) {
        record.facts.usage_source = LLMLAB_USAGE_PROVIDER;
    }
    if (record.bad == NULL && record.row.name.data == NULL) {
        llmlab__record_fault(&record, "name", "type");
    }
    if (record.bad == NULL &&
        !llmlab__step_price(&record.row, &record.facts, ingest->book)) {
        llmlab__record_fault(&record, "cost", "range");
    }
    if (record.bad != NULL) {
        llmlab__record_reject(&record);
        return;
    }
    detail_write(&record);
    row = llmlab__batch_add_row(ingest->batch);
    if (row == NULL) {
        ingest->failed = true;
        return;
    }
    *row = record.row;
}

void
llmlab__ingest_settle(llmlab__ingest_t *ingest, size_t first,
                      size_t first_rejection,
                      const llmlab__trace_defaults_t *defaults)
{
    llmlab__batch_t *batch = ingest->batch;

    for (size_t i = first; i < batch->row_count; i++) {
        llmlab__row_t *row = &batch->rows[i];

        row->trace_high = defaults->trace_high;
        row->trace_low = defaults->trace_low;
        if (row->agent.size == 0) {
            row->agent = defaults->agent;
        }
        if (row->user.size == 0) {
            row->user = defaults->user;
        }
        if (row->session.size == 0) {
            row->session = defaults->session;
        }
        if (row->tags.size == 0) {
            row->tags = defaults->tags;
        }
    }
    for (size_t i = first_rejection; i < batch->rejection_count; i++) {
        batch->rejections[i].has_trace = true;
        batch->rejections[i].trace_high = defaults->trace_high;
        batch->rejections[i].trace_low = defaults->trace_low;
    }
}
