#include "trace/items.h"

bool
llmlab__items_next(const llmlab__items_t *items, uint32_t *cursor,
                   llmlab__item_view_t *out)
{
    return llmlab__item_next(items->data, items->used, cursor, out);
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
