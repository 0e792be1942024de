/* Any bytes as records in a segment, as a process finds them that another
 * left: what passes the check becomes JSON, whatever it says. The input is a
 * run of records, each behind its size in two bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_scan.h"
#include "delivery/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}

static void
take_records(const uint8_t *data, size_t size, llmlab__segments_t *segments,
             llmlab__batch_t *batch)
{
    static _Alignas(8) unsigned char bytes[65536];

    while (size >= 2) {
        size_t length = (size_t)(data[0] | data[1] << 8);
        const llmlab__record_t *record = (const void *)bytes;
        llmlab__segment_cursor_t start;
        uint64_t number;

        data += 2;
        size -= 2;
        length = length > size ? size : length;
        memcpy(bytes, data, length);
        data += length;
        size -= length;
        if (!llmlab__record_check(bytes, (uint32_t)length)) {
            continue;
        }
        number = record->type == LLMLAB__RECORD_CHUNK
                     ? 0
                     : batch->first + batch->count++;
        require(llmlab__segments_append(segments, record, number, 7, &start,
                                        &batch->end));
        if (batch->start.segment == NULL) {
            batch->start = start;
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const llmlab__segment_owner_t owner = {.instance = "fuzz"};
    static const llmlab__sender_t sender = {"c", "instance", "", "", ""};
    llmlab__segments_t segments;
    llmlab__batch_t batch;
    llmlab__encoder_t encoder;
    llmlab__json_t json;
    llmlab_stats_t totals;

    llmlab__segments_init(&segments, &owner, 262144);
    llmlab__encoder_init(&encoder);
    llmlab_stats_init(&totals);
    memset(&batch, 0, sizeof(batch));
    batch.first = 1;
    take_records(data, size, &segments, &batch);
    if (batch.count > 0) {
        require(llmlab__encode(&encoder, &sender, &batch, &totals, 0));
        require(encoder.corrupt == 0);
        llmlab__json_init(&json, (const char *)encoder.json.data,
                          encoder.json.size);
        require(llmlab__json_skip(&json) && llmlab__json_at_end(&json));
    }
    llmlab__encoder_cleanup(&encoder);
    llmlab__segments_cleanup(&segments);
    return 0;
}
