#include <llmlab/span.h>

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "bind/client.h"
#include "bind/cstrings.h"
#include "bind/document.h"
#include "bind/handle.h"
#include "bind/kept.h"
#include "bind/llmlab_bind.h"
#include "bind/report.h"
#include "bind/text.h"

/* Do one thing to the span of a handle and return its status. */
#define RETURN_ON_SPAN(handle, call)                                   \
    do {                                                               \
        llmlab__slot_t *slot;                                          \
        llmlab_status_t status =                                       \
            llmlab__handle_hold(&slot, (handle), LLMLAB__HANDLE_SPAN); \
                                                                       \
        if (status == LLMLAB_OK) {                                     \
            llmlab_span_t *held = slot->object;                        \
                                                                       \
            status = (call);                                           \
            llmlab__handle_let_go(slot);                               \
        }                                                              \
        return status;                                                 \
    } while (0)

static llmlab_span_t *
start_remote(llmlab_client_t *client, const char *traceparent, const char *name,
             size_t name_size, int kind)
{
    llmlab__cstrings_t strings;
    llmlab_span_t *span;

    llmlab__cstrings_init(&strings);
    span = llmlab_span_start_remote(client, traceparent,
                                    llmlab__cstring(&strings, name, name_size),
                                    (llmlab_span_kind_t)kind);
    llmlab__cstrings_cleanup(&strings);
    return span;
}

/* Start below a handle's span, which is held meanwhile. */
static llmlab_status_t
start_below(llmlab_span_t **out, llmlab_client_t *client, int client_handle,
            int64_t parent_handle, const char *name, size_t name_size, int kind)
{
    llmlab__slot_t *parent;
    llmlab_status_t status = llmlab__handle_hold(
        &parent, parent_handle, LLMLAB__HANDLE_SPAN | LLMLAB__HANDLE_KEPT);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (atomic_load_explicit(&parent->client, memory_order_relaxed) !=
        client_handle) {
        status =
            llmlab__fail(LLMLAB_EINVAL, "the parent span is of another client");
    } else if (parent->kind == LLMLAB__HANDLE_SPAN) {
        *out = llmlab_span_start_n(client, parent->object, name, name_size,
                                   (llmlab_span_kind_t)kind);
    } else {
        const llmlab__kept_t *kept = parent->object;

        *out = start_remote(client, kept->traceparent, name, name_size, kind);
        llmlab__kept_inherit(kept, *out);
    }
    llmlab__handle_let_go(parent);
    return status;
}

/* A new slot turned into a started span's handle, 0 for a NULL span. */
static int64_t
publish(llmlab__slot_t *slot, llmlab_span_t *span, llmlab_status_t status)
{
    if (status != LLMLAB_OK || span == NULL) {
        llmlab__handle_free(slot);
        return status == LLMLAB_EDISABLED ? 0 : status;
    }
    slot->object = span;
    return llmlab__handle_publish(slot);
}

llmlab_bind_span_t
llmlab_bind_begin(int client, int64_t parent, const char *name,
                  size_t name_size, int kind)
{
    llmlab__slot_t *slot;
    llmlab_client_t *owner;
    llmlab_span_t *span = NULL;
    llmlab_status_t status;

    if ((unsigned)kind >= LLMLAB_SPAN_KINDS) {
        return llmlab__fail(LLMLAB_EINVAL, "no such kind of span: %d", kind);
    }
    slot = llmlab__handle_new(LLMLAB__HANDLE_SPAN, client);
    if (slot == NULL) {
        return LLMLAB_ENOMEM;
    }
    status = llmlab__bind_client_get(&owner, client);
    if (status == LLMLAB_OK) {
        if (parent == 0) {
            span = llmlab_span_start_n(owner, NULL, name, name_size,
                                       (llmlab_span_kind_t)kind);
        } else {
            status = start_below(&span, owner, client, parent, name, name_size,
                                 kind);
        }
    }
    return publish(slot, span, status);
}

llmlab_bind_span_t
llmlab_bind_begin_remote(int client, const char *traceparent,
                         size_t traceparent_size, const char *name,
                         size_t name_size, int kind)
{
    llmlab__cstrings_t strings;
    llmlab__slot_t *slot;
    llmlab_client_t *owner;
    llmlab_span_t *span = NULL;
    llmlab_status_t status;

    if ((unsigned)kind >= LLMLAB_SPAN_KINDS) {
        return llmlab__fail(LLMLAB_EINVAL, "no such kind of span: %d", kind);
    }
    slot = llmlab__handle_new(LLMLAB__HANDLE_SPAN, client);
    if (slot == NULL) {
        return LLMLAB_ENOMEM;
    }
    status = llmlab__bind_client_get(&owner, client);
    if (status == LLMLAB_OK) {
        llmlab__cstrings_init(&strings);
        span = start_remote(
            owner, llmlab__cstring(&strings, traceparent, traceparent_size),
            name, name_size, kind);
        llmlab__cstrings_cleanup(&strings);
    }
    return publish(slot, span, status);
}

