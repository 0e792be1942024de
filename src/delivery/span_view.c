#include "delivery/span_view.h"

#include <string.h>

void
llmlab__span_view(llmlab__span_view_t *out, const llmlab__record_t *record,
                  uint64_t number)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    out->record = record;
    out->number = number;
    out->present = 0;
    out->has_attributes = false;
    out->usage.present = 0;
    out->cost.low = record->cost[0];
    out->cost.high = record->cost[1];
    while (llmlab__record_next(record, &cursor, &item)) {
        if ((unsigned)item.type >= LLMLAB__VIEW_ITEMS) {
            out->has_attributes = true;
            continue;
        }
        out->present |= UINT32_C(1) << item.type;
        out->item[item.type].data = (const char *)item.value;
        out->item[item.type].size = item.value_size;
        if (item.type == LLMLAB__ITEM_USAGE) {
            llmlab__record_usage(&item, &out->usage);
        } else if (item.type == LLMLAB__ITEM_PROVIDER_COST) {
            memcpy(&out->provider_cost.low, item.value, 8);
            memcpy(&out->provider_cost.high, item.value + 8, 8);
        }
    }
}

bool
llmlab__view_effective_cost(const llmlab__span_view_t *view,
                            llmlab_money_t *out)
{
    if (llmlab__view_has_provider_cost(view)) {
        *out = view->provider_cost;
        return true;
    }
    *out = view->cost;
    return llmlab__view_has_cost(view);
}

const char *
llmlab__kind_name(uint8_t kind)
{
    static const char *const names[] = {
#define KIND(name, value, wire) [value] = wire,
        LLMLAB_SPAN_KIND_MAP(KIND)
#undef KIND
    };

    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : names[0];
}

const char *
llmlab__outcome_name(uint8_t outcome)
{
    switch (outcome) {
    case LLMLAB_ERROR:
        return "error";
    case LLMLAB_CANCELLED:
        return "cancelled";
    default:
        return "success";
    }
}

const char *
llmlab__usage_source_name(uint8_t source)
{
    switch (source) {
    case LLMLAB_USAGE_PROVIDER:
        return "provider";
    case LLMLAB_USAGE_ESTIMATED:
        return "estimated";
    default:
        return "none";
    }
}

const char *
llmlab__cost_source_name(uint8_t source)
{
    switch (source) {
    case LLMLAB_COST_COMPUTED:
        return "computed";
    case LLMLAB_COST_PROVIDER:
        return "provider";
    default:
        return "none";
    }
}
