/* Readers of streamed replies. */
#include <llmlab/usage.h>

#include "base/status.h"
#include "bind/cstrings.h"
#include "bind/handle.h"
#include "bind/llmlab_bind.h"
#include "bind/report.h"

llmlab_bind_stream_t
llmlab_bind_stream_new(const char *provider, size_t provider_size,
                       const char *api, size_t api_size)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot = llmlab__handle_new(LLMLAB__HANDLE_STREAM, 0);

    if (slot == NULL) {
        return LLMLAB_ENOMEM;
    }
    llmlab__cstrings_init(&strings);
    slot->object = llmlab_usage_stream_new(
        llmlab__cstring(&strings, provider, provider_size),
        llmlab__cstring(&strings, api, api_size));
    llmlab__cstrings_cleanup(&strings);
    if (slot->object == NULL) {
        llmlab__handle_free(slot);
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a stream reader");
    }
    return llmlab__handle_publish(slot);
}

int
llmlab_bind_stream_feed(int64_t stream, const char *bytes, size_t bytes_size)
{
    llmlab__slot_t *slot;
    int result = llmlab__handle_hold(&slot, stream, LLMLAB__HANDLE_STREAM);

    if (result == LLMLAB_OK) {
        result = llmlab_usage_stream_feed(slot->object, bytes, bytes_size);
        if (result == LLMLAB_OK) {
            result = llmlab_usage_stream_started(slot->object);
        }
        llmlab__handle_let_go(slot);
    }
    return result;
}

llmlab_bind_text_t
llmlab_bind_stream_reply(int64_t stream)
{
    llmlab_reply_t reply;
    llmlab__slot_t *slot;
    llmlab_status_t status =
        llmlab__handle_hold(&slot, stream, LLMLAB__HANDLE_STREAM);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_usage_stream_reply(slot->object, &reply);
    llmlab__handle_let_go(slot);
    return llmlab__report_reply(&reply, status, NULL);
}

llmlab_bind_status_t
llmlab_bind_stream_destroy(int64_t stream)
{
    llmlab__slot_t *slot;
    llmlab_status_t status =
        llmlab__handle_hold(&slot, stream, LLMLAB__HANDLE_STREAM);

    if (status == LLMLAB_OK) {
        llmlab_usage_stream_destroy(slot->object);
        llmlab__handle_free(slot);
    }
    return status;
}
