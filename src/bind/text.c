#include "bind/text.h"

#include "base/alloc.h"
#include "base/status.h"
#include "bind/handle.h"

llmlab_bind_text_t
llmlab__text_of(llmlab__buf_t *buf)
{
    llmlab__slot_t *slot = NULL;

    llmlab__buf_append(buf, "", 1);
    if (!buf->failed) {
        slot = llmlab__handle_new(LLMLAB__HANDLE_TEXT, 0);
    }
    if (slot == NULL) {
        llmlab__buf_cleanup(buf);
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a text");
    }
    slot->object = buf->data;
    slot->size = buf->size - 1;
    llmlab__buf_init(buf);
    return llmlab__handle_publish(slot);
}

llmlab_bind_text_t
llmlab__text_copy(const char *data, size_t size)
{
    llmlab__buf_t buf;

    llmlab__buf_init(&buf);
    llmlab__buf_append(&buf, data, size);
    return llmlab__text_of(&buf);
}

const char *
llmlab_bind_text_data(llmlab_bind_text_t text, size_t *out_size)
{
    llmlab__slot_t *slot;
    const char *data;

    if (llmlab__handle_hold(&slot, text, LLMLAB__HANDLE_TEXT) != LLMLAB_OK) {
        if (out_size != NULL) {
            *out_size = 0;
        }
        return NULL;
    }
    data = slot->object;
    if (out_size != NULL) {
        *out_size = slot->size;
    }
    llmlab__handle_let_go(slot);
    return data;
}

llmlab_bind_status_t
llmlab_bind_text_free(llmlab_bind_text_t text)
{
    llmlab__slot_t *slot;
    llmlab_status_t status =
        llmlab__handle_hold(&slot, text, LLMLAB__HANDLE_TEXT);

    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab__free(slot->object);
    llmlab__handle_free(slot);
    return LLMLAB_OK;
}