llmlab_bind_status_t
llmlab_bind_end(int64_t span)
{
    llmlab__slot_t *slot;
    llmlab_status_t status =
        llmlab__handle_hold_last(&slot, span, LLMLAB__HANDLE_SPAN);

    if (slot != NULL) {
        /* Also for a span of the parent process: the library counts it. */
        status = llmlab_span_end(slot->object);
        llmlab__handle_free(slot);
    }
    return status;
}

llmlab_bind_status_t
llmlab_bind_end_keep(int64_t span)
{
    llmlab__slot_t *slot;
    llmlab__kept_t *kept;
    llmlab_status_t status =
        llmlab__handle_hold(&slot, span, LLMLAB__HANDLE_SPAN);

    if (status != LLMLAB_OK) {
        return status;
    }
    kept = llmlab__kept_new(slot->object);
    if (kept == NULL) {
        status = llmlab_span_end(slot->object);
        llmlab__handle_free(slot);
        return status;
    }
    status = llmlab_span_end(slot->object);
    slot->kind = LLMLAB__HANDLE_KEPT;
    slot->object = kept;
    llmlab__handle_let_go(slot);
    return status;
}

llmlab_bind_status_t
llmlab_bind_release(int64_t span)
{
    llmlab__slot_t *slot;
    llmlab_status_t status = llmlab__handle_hold(
        &slot, span, LLMLAB__HANDLE_SPAN | LLMLAB__HANDLE_KEPT);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (slot->kind == LLMLAB__HANDLE_SPAN) {
        llmlab_span_discard(slot->object);
    } else {
        llmlab__free(slot->object);
    }
    llmlab__handle_free(slot);
    return LLMLAB_OK;
}

llmlab_bind_status_t
llmlab_bind_set_string(int64_t span, const char *key, size_t key_size,
                       const char *value, size_t value_size)
{
    RETURN_ON_SPAN(
        span, llmlab_span_set_string_n(held, key, key_size, value, value_size));
}

llmlab_bind_status_t
llmlab_bind_set_int(int64_t span, const char *key, size_t key_size,
                    int64_t value)
{
    RETURN_ON_SPAN(span, llmlab_span_set_int_n(held, key, key_size, value));
}

llmlab_bind_status_t
llmlab_bind_set_double(int64_t span, const char *key, size_t key_size,
                       double value)
{
    RETURN_ON_SPAN(span, llmlab_span_set_double_n(held, key, key_size, value));
}

llmlab_bind_status_t
llmlab_bind_set_bool(int64_t span, const char *key, size_t key_size, int value)
{
    RETURN_ON_SPAN(span, llmlab_span_set_bool_n(held, key, key_size, value));
}

/* One member as an attribute of the nearest type. */
static llmlab_status_t
set_member(llmlab_span_t *span, llmlab__document_t *document,
           const llmlab__string_t *key)
{
    llmlab__json_t *json = &document->json;
    llmlab__json_text_t text;
    llmlab__string_t string;
    int64_t integer;
    bool flag;

    switch (llmlab__json_peek(json)) {
    case LLMLAB__JSON_STRING:
        if (!llmlab__document_string(document, &string)) {
            return LLMLAB_OK; /* the document's close tells the fault */
        }
        return llmlab_span_set_string_n(span, key->data, key->size, string.data,
                                        string.size);
    case LLMLAB__JSON_NUMBER:
        if (!llmlab__json_number(json, &text)) {
            return LLMLAB_OK;
        }
        if (llmlab__json_int(&text, &integer) == 0) {
            return llmlab_span_set_int_n(span, key->data, key->size, integer);
        }
        return llmlab_span_set_double_n(span, key->data, key->size,
                                        llmlab__json_double(&text));
    case LLMLAB__JSON_TRUE:
    case LLMLAB__JSON_FALSE:
        if (!llmlab__json_bool(json, &flag)) {
            return LLMLAB_OK;
        }
        return llmlab_span_set_bool_n(span, key->data, key->size, flag);
    case LLMLAB__JSON_OBJECT:
    case LLMLAB__JSON_ARRAY:
        if (!llmlab__json_raw(json, &text)) {
            return LLMLAB_OK;
        }
        return llmlab_span_set_string_n(span, key->data, key->size, text.data,
                                        text.size);
    default:
        llmlab__json_skip(json);
        return LLMLAB_OK;
    }
}

