/* What the worker adds to a record: the price, where the thread that recorded
 * did not need it. */
#include <string.h>

#include "trace/span.h"

/* A book's texts are far shorter; what does not fit the room is left out. */
#define TEXT_MAX ((size_t)256)

static llmlab__record_t *
copy_priced(const llmlab__record_t *record, const llmlab_cost_t *cost,
            unsigned char *room)
{
    llmlab__record_t *copy = (llmlab__record_t *)(void *)room;
    unsigned char *end = room + sizeof(*record) + record->items;
    size_t key_size = cost->key == NULL ? 0 : strlen(cost->key);
    size_t table_size =
        key_size == 0 || cost->table == NULL ? 0 : strlen(cost->table);

    memcpy(room, record, sizeof(*record) + record->items);
    if (key_size > 0 && key_size <= TEXT_MAX) {
        end = llmlab__item_write(end, LLMLAB__ITEM_PRICE_KEY, NULL, 0,
                                 cost->key, key_size);
    }
    if (table_size > 0 && table_size <= TEXT_MAX) {
        end = llmlab__item_write(end, LLMLAB__ITEM_PRICE_TABLE, NULL, 0,
                                 cost->table, table_size);
    }
    copy->items = (uint32_t)(end - room) - (uint32_t)sizeof(*copy);
    copy->size = ((uint32_t)(end - room) + 7) & ~UINT32_C(7);
    memset(end, 0, copy->size - (size_t)(end - room));
    copy->flags &= (uint16_t)~LLMLAB__RECORD_PRICE_LATER;
    llmlab__record_set_cost(copy, cost);
    return copy;
}

static void
gather(llmlab__facts_t *out, const llmlab__tracer_t *tracer,
       const llmlab__record_t *record)
{
    llmlab__items_t items = {(unsigned char *)(uintptr_t)(record + 1),
                             record->items, record->items, 0};

    llmlab__facts_gather(out, &items, record->flags);
    out->facts.time_ns = llmlab__record_start_unix(tracer, record);
}

const llmlab__record_t *
llmlab__record_settle(llmlab__tracer_t *tracer, const llmlab__record_t *record,
                      void *room)
{
    llmlab__facts_t facts;
    llmlab_cost_t cost;

    if ((record->flags & LLMLAB__RECORD_PRICE_LATER) == 0) {
        return record;
    }
    gather(&facts, tracer, record);
    llmlab_cost_compute(&cost, llmlab__books_newest(&tracer->books),
                        &facts.facts);
    return copy_priced(record, &cost, room);
}

void
llmlab__record_count(llmlab__tracer_t *tracer, const llmlab__record_t *settled)
{
    llmlab__recorders_t *recorders = atomic_load(&tracer->recorders);
    llmlab__facts_t facts;

    if (recorders == NULL ||
        (settled->flags & LLMLAB__RECORD_PROVIDER_COST) != 0 ||
        llmlab__count_price(&recorders->late, settled)) {
        return;
    }
    gather(&facts, tracer, settled);
    tracer->hooks.unpriced(tracer, facts.facts.provider, facts.facts.model);
}
