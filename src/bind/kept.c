#include "bind/kept.h"

#include "base/alloc.h"
#include "base/json_write.h"
#include "bind/handle.h"
#include "bind/llmlab_bind.h"
#include "bind/text.h"
#include "trace/span.h"

llmlab__kept_t *
llmlab__kept_new(const llmlab_span_t *span)
{
    const llmlab__items_t *identity = &span->identity;
    llmlab__kept_t *kept = llmlab__alloc(sizeof *kept + identity->used);

    if (kept != NULL) {
        llmlab_span_traceparent(span, kept->traceparent);
        kept->identity_size = identity->used;
        memcpy(kept->identity, identity->data, identity->used);
    }
    return kept;
}

void
llmlab__kept_inherit(const llmlab__kept_t *kept, llmlab_span_t *span)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    while (span != NULL &&
           llmlab__item_next(kept->identity, kept->identity_size, &cursor,
                             &item)) {
        const char *text = (const char *)item.value;

        if (item.type == LLMLAB__ITEM_TAG) {
            llmlab_span_add_tag(span, text, item.value_size);
        } else if (item.type == LLMLAB__ITEM_USER) {
            llmlab_span_set_user(span, text, item.value_size);
        } else if (item.type == LLMLAB__ITEM_SESSION) {
            llmlab_span_set_session(span, text, item.value_size);
        } else if (span->record.kind != LLMLAB_SPAN_AGENT) {
            llmlab_span_set_agent(span, text, item.value_size);
        }
    }
}

static void
put_word(llmlab__json_out_t *out, const llmlab__item_view_t *item)
{
    const char *text = (const char *)item->value;

    if (item->type == LLMLAB__ITEM_AGENT) {
        llmlab__json_key(out, "agent");
    } else if (item->type == LLMLAB__ITEM_USER) {
        llmlab__json_key(out, "user");
    } else {
        llmlab__json_key(out, "session");
    }
    llmlab__json_put_string(out, text, item->value_size);
}

/* {"agent","user","session","tags":[]} of a run of items. */
static void
put_identity(llmlab__json_out_t *out, const unsigned char *items, uint32_t size)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    llmlab__json_begin_object(out);
    while (llmlab__item_next(items, size, &cursor, &item)) {
        if (item.type != LLMLAB__ITEM_TAG) {
            put_word(out, &item);
        }
    }
    llmlab__json_key(out, "tags");
    llmlab__json_begin_array(out);
    cursor = 0;
    while (llmlab__item_next(items, size, &cursor, &item)) {
        if (item.type == LLMLAB__ITEM_TAG) {
            llmlab__json_put_string(out, (const char *)item.value,
                                    item.value_size);
        }
    }
    llmlab__json_end_array(out);
    llmlab__json_end_object(out);
}

llmlab_bind_text_t
llmlab_bind_identity(int64_t span)
{
    llmlab__buf_t buf;
    llmlab__json_out_t out;
    llmlab__slot_t *slot;
    llmlab_status_t status = llmlab__handle_hold(
        &slot, span, LLMLAB__HANDLE_SPAN | LLMLAB__HANDLE_KEPT);

    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    if (slot->kind == LLMLAB__HANDLE_SPAN) {
        const llmlab_span_t *held = slot->object;

        put_identity(&out, held->identity.data, held->identity.used);
    } else {
        const llmlab__kept_t *kept = slot->object;

        put_identity(&out, kept->identity, kept->identity_size);
    }
    llmlab__handle_let_go(slot);
    return llmlab__text_of(&buf);
}