static llmlab_status_t
set_members(llmlab_span_t *span, const char *text, size_t size)
{
    llmlab__document_t document;
    llmlab__string_t key;
    llmlab_status_t status = llmlab__document_open(&document, text, size);

    if (status != LLMLAB_OK) {
        return status;
    }
    while (status == LLMLAB_OK && llmlab__document_next(&document, &key)) {
        status = set_member(span, &document, &key);
    }
    return llmlab__document_close(&document, status);
}

llmlab_bind_status_t
llmlab_bind_set_attributes(int64_t span, const char *json, size_t json_size)
{
    RETURN_ON_SPAN(span, set_members(held, json, json_size));
}

llmlab_bind_status_t
llmlab_bind_set_agent(int64_t span, const char *agent, size_t agent_size)
{
    RETURN_ON_SPAN(span, llmlab_span_set_agent(held, agent, agent_size));
}

llmlab_bind_status_t
llmlab_bind_set_user(int64_t span, const char *user, size_t user_size)
{
    RETURN_ON_SPAN(span, llmlab_span_set_user(held, user, user_size));
}

llmlab_bind_status_t
llmlab_bind_set_session(int64_t span, const char *session, size_t session_size)
{
    RETURN_ON_SPAN(span, llmlab_span_set_session(held, session, session_size));
}

llmlab_bind_status_t
llmlab_bind_add_tag(int64_t span, const char *tag, size_t tag_size)
{
    RETURN_ON_SPAN(span, llmlab_span_add_tag(held, tag, tag_size));
}

llmlab_bind_status_t
llmlab_bind_set_outcome(int64_t span, int outcome)
{
    if (outcome < LLMLAB_UNSET || outcome > LLMLAB_CANCELLED) {
        return llmlab__fail(LLMLAB_EINVAL, "no such outcome: %d", outcome);
    }
    RETURN_ON_SPAN(span,
                   llmlab_span_set_outcome(held, (llmlab_outcome_t)outcome));
}

llmlab_bind_status_t
llmlab_bind_first_token(int64_t span)
{
    RETURN_ON_SPAN(span, llmlab_span_first_token(held));
}

llmlab_bind_status_t
llmlab_bind_set_attempt(int64_t span, int attempt)
{
    RETURN_ON_SPAN(span, llmlab_span_set_attempt(held, attempt));
}

llmlab_bind_status_t
llmlab_bind_set_stream(int64_t span, int stream)
{
    RETURN_ON_SPAN(span, llmlab_span_set_stream(held, stream));
}

llmlab_bind_status_t
llmlab_bind_set_input(int64_t span, const char *text, size_t text_size)
{
    RETURN_ON_SPAN(span, llmlab_span_set_input(held, text, text_size));
}

llmlab_bind_status_t
llmlab_bind_set_output(int64_t span, const char *text, size_t text_size)
{
    RETURN_ON_SPAN(span, llmlab_span_set_output(held, text, text_size));
}

llmlab_bind_status_t
llmlab_bind_set_times(int64_t span, int64_t start_ns, int64_t end_ns)
{
    RETURN_ON_SPAN(span, llmlab_span_set_times(held, start_ns, end_ns));
}

/* The W3C header of a live or kept span. */
static llmlab_bind_text_t
piece_of_traceparent(int64_t span, size_t first, size_t size)
{
    char header[LLMLAB_TRACEPARENT_TEXT] = "";
    llmlab__slot_t *slot;
    llmlab_status_t status = llmlab__handle_hold(
        &slot, span, LLMLAB__HANDLE_SPAN | LLMLAB__HANDLE_KEPT);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (slot->kind == LLMLAB__HANDLE_SPAN) {
        status = llmlab_span_traceparent(slot->object, header);
    } else {
        const llmlab__kept_t *kept = slot->object;

        memcpy(header, kept->traceparent, sizeof header);
    }
    llmlab__handle_let_go(slot);
    if (status != LLMLAB_OK) {
        return status;
    }
    return llmlab__text_copy(header + first, size);
}

/* "00-" 32 hex digits "-" 16 hex digits "-01" */
llmlab_bind_text_t
llmlab_bind_traceparent(int64_t span)
{
    return piece_of_traceparent(span, 0, LLMLAB_TRACEPARENT_TEXT - 1);
}

llmlab_bind_text_t
llmlab_bind_trace_id(int64_t span)
{
    return piece_of_traceparent(span, 3, 32);
}

llmlab_bind_text_t
llmlab_bind_span_id(int64_t span)
{
    return piece_of_traceparent(span, 36, 16);
}
