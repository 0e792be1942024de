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

static void
usage_unpack(const unsigned char *at, llmlab_usage_t *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(&out->present, at, sizeof(out->present));
    for (uint64_t left = out->present; left != 0; left &= left - 1) {
        at += sizeof(uint64_t);
        memcpy(&out->count[__builtin_ctzll(left)], at, sizeof(uint64_t));
    }
}

bool
llmlab__part_next(const void *value, size_t size, size_t *cursor,
                  llmlab_usage_part_t *out)
{
    const unsigned char *at = (const unsigned char *)value + *cursor;
    uint16_t sizes[2];

    if (size - *cursor < sizeof(sizes)) {
        return false;
    }
    memcpy(sizes, at, sizeof(sizes));
    at += sizeof(sizes);
    if (size - *cursor - sizeof(sizes) < (size_t)sizes[0] + sizes[1] ||
        sizes[0] >= sizeof(out->model) ||
        !usage_size_fits(at + sizes[0], sizes[1])) {
        return false;
    }
    memcpy(out->model, at, sizes[0]);
    out->model[sizes[0]] = '\0';
    usage_unpack(at + sizes[0], &out->usage);
    *cursor += sizeof(sizes) + sizes[0] + sizes[1];
    return true;
}

static bool
parts_are_sound(const unsigned char *value, uint16_t size)
{
    llmlab_usage_part_t part;
    size_t cursor = 0;
    unsigned count = 0;

    while (count <= LLMLAB_USAGE_PARTS &&
           llmlab__part_next(value, size, &cursor, &part)) {
        count++;
    }
    return count <= LLMLAB_USAGE_PARTS && cursor == size;
}

static bool
item_is_sound(const llmlab__item_t *item, const unsigned char *value)
{
    uint16_t size = fixed_size(item->type);

    if (item->type == LLMLAB__ITEM_NONE ||
        (item->type > LLMLAB__ITEM_PARTS && !is_attribute(item->type))) {
        return false;
    }
    if (is_attribute(item->type) != (item->key_size > 0) ||
        (size != 0 && item->value_size != size)) {
        return false;
    }
    if (item->type == LLMLAB__ITEM_PARTS) {
        return parts_are_sound(value, item->value_size);
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
    if (!usage_size_fits(item->value, item->value_size)) {
        memset(out, 0, sizeof(*out));
        return false;
    }
    usage_unpack(item->value, out);
    return true;
}
