/* What a call cost: its facts gathered from its items and priced. */
#include <string.h>

#include "trace/span.h"

/* The book takes texts with a NUL; one that is too long has no price. */
static void
take_text(char *out, size_t capacity, const llmlab__item_view_t *item)
{
    size_t size = item->value_size < capacity ? item->value_size : 0;

    memcpy(out, item->value, size);
    out[size] = '\0';
}

static void
take_parts(llmlab__facts_t *out, const llmlab__item_view_t *item)
{
    llmlab_call_facts_t *facts = &out->facts;
    size_t cursor = 0;

    facts->parts = out->parts;
    while (facts->part_count < LLMLAB_USAGE_PARTS &&
           llmlab__part_next(item->value, item->value_size, &cursor,
                             &out->parts[facts->part_count])) {
        facts->part_count++;
    }
}

void
llmlab__facts_gather(llmlab__facts_t *out, const llmlab__items_t *items,
                     uint16_t flags)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    llmlab_call_facts_init(&out->facts);
    out->usage.present = 0;
    out->provider[0] = out->model[0] = out->request_model[0] = '\0';
    out->service_tier[0] = out->region[0] = out->speed[0] = '\0';
    out->search_context[0] = '\0';
    while (llmlab__items_next(items, &cursor, &item)) {
        switch (item.type) {
        case LLMLAB__ITEM_PROVIDER:
            take_text(out->provider, sizeof(out->provider), &item);
            break;
        case LLMLAB__ITEM_MODEL:
            take_text(out->model, sizeof(out->model), &item);
            break;
        case LLMLAB__ITEM_REQUEST_MODEL:
            take_text(out->request_model, sizeof(out->request_model), &item);
            break;
        case LLMLAB__ITEM_SERVICE_TIER:
            take_text(out->service_tier, sizeof(out->service_tier), &item);
            break;
        case LLMLAB__ITEM_REGION:
            take_text(out->region, sizeof(out->region), &item);
            break;
        case LLMLAB__ITEM_SPEED:
            take_text(out->speed, sizeof(out->speed), &item);
            break;
        case LLMLAB__ITEM_SEARCH_CONTEXT:
            take_text(out->search_context, sizeof(out->search_context), &item);
            break;
        case LLMLAB__ITEM_USAGE:
            llmlab__record_usage(&item, &out->usage);
            break;
        case LLMLAB__ITEM_PARTS:
            take_parts(out, &item);
            break;
        default:
            break;
        }
    }
    out->facts.provider = out->provider;
    out->facts.model = out->model[0] != '\0' ? out->model : out->request_model;
    out->facts.service_tier = out->service_tier;
    out->facts.region = out->region;
    out->facts.speed = out->speed;
    out->facts.search_context = out->search_context;
    out->facts.usage = &out->usage;
    out->facts.batch = (flags & LLMLAB__RECORD_BATCH) != 0;
}

void
llmlab__span_release_book(llmlab_span_t *span)
{
    if (span->has_book) {
        span->has_book = false;
        llmlab__books_release(&span->tracer->books, span->book_slot);
    }
}

/* The cost's texts are the book's: the span holds the first that it was priced
 * by until it ends. */
static llmlab_status_t
compute(llmlab_span_t *span, llmlab_cost_t *out)
{
    llmlab__books_t *books = &span->tracer->books;
    llmlab__facts_t facts;

    if (!span->has_book) {
        span->book_slot = (uint8_t)llmlab__books_take(books);
        span->has_book = true;
    }
    llmlab__facts_gather(&facts, &span->items, span->record.flags);
    facts.facts.time_ns = llmlab__span_start_unix(span);
    return llmlab_cost_compute(out, llmlab__books_at(books, span->book_slot),
                               &facts.facts);
}

void
llmlab__record_set_cost(llmlab__record_t *record, const llmlab_cost_t *cost)
{
    record->match = (uint8_t)cost->match;
    record->priced = (uint8_t)cost->priced;
    record->cost[0] = cost->amount.low;
    record->cost[1] = cost->amount.high;
    if ((record->flags & LLMLAB__RECORD_PROVIDER_COST) == 0) {
        record->cost_source = cost->priced == LLMLAB_UNPRICED
                                  ? LLMLAB_COST_NONE
                                  : LLMLAB_COST_COMPUTED;
    }
}

llmlab_status_t
llmlab__span_price(llmlab_span_t *span)
{
    llmlab_cost_t cost;
    llmlab_status_t status = compute(span, &cost);

    llmlab__record_set_cost(&span->record, &cost);
    span->price_key = cost.table != NULL ? cost.key : NULL;
    span->price_table = cost.table;
    span->dirty = false;
    return status;
}

llmlab_status_t
llmlab_span_cost(const llmlab_span_t *span, llmlab_cost_t *out)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (out == NULL) {
        return LLMLAB_EINVAL;
    }
    memset(out, 0, sizeof(*out));
    /* const to the caller: what it sets and reads stays as it is. */
    return status != LLMLAB_OK ? status
                               : compute((llmlab_span_t *)(uintptr_t)span, out);
}
