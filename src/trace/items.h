/* A run of items in the caller's memory. */
#ifndef LLMLAB_TRACE_ITEMS_H
#define LLMLAB_TRACE_ITEMS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "trace/record.h"

typedef struct llmlab__items_s {
    unsigned char *data;
    uint32_t used; /* a multiple of 4 */
    uint32_t room;
    uint64_t has; /* bit per type that is set once: below 32 */
} llmlab__items_t;

/* Keys and values are short: a call to memcpy costs more than they do. Two
 * pieces that overlap take any size between one piece and two. */
static inline void
llmlab__copy_short(unsigned char *to, const void *from, size_t size)
{
    const unsigned char *source = from;

    if (size >= 16) {
        if (size > 64) {
            memcpy(to, source, size);
            return;
        }
        if (size > 32) {
            memcpy(to + 16, source + 16, 16);
            memcpy(to + size - 32, source + size - 32, 16);
        }
        memcpy(to, source, 16);
        memcpy(to + size - 16, source + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, source, 8);
        memcpy(to + size - 8, source + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, source, 4);
        memcpy(to + size - 4, source + size - 4, 4);
    } else {
        for (size_t i = 0; i < size; i++) {
            to[i] = source[i];
        }
    }
}

/* Write an item at a place that has room for it; returns where it ends. */
static inline unsigned char *
llmlab__item_write(unsigned char *at, uint8_t type, const void *key,
                   size_t key_size, const void *value, size_t value_size)
{
    llmlab__item_t item = {type, (uint8_t)key_size, (uint16_t)value_size};
    unsigned char *end =
        at + llmlab__item_room((uint32_t)key_size, (uint32_t)value_size);

    memset(end - 4, 0, 4); /* the padding, before what overlaps it */
    memcpy(at, &item, sizeof(item));
    llmlab__copy_short(at + sizeof(item), key, key_size);
    llmlab__copy_short(at + sizeof(item) + key_size, value, value_size);
    return end;
}

/* Append; the room was made sure of. */
static inline void
llmlab__items_append(llmlab__items_t *items, uint8_t type, const void *key,
                     size_t key_size, const void *value, size_t value_size)
{
    unsigned char *end = llmlab__item_write(items->data + items->used, type,
                                            key, key_size, value, value_size);

    items->used = (uint32_t)(end - items->data);
}

/* Take the item of a type out. */
void llmlab__items_remove(llmlab__items_t *items, llmlab__item_type_t type);

/* Walk: *cursor starts at 0. */
bool llmlab__items_next(const llmlab__items_t *items, uint32_t *cursor,
                        llmlab__item_view_t *out);

#endif
