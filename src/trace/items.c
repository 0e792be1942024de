#include "trace/items.h"

bool
llmlab__items_next(const llmlab__items_t *items, uint32_t *cursor,
                   llmlab__item_view_t *out)
{
    const unsigned char *at = items->data + *cursor;
    llmlab__item_t item;

    if (*cursor >= items->used) {
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

void
llmlab__items_remove(llmlab__items_t *items, llmlab__item_type_t type)
{
    llmlab__item_view_t item;
    uint32_t end = 0;
    uint32_t start = 0;

    while (llmlab__items_next(items, &end, &item)) {
        if (item.type == type) {
            memmove(items->data + start, items->data + end, items->used - end);
            items->used -= end - start;
            items->has &= ~(UINT64_C(1) << type);
            return;
        }
        start = end;
    }
}
