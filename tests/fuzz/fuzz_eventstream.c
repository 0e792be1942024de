/* AWS's event stream: raw bytes, and frames made right around them, so that
 * headers and payloads are reached behind both CRCs. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <llmlab/usage.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_u32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static void
compare(const uint8_t *bytes, size_t size)
{
    llmlab_usage_stream_t *stream =
        llmlab_usage_stream_new("bedrock", "converse_stream");
    llmlab_reply_t whole;
    llmlab_reply_t split;

    if (stream == NULL) {
        abort();
    }
    (void)llmlab_usage_stream_feed(stream, bytes, size);
    (void)llmlab_usage_stream_reply(stream, &whole);
    llmlab_usage_stream_reset(stream, "bedrock", "converse_stream");
    for (size_t i = 0; i < size; i++) {
        (void)llmlab_usage_stream_feed(stream, bytes + i, 1);
    }
    (void)llmlab_usage_stream_reply(stream, &split);
    if (memcmp(&whole, &split, sizeof(whole)) != 0) {
        abort();
    }
    llmlab_usage_stream_destroy(stream);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frame;
    size_t headers;

    compare(data, size);
    if (size < 1) {
        return 0;
    }
    frame = malloc(size + 16);
    if (frame == NULL) {
        abort();
    }
    headers = data[0] % size; /* the rest is the payload */
    put_u32(frame, (uint32_t)size - 1 + 16);
    put_u32(frame + 4, (uint32_t)headers);
    put_u32(frame + 8, (uint32_t)crc32(0, frame, 8));
    memcpy(frame + 12, data + 1, size - 1);
    put_u32(frame + 12 + size - 1,
            (uint32_t)crc32(0, frame, (uInt)(12 + size - 1)));
    compare(frame, size - 1 + 16);
    free(frame);
    return 0;
}
