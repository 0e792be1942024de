/* llmlab-test: link=llmlab_server_core
 *
 * The ingest parser on foreign bytes: the body as it is, and inflated first
 * when it begins like gzip. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/inflate.h"
#include "services/ingest.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static llmlab__batch_t *batch;
    static llmlab__inflate_t inflate;
    llmlab__limits_t limits;
    llmlab__problem_t problem;

    if (batch == NULL) {
        batch = llmlab__batch_new();
    }
    if (batch == NULL) {
        return 0;
    }
    llmlab__batch_clear(batch);
    llmlab__limits_init(&limits);
    limits.max_inflated = 1 << 20;
    batch->now_ns = INT64_C(1787300000000000000);
    batch->any_time = size > 0 && (data[size - 1] & 1) != 0;
    if (size > 2 && data[0] == 0x1f && data[1] == 0x8b) {
        llmlab__inflate_begin(&inflate, limits.max_inflated);
        (void)llmlab__inflate_feed(&inflate, data, size, &batch->body);
        if (batch->body.size > limits.max_inflated + 1) {
            abort();
        }
    } else {
        llmlab__buf_append(&batch->body, data, size);
    }
    if (llmlab__ingest_parse(batch, &limits, NULL, &problem)) {
        for (size_t i = 0; i < batch->row_count; i++) {
            const llmlab__row_t *row = &batch->rows[i];

            if (row->verdict != LLMLAB__ROW_REJECTED &&
                (row->span_id == 0 || row->number < batch->first ||
                 row->name.data == NULL || row->start_ns < 0 ||
                 row->sums.of[LLMLAB__SUM_COST_REST] > 999999)) {
                abort();
            }
        }
    } else if (problem.status < 400 || problem.type == NULL) {
        abort();
    }
    return 0;
}
