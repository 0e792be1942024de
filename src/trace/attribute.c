/* What a span carries: attributes, texts of its own, and who it is for. */
#include <string.h>

#include "trace/span.h"

#define KEY_MAX   255
#define VALUE_MAX 65535

/* A value that does not fit is cut only while so much of it is left. */
#define VALUE_MIN 64

size_t
llmlab__text_cut(const char *text, size_t size)
{
    size_t back = 0;

    /* text[size] begins a character unless it is a continuation byte. */
    while (back < 3 && back < size &&
           ((unsigned char)text[size - back] & 0xc0) == 0x80) {
        back++;
    }
    return ((unsigned char)text[size - back] & 0xc0) == 0x80 ? size
                                                             : size - back;
}

/* Move the items to a block, once. */
static __attribute__((noinline)) bool
grow(llmlab_span_t *span)
{
    llmlab__recorders_t *recorders = span->recorders;
    llmlab__recorder_t *recorder;
    llmlab_drop_t why;

    if (span->block != NULL || recorders->items_room <= LLMLAB__SPAN_ITEMS) {
        return false;
    }
    recorder = llmlab__recorder_enter(span->tracer, &why);
    if (recorder == NULL) {
        return false;
    }
    span->block = llmlab__recorder_take_block(recorder, recorders);
    llmlab__recorder_leave(recorder);
    if (span->block == NULL) {
        return false;
    }
    memcpy(span->block->data, span->items.data, span->items.used);
    span->items.data = span->block->data;
    span->items.room = recorders->items_room;
    return true;
}

bool
llmlab__span_reserve(llmlab_span_t *span, uint32_t size)
{
    if (size > span->items.room - span->items.used &&
        (!grow(span) || size > span->items.room - span->items.used)) {
        span->record.flags |= LLMLAB__RECORD_CUT;
        return false;
    }
    return true;
}

/* Keys and values that are too long, or a span that is nearly full. */
static __attribute__((noinline)) llmlab_status_t
set_slowly(llmlab_span_t *span, uint8_t type, const char *key, size_t key_size,
           const void *value, size_t value_size)
{
    uint32_t left;

    if (key_size > KEY_MAX) {
        key_size = llmlab__text_cut(key, KEY_MAX);
        span->record.flags |= LLMLAB__RECORD_CUT;
    }
    if (value_size > VALUE_MAX) {
        value_size = llmlab__text_cut(value, VALUE_MAX);
        span->record.flags |= LLMLAB__RECORD_CUT;
    }
    if (!llmlab__span_reserve(span, llmlab__item_room((uint32_t)key_size,
                                                      (uint32_t)value_size))) {
        left = span->items.room - span->items.used;
        if (left < llmlab__item_room((uint32_t)key_size, VALUE_MIN) ||
            type != LLMLAB__ITEM_ATTR_STRING || value_size <= VALUE_MIN) {
            return LLMLAB_ETOOBIG;
        }
        left -= (uint32_t)(sizeof(llmlab__item_t) + key_size);
        value_size = llmlab__text_cut(value, left);
    }
    llmlab__items_append(&span->items, type, key, key_size, value, value_size);
    return LLMLAB_OK;
}

static inline llmlab_status_t
set(llmlab_span_t *span, uint8_t type, const char *key, size_t key_size,
    const void *value, size_t value_size)
{
    if (__builtin_expect(span == NULL || key_size == 0, 0)) {
        return LLMLAB_EINVAL;
    }
    if (__builtin_expect(!llmlab__span_is_open(span), 0)) {
        return LLMLAB_ESTALE;
    }
    if (!span->sampled) {
        return LLMLAB_OK;
    }
    if (__builtin_expect(
            key_size > KEY_MAX || value_size > VALUE_MAX ||
                llmlab__item_room((uint32_t)key_size, (uint32_t)value_size) >
                    span->items.room - span->items.used,
            0)) {
        return set_slowly(span, type, key, key_size, value, value_size);
    }
    llmlab__items_append(&span->items, type, key, key_size, value, value_size);
    return LLMLAB_OK;
}

/* A NULL key has no size, and no size is no key. */
static inline size_t
size_of(const char *text)
{
    return text == NULL ? 0 : strlen(text);
}

llmlab_status_t
llmlab_span_set_string(llmlab_span_t *span, const char *key, const char *value)
{
    return set(span, LLMLAB__ITEM_ATTR_STRING, key, size_of(key), value,
               size_of(value));
}

llmlab_status_t
llmlab_span_set_string_n(llmlab_span_t *span, const char *key, size_t key_size,
                         const char *value, size_t value_size)
{
    return set(span, LLMLAB__ITEM_ATTR_STRING, key, key == NULL ? 0 : key_size,
               value, value == NULL ? 0 : value_size);
}

llmlab_status_t
llmlab_span_set_int_n(llmlab_span_t *span, const char *key, size_t key_size,
                      int64_t value)
{
    return set(span, LLMLAB__ITEM_ATTR_INT, key, key == NULL ? 0 : key_size,
               &value, sizeof(value));
}

