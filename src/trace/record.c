#include "trace/record.h"

#include <string.h>

/* The size a type's value must have, 0 where it may be any. */
static uint16_t
fixed_size(uint8_t type)
{
    switch (type) {
    case LLMLAB__ITEM_PROVIDER_COST:
    case LLMLAB__ITEM_FINGERPRINT:
        return 16;
    case LLMLAB__ITEM_ATTR_INT:
    case LLMLAB__ITEM_ATTR_DOUBLE:
        return 8;
    case LLMLAB__ITEM_ATTR_BOOL:
        return 1;
    default:
        return 0;
    }
}

static bool
is_attribute(uint8_t type)
{
    return type >= LLMLAB__ITEM_ATTR_STRING && type <= LLMLAB__ITEM_ATTR_BOOL;
}

static bool
usage_size_fits(const unsigned char *value, uint16_t size)
{
    uint64_t present;

    if (size < sizeof(present)) {
        return false;
    }
    memcpy(&present, value, sizeof(present));
    return present >> LLMLAB_USAGE_CAPACITY == 0 &&
           size ==
               sizeof(present) * (1 + (size_t)__builtin_popcountll(present));
}

static bool
item_is_sound(const llmlab__item_t *item, const unsigned char *value)
{
    uint16_t size = fixed_size(item->type);

    if (item->type == LLMLAB__ITEM_NONE ||
        (item->type > LLMLAB__ITEM_SEARCH_CONTEXT &&
         !is_attribute(item->type))) {
        return false;
    }
    if (is_attribute(item->type) != (item->key_size > 0) ||
        (size != 0 && item->value_size != size)) {
        return false;
    }
    return item->type != LLMLAB__ITEM_USAGE ||
           usage_size_fits(value, item->value_size);
}

static bool
items_are_sound(const unsigned char *items, uint32_t size)
{
    uint32_t at = 0;

    while (at < size) {
        llmlab__item_t item;
        uint32_t room;

        if (size - at < sizeof(item)) {
            return false;
        }
        memcpy(&item, items + at, sizeof(item));
        room = llmlab__item_room(item.key_size, item.value_size);
        if (size - at < room ||
            !item_is_sound(&item, items + at + sizeof(item) + item.key_size)) {
            return false;
        }
        at += room;
    }
    return true;
}

bool
llmlab__record_check(const void *bytes, uint32_t size)
{
    llmlab__record_t record;

    if (size < sizeof(record)) {
        return false;
    }
    memcpy(&record, bytes, sizeof(record));
    if (record.size != size || size % 8 != 0 ||
        record.version != LLMLAB__RECORD_VERSION) {
        return false;
    }
    if (record.type < LLMLAB__RECORD_SPAN ||
        record.type > LLMLAB__RECORD_SCORE ||
        record.kind >= LLMLAB_SPAN_KINDS || record.outcome == LLMLAB_UNSET ||
        record.outcome > LLMLAB_CANCELLED ||
        record.match > LLMLAB_MATCH_DATED_FALLBACK ||
        record.priced > LLMLAB_ESTIMATED_RATE ||
        record.usage_source > LLMLAB_USAGE_ESTIMATED ||
        record.cost_source > LLMLAB_COST_PROVIDER) {
        return false;
    }
    return record.items % 4 == 0 && record.items <= size - sizeof(record) &&
           items_are_sound((const unsigned char *)bytes + sizeof(record),
                           record.items);
}

bool
llmlab__item_next(const unsigned char *items, uint32_t size, uint32_t *cursor,
                  llmlab__item_view_t *out)
{
    const unsigned char *at = items + *cursor;
    llmlab__item_t item;

    if (*cursor >= size) {
        return false;
    }
    memcpy(&item, at, sizeof(item));
    *cursor += llmlab__item_room(item.key_size, item.value_size);
    out->type = (llmlab__item_type_t)item.type;
    out->key = (const char *)at + sizeof(item);
    out->key_size = item.key_size;
    out->value_size = item.value_size;
    out->value = at + sizeof(item) + item.key_size;
    return true;
}

bool
llmlab__record_next(const llmlab__record_t *record, uint32_t *cursor,
                    llmlab__item_view_t *out)
{
    return llmlab__item_next((const unsigned char *)record + sizeof(*record),
                             record->items, cursor, out);
}

bool
llmlab__record_usage(const llmlab__item_view_t *item, llmlab_usage_t *out)
{
    const unsigned char *at = item->value;

    memset(out, 0, sizeof(*out));
    if (!usage_size_fits(at, item->value_size)) {
        return false;
    }
    memcpy(&out->present, at, sizeof(out->present));
    for (uint64_t left = out->present; left != 0; left &= left - 1) {
        at += sizeof(uint64_t);
        memcpy(&out->count[__builtin_ctzll(left)], at, sizeof(uint64_t));
    }
    return true;
}
