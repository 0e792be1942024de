#include "http/inflate.h"

#include <string.h>

#define STEP        (64 * 1024)
#define GZIP_WINDOW (15 + 16)

void
llmlab__inflate_begin(llmlab__inflate_t *state, size_t limit)
{
    state->limit = limit;
    state->status = LLMLAB__INFLATE_MORE;
    if (state->ready) {
        (void)inflateReset(&state->stream);
        return;
    }
    memset(&state->stream, 0, sizeof(state->stream));
    state->ready = inflateInit2(&state->stream, GZIP_WINDOW) == Z_OK;
    if (!state->ready) {
        state->status = LLMLAB__INFLATE_NO_MEMORY;
    }
}

llmlab__inflate_status_t
llmlab__inflate_feed(llmlab__inflate_t *state, const void *bytes, size_t size,
                     llmlab__buf_t *out)
{
    z_stream *stream = &state->stream;

    if (state->status == LLMLAB__INFLATE_DONE && size > 0) {
        state->status = LLMLAB__INFLATE_BAD;
    }
    if (state->status != LLMLAB__INFLATE_MORE) {
        return state->status;
    }
    stream->next_in = (z_const Bytef *)bytes;
    stream->avail_in = (uInt)size;
    while (state->status == LLMLAB__INFLATE_MORE) {
        size_t room = state->limit - out->size;
        size_t step = room < STEP ? room + 1 : STEP; /* one past the limit */
        unsigned char *to = llmlab__buf_reserve(out, step);
        int code;

        if (to == NULL) {
            return state->status = LLMLAB__INFLATE_NO_MEMORY;
        }
        stream->next_out = to;
        stream->avail_out = (uInt)step;
        code = inflate(stream, Z_NO_FLUSH);
        out->size += step - stream->avail_out;
        if (out->size > state->limit) {
            state->status = LLMLAB__INFLATE_TOO_BIG;
        } else if (code == Z_STREAM_END) {
            state->status = stream->avail_in == 0 ? LLMLAB__INFLATE_DONE
                                                  : LLMLAB__INFLATE_BAD;
        } else if (code == Z_MEM_ERROR) {
            state->status = LLMLAB__INFLATE_NO_MEMORY;
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            state->status = LLMLAB__INFLATE_BAD;
        } else if (stream->avail_in == 0 && stream->avail_out > 0) {
            break; /* all that can come out has */
        }
    }
    return state->status;
}

void
llmlab__inflate_cleanup(llmlab__inflate_t *state)
{
    if (state->ready) {
        (void)inflateEnd(&state->stream);
        state->ready = false;
    }
}
