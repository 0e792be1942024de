#include <math.h>

#include "services/ingest_record.h"

#define FUTURE_NS (INT64_C(600) * 1000000000)

void
llmlab__ingest_score(llmlab__ingest_t *ingest)
{
    llmlab__json_t *json = &ingest->json;
    llmlab__arena_t *arena = &ingest->batch->arena;
    llmlab__score_row_t score = {0};
    llmlab__record_state_t record;
    llmlab__json_text_t key;
    unsigned seen = 0;

    llmlab__record_init(&record, ingest);
    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        llmlab__record_fault(&record, "", "type");
        llmlab__record_reject(&record);
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        llmlab__json_text_t number;
        uint64_t unused;

        if (llmlab__json_key_is(&key, "n")) {
            llmlab__record_fault(&record, "n",
                                 llmlab__field_number(json, &score.number));
            seen |= 1;
        } else if (llmlab__json_key_is(&key, "trace_id")) {
            llmlab__record_fault(&record, "trace_id",
                                 llmlab__field_id(json, 32, &score.trace_high,
                                                  &score.trace_low));
            seen |= 2;
        } else if (llmlab__json_key_is(&key, "span_id")) {
            if (!llmlab__json_null(json)) {
                llmlab__record_fault(
                    &record, "span_id",
                    llmlab__field_id(json, 16, &unused, &score.span_id));
            }
        } else if (llmlab__json_key_is(&key, "name")) {
            llmlab__record_fault(&record, "name",
                                 llmlab__field_text(json, arena,
                                                    LLMLAB__LABEL_MAX,
                                                    &score.name));
            seen |= score.name.size > 0 ? 4 : 0;
        } else if (llmlab__json_key_is(&key, "at")) {
            llmlab__record_fault(&record, "at",
                                 llmlab__field_time(json, &score.at_ns));
            if (score.at_ns > ingest->batch->now_ns + FUTURE_NS) {
                llmlab__record_fault(&record, "at", "in_future");
            }
            seen |= 8;
        } else if (llmlab__json_key_is(&key, "value")) {
            if (llmlab__json_number(json, &number)) {
                score.value = llmlab__json_double(&number);
                score.has_value = true;
                llmlab__record_fault(&record, "value",
                                     isfinite(score.value) ? NULL : "range");
            } else if (!llmlab__json_null(json)) {
                llmlab__json_skip(json);
                llmlab__record_fault(&record, "value", "type");
            }
        } else if (llmlab__json_key_is(&key, "label")) {
            llmlab__record_fault(&record, "label",
                                 llmlab__field_text(json, arena,
                                                    LLMLAB__NAME_MAX,
                                                    &score.label));
        } else if (llmlab__json_key_is(&key, "source")) {
            llmlab__record_fault(&record, "source",
                                 llmlab__field_text(json, arena,
                                                    LLMLAB__LABEL_MAX,
                                                    &score.source));
        } else if (llmlab__json_key_is(&key, "version")) {
            llmlab__record_fault(&record, "version",
                                 llmlab__field_text(json, arena,
                                                    LLMLAB__LABEL_MAX,
                                                    &score.version));
        } else if (llmlab__json_key_is(&key, "comment")) {
            llmlab__record_fault(&record, "comment",
                                 llmlab__field_text(json, arena,
                                                    LLMLAB__NAME_MAX,
                                                    &score.comment));
        } else {
            llmlab__json_skip(json);
        }
    }
    if (seen != 15) {
        llmlab__record_fault(&record,
                             !(seen & 1)   ? "n"
                             : !(seen & 2) ? "trace_id"
                             : !(seen & 4) ? "name"
                                           : "at",
                             "missing");
    }
    record.row.number = score.number;
    record.row.span_id = score.span_id;
    if (record.bad != NULL) {
        llmlab__record_reject(&record);
    } else {
        llmlab__score_row_t *row = llmlab__batch_add_score(ingest->batch);

        if (row == NULL) {
            ingest->failed = true;
        } else {
            *row = score;
        }
    }
}