llmlab_status_t
llmlab_span_set_int(llmlab_span_t *span, const char *key, int64_t value)
{
    return set(span, LLMLAB__ITEM_ATTR_INT, key, size_of(key), &value,
               sizeof(value));
}

llmlab_status_t
llmlab_span_set_double_n(llmlab_span_t *span, const char *key, size_t key_size,
                         double value)
{
    return set(span, LLMLAB__ITEM_ATTR_DOUBLE, key, key == NULL ? 0 : key_size,
               &value, sizeof(value));
}

llmlab_status_t
llmlab_span_set_double(llmlab_span_t *span, const char *key, double value)
{
    return set(span, LLMLAB__ITEM_ATTR_DOUBLE, key, size_of(key), &value,
               sizeof(value));
}

llmlab_status_t
llmlab_span_set_bool_n(llmlab_span_t *span, const char *key, size_t key_size,
                       int value)
{
    unsigned char byte = value != 0;

    return set(span, LLMLAB__ITEM_ATTR_BOOL, key, key == NULL ? 0 : key_size,
               &byte, sizeof(byte));
}

llmlab_status_t
llmlab_span_set_bool(llmlab_span_t *span, const char *key, int value)
{
    unsigned char byte = value != 0;

    return set(span, LLMLAB__ITEM_ATTR_BOOL, key, size_of(key), &byte,
               sizeof(byte));
}

/* Texts of the span itself. */

bool
llmlab__item_rolls_up(llmlab__item_type_t type)
{
    switch (type) {
    case LLMLAB__ITEM_PROVIDER:
    case LLMLAB__ITEM_REQUEST_MODEL:
    case LLMLAB__ITEM_MODEL:
    case LLMLAB__ITEM_SERVICE_TIER:
    case LLMLAB__ITEM_REGION:
    case LLMLAB__ITEM_SPEED:
    case LLMLAB__ITEM_SEARCH_CONTEXT:
    case LLMLAB__ITEM_USAGE:
    case LLMLAB__ITEM_PARTS:
    case LLMLAB__ITEM_PROVIDER_COST:
        return true;
    default:
        return false;
    }
}

llmlab_status_t
llmlab__span_put(llmlab_span_t *span, llmlab__item_type_t type,
                 const void *value, size_t size)
{
    uint64_t bit = UINT64_C(1) << type;

    if (value == NULL || size == 0 ||
        (!span->sampled && !llmlab__item_rolls_up(type))) {
        return LLMLAB_OK;
    }
    if (size > VALUE_MAX) {
        size = llmlab__text_cut(value, VALUE_MAX);
        span->record.flags |= LLMLAB__RECORD_CUT;
    }
    if ((span->items.has & bit) != 0) {
        llmlab__items_remove(&span->items, type);
    }
    if (!llmlab__span_reserve(span, llmlab__item_room(0, (uint32_t)size))) {
        return LLMLAB_ETOOBIG;
    }
    llmlab__items_append(&span->items, (uint8_t)type, NULL, 0, value, size);
    span->items.has |= bit;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__span_put_text(llmlab_span_t *span, llmlab__item_type_t type,
                      const char *text)
{
    return llmlab__span_put(span, type, text, size_of(text));
}

/* Who: inherited by the spans below. */

static llmlab_status_t
add_identity(llmlab_span_t *span, llmlab__item_type_t type, const char *text,
             size_t size)
{
    llmlab__items_t *identity = &span->identity;

    if (text == NULL || size == 0) {
        return LLMLAB_OK;
    }
    if (size > VALUE_MAX || llmlab__item_room(0, (uint32_t)size) >
                                identity->room - identity->used) {
        span->record.flags |= LLMLAB__RECORD_CUT;
        return LLMLAB_ETOOBIG;
    }
    llmlab__items_append(identity, (uint8_t)type, NULL, 0, text, size);
    identity->has |= UINT64_C(1) << type;
    return LLMLAB_OK;
}

static llmlab_status_t
set_identity(llmlab_span_t *span, llmlab__item_type_t type, const char *text,
             size_t size)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if ((span->identity.has & UINT64_C(1) << type) != 0) {
        llmlab__items_remove(&span->identity, type);
    }
    return add_identity(span, type, text, size);
}

llmlab_status_t
llmlab_span_set_agent(llmlab_span_t *span, const char *agent, size_t size)
{
    return set_identity(span, LLMLAB__ITEM_AGENT, agent, size);
}

llmlab_status_t
llmlab_span_set_user(llmlab_span_t *span, const char *user, size_t size)
{
    return set_identity(span, LLMLAB__ITEM_USER, user, size);
}

llmlab_status_t
llmlab_span_set_session(llmlab_span_t *span, const char *session, size_t size)
{
    return set_identity(span, LLMLAB__ITEM_SESSION, session, size);
}

llmlab_status_t
llmlab_span_add_tag(llmlab_span_t *span, const char *tag, size_t size)
{
    llmlab_status_t status = llmlab__span_usable(span);

    return status != LLMLAB_OK
               ? status
               : add_identity(span, LLMLAB__ITEM_TAG, tag, size);
}
