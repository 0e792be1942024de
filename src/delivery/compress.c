#include "delivery/compress.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

#define GZIP_WINDOW  (15 + 16)
#define MEMORY_LEVEL 7 /* half of what 8 takes, for 1 % more bytes */
#define PIECE        ((size_t)1 << 30) /* zlib counts in unsigned int */

static void *
stream_alloc(void *payload, uInt count, uInt size)
{
    (void)payload;
    /* Not zeroed: a small batch then touches few of the pages. */
    return llmlab__alloc((size_t)count * size);
}

static void
stream_free(void *payload, void *memory)
{
    (void)payload;
    llmlab__free(memory);
}

void
llmlab__compressor_init(llmlab__compressor_t *compressor, int level)
{
    memset(compressor, 0, sizeof(*compressor));
    compressor->level = level;
}

void
llmlab__compressor_cleanup(llmlab__compressor_t *compressor)
{
    if (compressor->ready) {
        deflateEnd(&compressor->stream);
    }
    compressor->ready = false;
}

/* The stream takes a quarter of a MiB, so it is made for the first batch. */
static bool
make_ready(llmlab__compressor_t *compressor)
{
    z_stream *stream = &compressor->stream;

    if (compressor->ready) {
        return deflateReset(stream) == Z_OK;
    }
    stream->zalloc = stream_alloc;
    stream->zfree = stream_free;
    compressor->ready =
        deflateInit2(stream, compressor->level, Z_DEFLATED, GZIP_WINDOW,
                     MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    return compressor->ready;
}

bool
llmlab__compress(llmlab__compressor_t *compressor, const void *bytes,
                 size_t size, llmlab__buf_t *out)
{
    z_stream *stream = &compressor->stream;
    size_t room;

    llmlab__buf_clear(out);
    if (size > PIECE || !make_ready(compressor)) {
        return false;
    }
    room = deflateBound(stream, (uLong)size);
    /* Text shrinks to a fifth; reserving the bound would keep memory that
     * only noise would need. */
    if (room > size / 2 + 4096) {
        room = size / 2 + 4096;
    }
    stream->next_in = (Bytef *)(uintptr_t)bytes;
    stream->avail_in = (uInt)size;
    for (;;) {
        unsigned char *at = llmlab__buf_reserve(out, room);
        int result;

        if (at == NULL) {
            return false;
        }
        stream->next_out = at;
        stream->avail_out = (uInt)room;
        result = deflate(stream, Z_FINISH);
        out->size += room - stream->avail_out;
        if (result == Z_STREAM_END) {
            return true;
        }
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return false;
        }
        room = size / 2 + 4096;
    }
}
