/* A record from foreign memory: what passes the check is walked, read and
 * settled without a step beyond its end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/record.h"
#include "trace/tracer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
walk(const llmlab__record_t *record)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;
    uint64_t sum = 0;

    while (llmlab__record_next(record, &cursor, &item)) {
        llmlab_usage_t usage;

        for (size_t i = 0; i < item.key_size; i++) {
            sum += (unsigned char)item.key[i];
        }
        for (size_t i = 0; i < item.value_size; i++) {
            sum += item.value[i];
        }
        if (item.type == LLMLAB__ITEM_USAGE &&
            !llmlab__record_usage(&item, &usage)) {
            abort(); /* the check let it pass */
        }
    }
    return sum;
}

static void
settle(const llmlab__record_t *record)
{
    static llmlab__tracer_t tracer;
    void *room = malloc(record->size + LLMLAB__SETTLE_ROOM);
    const llmlab__record_t *settled =
        llmlab__record_settle(&tracer, record, room);

    if (!llmlab__record_check(settled, settled->size) ||
        (settled->flags & LLMLAB__RECORD_PRICE_LATER) != 0) {
        abort();
    }
    walk(settled);
    free(room);
}

/* So that no read is left out. */
static volatile uint64_t seen;

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t whole = size & ~(size_t)7;
    unsigned char *copy = malloc(whole > 0 ? whole : 1);
    llmlab__record_t *record = (llmlab__record_t *)(void *)copy;

    memcpy(copy, data, whole);
    if (whole >= sizeof(*record)) {
        /* Most inputs would fail at the size: help them past it. */
        record->size = (uint32_t)whole;
        record->version = LLMLAB__RECORD_VERSION;
    }
    if (whole <= UINT32_MAX && llmlab__record_check(copy, (uint32_t)whole)) {
        seen = seen + walk(record);
        settle(record);
    }
    free(copy);
    return 0;
}
