#include "delivery/unsampled.h"

#include <string.h>

#include "base/alloc.h"
#include "base/crc32c.h"

#define QUARTER_HOUR_NS (INT64_C(900) * 1000000000)
#define FIRST_SLOTS     64

/* What a row states once, besides what stands in the record's fixed part. */
static const uint8_t key_items[] = {
    LLMLAB__ITEM_AGENT,
    LLMLAB__ITEM_USER,
    LLMLAB__ITEM_SESSION,
    LLMLAB__ITEM_PROVIDER,
    LLMLAB__ITEM_API,
    LLMLAB__ITEM_REQUEST_MODEL,
    LLMLAB__ITEM_MODEL,
    LLMLAB__ITEM_SERVICE_TIER,
    LLMLAB__ITEM_REGION,
    LLMLAB__ITEM_SPEED,
    LLMLAB__ITEM_SEARCH_CONTEXT,
    LLMLAB__ITEM_PRICE_KEY,
    LLMLAB__ITEM_PRICE_TABLE,
    LLMLAB__ITEM_ERROR_TYPE,
};

void
llmlab__unsampled_init(llmlab__unsampled_t *rows)
{
    memset(rows, 0, sizeof(*rows));
}

void
llmlab__unsampled_cleanup(llmlab__unsampled_t *rows)
{
    llmlab__buf_cleanup(&rows->keys);
    llmlab__buf_cleanup(&rows->rows);
    llmlab__buf_cleanup(&rows->runs);
    llmlab__buf_cleanup(&rows->slots);
    rows->row_count = 0;
    rows->run_count = 0;
}

void
llmlab__unsampled_clear(llmlab__unsampled_t *rows)
{
    llmlab__buf_clear(&rows->keys);
    llmlab__buf_clear(&rows->rows);
    llmlab__buf_clear(&rows->runs);
    rows->row_count = 0;
    rows->run_count = 0;
    if (rows->slots.size > 0) {
        memset(rows->slots.data, 0, rows->slots.size);
    }
}

size_t
llmlab__unsampled_memory(const llmlab__unsampled_t *rows)
{
    return rows->keys.capacity + rows->rows.capacity + rows->runs.capacity +
           rows->slots.capacity;
}

static llmlab__unsampled_row_t *
row_at(const llmlab__unsampled_t *rows, size_t i)
{
    return (llmlab__unsampled_row_t *)(void *)rows->rows.data + i;
}

static llmlab__unsampled_run_t *
run_at(const llmlab__unsampled_t *rows, size_t i)
{
    return (llmlab__unsampled_run_t *)(void *)rows->runs.data + i;
}

static int64_t
quarter_of(int64_t unix_ns)
{
    int64_t quarter = unix_ns / QUARTER_HOUR_NS;

    /* Before 1970 the division rounds up; the first quarter of all times has
     * no beginning that fits. */
    if (unix_ns % QUARTER_HOUR_NS < 0 &&
        quarter > INT64_MIN / QUARTER_HOUR_NS) {
        quarter--;
    }
    return quarter * QUARTER_HOUR_NS;
}

static void
put_text(llmlab__buf_t *keys, const void *data, size_t size)
{
    uint32_t prefix = (uint32_t)size;

    llmlab__buf_append(keys, &prefix, sizeof(prefix));
    llmlab__buf_append(keys, data, size);
}

/* Append the call's key to keys. */
static void
put_key(llmlab__buf_t *keys, const llmlab__span_view_t *view)
{
    const llmlab__record_t *record = view->record;
    struct {
        int64_t quarter;
        uint8_t fixed[8];
    } head = {quarter_of(record->start_ns),
              {record->kind, record->outcome, record->match, record->priced,
               record->usage_source, record->cost_source,
               (record->flags & LLMLAB__RECORD_BATCH) != 0,
               llmlab__view_has_provider_cost(view)}};
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    llmlab__buf_append(keys, &head, sizeof(head));
    for (size_t i = 0; i < sizeof(key_items); i++) {
        llmlab__view_text_t text =
            llmlab__view_text(view, (llmlab__item_type_t)key_items[i]);

        put_text(keys, text.data, text.size);
    }
    if (!llmlab__view_has(view, LLMLAB__ITEM_TAG)) {
        return;
    }
    while (llmlab__record_next(record, &cursor, &item)) {
        if (item.type == LLMLAB__ITEM_TAG) {
            put_text(keys, item.value, item.value_size);
        }
    }
}

