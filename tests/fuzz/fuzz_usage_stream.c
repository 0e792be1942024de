/* A stream reads the same in whatever pieces it comes: the first byte of the
 * input chooses the format and the pieces, the rest is the stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llmlab/usage.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const told[][2] = {
    {NULL, NULL},
    {"openai", "chat_completions"},
    {"openai", "responses"},
    {"anthropic", "messages"},
    {"gemini", "stream_generate_content"},
    {"bedrock", "invoke_with_response_stream"},
    {"cohere", "chat"},
    {"ollama", "chat"},
};

static llmlab_status_t
read_in_steps(llmlab_reply_t *out, const char *const what[2],
              const uint8_t *data, size_t size, size_t step)
{
    llmlab_usage_stream_t *stream = llmlab_usage_stream_new(what[0], what[1]);
    llmlab_status_t status;

    if (stream == NULL) {
        abort();
    }
    for (size_t at = 0; at < size;) {
        /* Uneven pieces, and memory of exactly their size. */
        size_t part = step + at % 3;
        uint8_t *piece;

        part = part < size - at ? part : size - at;
        piece = malloc(part);
        if (piece == NULL) {
            abort();
        }
        memcpy(piece, data + at, part);
        (void)llmlab_usage_stream_feed(stream, piece, part);
        free(piece);
        at += part;
    }
    status = llmlab_usage_stream_reply(stream, out);
    llmlab_usage_stream_destroy(stream);
    return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    llmlab_reply_t whole;
    llmlab_reply_t split;
    const char *const *what;
    size_t step;

    if (size == 0) {
        return 0;
    }
    what = told[data[0] % 8];
    step = (size_t)data[0] / 8 + 1;
    if (read_in_steps(&whole, what, data + 1, size - 1, size) !=
            read_in_steps(&split, what, data + 1, size - 1, step) ||
        memcmp(&whole, &split, sizeof(whole)) != 0) {
        abort();
    }
    return 0;
}
