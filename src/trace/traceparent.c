/* W3C trace context: 00-<trace id>-<parent id>-<flags>. */
#include <string.h>

#include "base/id.h"
#include "trace/span.h"

#define SIZE (LLMLAB_TRACEPARENT_TEXT - 1)

/* Upper-case digits are not legal here. */
static bool
is_lower_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((text[i] < '0' || text[i] > '9') &&
            (text[i] < 'a' || text[i] > 'f')) {
            return false;
        }
    }
    return true;
}

bool
llmlab__traceparent_parse(llmlab_text_t header, uint64_t trace_id[2],
                          uint64_t *span_id)
{
    const char *text = header.data;

    if (header.size != SIZE || memcmp(text, "00-", 3) != 0 || text[35] != '-' ||
        text[52] != '-' || !is_lower_hex(text + 3, 32) ||
        !is_lower_hex(text + 36, 16) || !is_lower_hex(text + 53, 2)) {
        return false;
    }
    if (llmlab__unhex64(text + 3, &trace_id[0]) != 0 ||
        llmlab__unhex64(text + 19, &trace_id[1]) != 0 ||
        llmlab__unhex64(text + 36, span_id) != 0) {
        return false;
    }
    return (trace_id[0] | trace_id[1]) != 0 && *span_id != 0;
}

llmlab_status_t
llmlab_span_traceparent(const llmlab_span_t *span,
                        char out[LLMLAB_TRACEPARENT_TEXT])
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (out == NULL) {
        return LLMLAB_EINVAL;
    }
    out[0] = '\0';
    if (status != LLMLAB_OK) {
        return status;
    }
    memcpy(out, "00-", 3);
    llmlab__hex64(span->record.trace_id[0], out + 3);
    llmlab__hex64(span->record.trace_id[1], out + 19);
    out[35] = '-';
    llmlab__hex64(span->record.span_id, out + 36);
    memcpy(out + 52, span->sampled ? "-01" : "-00", 4);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_span_ids(const llmlab_span_t *span, char trace_id[33], char span_id[17])
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (trace_id == NULL || span_id == NULL) {
        return LLMLAB_EINVAL;
    }
    trace_id[0] = span_id[0] = '\0';
    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab__hex64(span->record.trace_id[0], trace_id);
    llmlab__hex64(span->record.trace_id[1], trace_id + 16);
    llmlab__hex64(span->record.span_id, span_id);
    trace_id[32] = span_id[16] = '\0';
    return LLMLAB_OK;
}