static bool
resize_slots(llmlab__unsampled_t *rows)
{
    size_t count = rows->slots.size / sizeof(uint32_t);
    size_t wanted = count == 0 ? FIRST_SLOTS : 2 * count;
    uint32_t *slots;

    if (2 * (rows->row_count + 1) <= count) {
        return true;
    }
    llmlab__buf_clear(&rows->slots);
    slots = (uint32_t *)(void *)llmlab__buf_reserve(&rows->slots,
                                                    wanted * sizeof(uint32_t));
    if (slots == NULL) {
        return false;
    }
    rows->slots.size = wanted * sizeof(uint32_t);
    memset(slots, 0, rows->slots.size);
    for (size_t i = 0; i < rows->row_count; i++) {
        const llmlab__unsampled_row_t *row = row_at(rows, i);
        size_t slot =
            llmlab__crc32c(0, rows->keys.data + row->key_at, row->key_size) &
            (wanted - 1);

        while (slots[slot] != 0) {
            slot = (slot + 1) & (wanted - 1);
        }
        slots[slot] = (uint32_t)i + 1;
    }
    return true;
}

/* The row of the key that was appended last; the key is taken back when the
 * row is there already. NULL when out of memory. */
static llmlab__unsampled_row_t *
find_row(llmlab__unsampled_t *rows, const llmlab__span_view_t *view,
         size_t key_at)
{
    size_t key_size = rows->keys.size - key_at;
    const unsigned char *key = rows->keys.data + key_at;
    size_t mask = rows->slots.size / sizeof(uint32_t) - 1;
    uint32_t *slots = (uint32_t *)(void *)rows->slots.data;
    size_t slot = llmlab__crc32c(0, key, key_size) & mask;
    llmlab__unsampled_row_t *row;

    for (; slots[slot] != 0; slot = (slot + 1) & mask) {
        row = row_at(rows, slots[slot] - 1);
        if (row->key_size == key_size &&
            memcmp(rows->keys.data + row->key_at, key, key_size) == 0) {
            rows->keys.size = key_at;
            return row;
        }
    }
    row = (llmlab__unsampled_row_t *)(void *)llmlab__buf_reserve(&rows->rows,
                                                                 sizeof(*row));
    if (row == NULL) {
        return NULL;
    }
    rows->rows.size += sizeof(*row);
    memset(row, 0, sizeof(*row));
    row->record = view->record;
    row->key_at = key_at;
    row->key_size = key_size;
    slots[slot] = (uint32_t)++rows->row_count;
    return row;
}

static bool
add_number(llmlab__unsampled_t *rows, llmlab__unsampled_row_t *row,
           uint64_t number)
{
    llmlab__unsampled_run_t *run;

    if (row->calls > 0) {
        run = run_at(rows, row->last_run);
        if (run->last + 1 == number) {
            run->last = number;
            return true;
        }
    }
    run = (llmlab__unsampled_run_t *)(void *)llmlab__buf_reserve(&rows->runs,
                                                                 sizeof(*run));
    if (run == NULL) {
        return false;
    }
    rows->runs.size += sizeof(*run);
    run->first = number;
    run->last = number;
    run->next = UINT32_MAX;
    if (row->calls > 0) {
        run_at(rows, row->last_run)->next = (uint32_t)rows->run_count;
    } else {
        row->first_run = (uint32_t)rows->run_count;
    }
    row->last_run = (uint32_t)rows->run_count++;
    return true;
}

static void
add_usage(llmlab_usage_t *sum, const llmlab_usage_t *usage)
{
    uint64_t left = usage->present;

    while (left != 0) {
        int field = __builtin_ctzll(left);

        left &= left - 1;
        if (__builtin_add_overflow(sum->count[field], usage->count[field],
                                   &sum->count[field]) ||
            sum->count[field] > INT64_MAX) {
            sum->count[field] = INT64_MAX;
        }
    }
    sum->present |= usage->present;
}

static void
add_money(llmlab_money_t *sum, llmlab_money_t amount)
{
    if (llmlab_money_add(sum, amount) != LLMLAB_OK) {
        *sum = (llmlab_money_t){UINT64_MAX, UINT64_MAX};
    }
}

bool
llmlab__unsampled_add(llmlab__unsampled_t *rows,
                      const llmlab__span_view_t *view)
{
    const llmlab__record_t *record = view->record;
    size_t key_at = rows->keys.size;
    llmlab__unsampled_row_t *row;

    if (!resize_slots(rows)) {
        return false;
    }
    put_key(&rows->keys, view);
    row = rows->keys.failed ? NULL : find_row(rows, view, key_at);
    if (row == NULL || !add_number(rows, row, view->number)) {
        return false;
    }
    row->calls++;
    if (__builtin_add_overflow(
            row->latency_ns,
            llmlab__elapsed_ns(record->start_ns, record->end_ns),
            &row->latency_ns)) {
        row->latency_ns = INT64_MAX;
    }
    add_usage(&row->usage, &view->usage);
    if (llmlab__view_has_cost(view)) {
        add_money(&row->cost, view->cost);
    }
    if (llmlab__view_has_provider_cost(view)) {
        add_money(&row->provider_cost, view->provider_cost);
    }
    return true;
}

