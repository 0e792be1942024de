/* Whole bodies and streams, by the same reader. */
#include <llmlab/usage.h>

#include "base/alloc.h"
#include "base/status.h"
#include "usage/reader.h"

struct llmlab_usage_stream_s {
    llmlab__reader_t reader;
};

static llmlab_status_t
read_whole(llmlab__reader_t *reader, llmlab_reply_t *out, const char *provider,
           const char *api, const void *body, size_t size, bool measures)
{
    llmlab__reader_init(reader, provider, api, measures);
    llmlab__reader_feed(reader, body, size);
    llmlab__reader_finish(reader);
    return llmlab__reader_reply(reader, out);
}

llmlab_status_t
llmlab_usage_read(llmlab_reply_t *out, const char *provider, const char *api,
                  const void *body, size_t size)
{
    llmlab__reader_t reader;
    llmlab_status_t status;

    if (out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "out is NULL");
    }
    if (body == NULL && size > 0) {
        llmlab__reader_init(&reader, provider, api, false);
        *out = reader.facts.reply;
        return llmlab__fail(LLMLAB_EINVAL, "body is NULL");
    }
    status = read_whole(&reader, out, provider, api, body, size, false);
    if (out->usage_source == LLMLAB_USAGE_NONE && reader.started) {
        /* Only what nobody counted is measured. */
        status = read_whole(&reader, out, provider, api, body, size, true);
    }
    return status;
}

llmlab_usage_stream_t *
llmlab_usage_stream_new(const char *provider, const char *api)
{
    llmlab_usage_stream_t *stream = llmlab__alloc(sizeof(*stream));

    if (stream == NULL) {
        (void)llmlab__fail(LLMLAB_ENOMEM, "a stream reader needs %zu bytes",
                           sizeof(*stream));
        return NULL;
    }
    llmlab__reader_init(&stream->reader, provider, api, true);
    return stream;
}

void
llmlab_usage_stream_reset(llmlab_usage_stream_t *stream, const char *provider,
                          const char *api)
{
    if (stream != NULL) {
        llmlab__reader_init(&stream->reader, provider, api, true);
    }
}

llmlab_status_t
llmlab_usage_stream_feed(llmlab_usage_stream_t *stream, const void *bytes,
                         size_t size)
{
    llmlab_status_t before;

    if (stream == NULL || (bytes == NULL && size > 0)) {
        return llmlab__fail(LLMLAB_EINVAL, "%s is NULL",
                            stream == NULL ? "stream" : "bytes");
    }
    before = stream->reader.facts.fault.status;
    llmlab__reader_feed(&stream->reader, bytes, size);
    if (before == LLMLAB_OK && stream->reader.facts.fault.status != LLMLAB_OK) {
        return llmlab__reader_status(&stream->reader);
    }
    return LLMLAB_OK;
}

int
llmlab_usage_stream_started(const llmlab_usage_stream_t *stream)
{
    return stream != NULL && stream->reader.started;
}

llmlab_status_t
llmlab_usage_stream_reply(const llmlab_usage_stream_t *stream,
                          llmlab_reply_t *out)
{
    if (stream == NULL || out == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "%s is NULL",
                            stream == NULL ? "stream" : "out");
    }
    return llmlab__reader_reply(&stream->reader, out);
}

void
llmlab_usage_stream_destroy(llmlab_usage_stream_t *stream)
{
    llmlab__free(stream);
}