static void
write_numbers(const llmlab__unsampled_t *rows,
              const llmlab__unsampled_row_t *row, llmlab__json_out_t *json)
{
    const llmlab__unsampled_run_t *run;

    llmlab__json_key(json, "n");
    llmlab__json_begin_array(json);
    for (uint32_t i = row->first_run; i != UINT32_MAX; i = run->next) {
        run = run_at(rows, i);
        llmlab__json_begin_array(json);
        llmlab__json_put_uint(json, run->first);
        llmlab__json_put_uint(json, run->last);
        llmlab__json_end_array(json);
    }
    llmlab__json_end_array(json);
}

static void
write_key(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    const llmlab__record_t *record = view->record;
    llmlab__json_out_t *json = &wire->json;

    llmlab__json_key(json, "start");
    llmlab__wire_time(wire, quarter_of(record->start_ns));
    llmlab__json_key(json, "type");
    llmlab__json_put_text(json, llmlab__kind_name(record->kind));
    llmlab__json_key(json, "status");
    llmlab__json_put_text(json, llmlab__outcome_name(record->outcome));
    llmlab__wire_item(wire, "agent", view, LLMLAB__ITEM_AGENT);
    llmlab__wire_item(wire, "user", view, LLMLAB__ITEM_USER);
    llmlab__wire_item(wire, "session", view, LLMLAB__ITEM_SESSION);
    llmlab__wire_tags(wire, view);
    llmlab__wire_item(wire, "provider", view, LLMLAB__ITEM_PROVIDER);
    llmlab__wire_item(wire, "api", view, LLMLAB__ITEM_API);
    llmlab__wire_item(wire, "request_model", view, LLMLAB__ITEM_REQUEST_MODEL);
    llmlab__wire_item(wire, "model", view, LLMLAB__ITEM_MODEL);
    llmlab__wire_item(wire, "service_tier", view, LLMLAB__ITEM_SERVICE_TIER);
    llmlab__wire_item(wire, "region", view, LLMLAB__ITEM_REGION);
    llmlab__wire_item(wire, "speed", view, LLMLAB__ITEM_SPEED);
    llmlab__wire_item(wire, "search_context", view,
                      LLMLAB__ITEM_SEARCH_CONTEXT);
    llmlab__wire_item(wire, "error_type", view, LLMLAB__ITEM_ERROR_TYPE);
    if ((record->flags & LLMLAB__RECORD_BATCH) != 0) {
        llmlab__json_key(json, "batch");
        llmlab__json_put_bool(json, true);
    }
}

static void
write_row(const llmlab__unsampled_t *rows, const llmlab__unsampled_row_t *row,
          llmlab__wire_t *wire)
{
    llmlab__json_out_t *json = &wire->json;
    llmlab__span_view_t view;

    llmlab__span_view(&view, row->record, 0);
    llmlab__json_begin_object(json);
    write_numbers(rows, row, json);
    write_key(wire, &view);
    llmlab__json_key(json, "calls");
    llmlab__json_put_uint(json, row->calls);
    llmlab__json_key(json, "latency_ms");
    llmlab__wire_millionths(wire, row->latency_ns);
    if (row->usage.present != 0) {
        llmlab__json_key(json, "usage");
        llmlab__wire_usage(wire, &row->usage, (llmlab__view_text_t){"", 0});
    }
    if (llmlab__view_has_cost(&view)) {
        llmlab__json_key(json, "cost");
        llmlab__wire_money(wire, row->cost);
    }
    if (llmlab__view_has_provider_cost(&view)) {
        llmlab__json_key(json, "provider_cost");
        llmlab__wire_money(wire, row->provider_cost);
    }
    llmlab__wire_cost_detail(wire, &view);
    llmlab__json_end_object(json);
}

void
llmlab__unsampled_write(const llmlab__unsampled_t *rows, llmlab__wire_t *wire)
{
    llmlab__json_key(&wire->json, "unsampled");
    llmlab__json_begin_array(&wire->json);
    for (size_t i = 0; i < rows->row_count; i++) {
        write_row(rows, row_at(rows, i), wire);
    }
    llmlab__json_end_array(&wire->json);
}
