#include "trace/span.h"

#include <string.h>

#include "base/clock.h"
#include "trace/identify.h"

#define RELAXED memory_order_relaxed

/* Only what a reader of the record may look at is set; the rest of a span's
 * memory keeps what its last use left there. */
static void
reset(llmlab_span_t *span, llmlab__tracer_t *tracer)
{
    span->dirty = false;
    span->set_start = false;
    span->set_end = false;
    span->has_book = false;
    span->tracer = tracer;
    span->items.data = span->items_room;
    span->items.used = 0;
    span->items.room = span->recorders->items_room < LLMLAB__SPAN_ITEMS
                           ? span->recorders->items_room
                           : LLMLAB__SPAN_ITEMS;
    span->items.has = 0;
    span->identity.data = span->identity_room;
    span->identity.used = 0;
    span->identity.room = LLMLAB__SPAN_IDENTITY;
    span->identity.has = 0;
    span->input_tokens = 0;
    memset(&span->prompt, 0, sizeof(span->prompt));
    span->output_tokens = 0;
    span->price_key = NULL;
    span->price_table = NULL;
    span->record = llmlab__record_blank;
}

static void
inherit(llmlab_span_t *span, const llmlab_span_t *parent)
{
    span->identity.used = parent->identity.used;
    span->identity.has = parent->identity.has;
    memcpy(span->identity.data, parent->identity.data, parent->identity.used);
}

/* The first item: it fits unless the name is long. */
static inline void
put_name(llmlab_span_t *span, const char *name, size_t size)
{
    if (span->sampled && size <= LLMLAB__SPAN_ITEMS / 2 &&
        size + 8 <= span->items.room) {
        llmlab__items_append(&span->items, LLMLAB__ITEM_NAME, NULL, 0, name,
                             size);
    } else {
        llmlab__span_put(span, LLMLAB__ITEM_NAME, name, size);
    }
}

static inline llmlab_span_t *
start(llmlab_client_t *client, const llmlab_span_t *parent,
      const char *traceparent, const char *name, size_t name_size,
      llmlab_span_kind_t kind)
{
    llmlab__tracer_t *tracer = llmlab__tracer_of(client);
    llmlab__recorder_t *recorder;
    llmlab_drop_t why;
    llmlab_span_t *span;

    if (client == NULL || !tracer->enabled) {
        return NULL;
    }
    if (name == NULL) {
        name_size = 0;
    }
    recorder = llmlab__recorder_enter(tracer, &why);
    if (recorder == NULL) {
        llmlab__tracer_dropped(tracer, why);
        return NULL;
    }
    span = llmlab__recorder_take_span(
        recorder, atomic_load_explicit(&tracer->recorders, RELAXED));
    if (span == NULL) {
        llmlab__recorder_leave(recorder);
        llmlab__tracer_dropped(tracer, LLMLAB_DROP_NO_MEMORY);
        return NULL;
    }
    reset(span, tracer);
    span->record.kind =
        (uint8_t)((unsigned)kind < LLMLAB_SPAN_KINDS ? kind
                                                     : LLMLAB_SPAN_GENERIC);
    span->record.start_ns = llmlab__clock_mono_ns();
    llmlab__trace_identify(tracer, recorder, parent,
                           llmlab_text_of(traceparent), &span->record);
    span->sampled = llmlab__tracer_samples(tracer, span->record.trace_id);
    if (span->record.parent_id != 0 && traceparent == NULL) {
        inherit(span, parent);
    }
    llmlab__count(&recorder->started, 1);
    atomic_store_explicit(&span->state, LLMLAB__SPAN_OPEN,
                          memory_order_release);
    llmlab__recorder_leave(recorder);

    if (name_size > 0) {
        put_name(span, name, name_size);
        if (kind == LLMLAB_SPAN_AGENT) {
            llmlab_span_set_agent(span, name, name_size);
        }
    }
    return span;
}

llmlab_span_t *
llmlab_span_start_n(llmlab_client_t *client, const llmlab_span_t *parent,
                    const char *name, size_t name_size, llmlab_span_kind_t kind)
{
    return start(client, parent, NULL, name, name_size, kind);
}

llmlab_span_t *
llmlab_span_start(llmlab_client_t *client, const llmlab_span_t *parent,
                  const char *name, llmlab_span_kind_t kind)
{
    return start(client, parent, NULL, name, name == NULL ? 0 : strlen(name),
                 kind);
}

llmlab_span_t *
llmlab_span_start_remote(llmlab_client_t *client, const char *traceparent,
                         const char *name, llmlab_span_kind_t kind)
{
    return start(client, NULL, traceparent, name,
                 name == NULL ? 0 : strlen(name), kind);
}

llmlab_client_t *
llmlab_span_client(const llmlab_span_t *span)
{
    return span == NULL ? NULL : (llmlab_client_t *)(void *)span->tracer;
}

int64_t
llmlab__span_start_unix(const llmlab_span_t *span)
{
    return span->set_start ? span->record.start_ns
                           : span->record.start_ns +
                                 atomic_load_explicit(
                                     &span->tracer->clock_offset_ns, RELAXED);
}

bool
llmlab__span_is_call(const llmlab_span_t *span)
{
    return llmlab__kind_is_call(
        (llmlab_span_kind_t)span->record.kind,
        span->record.usage_source != LLMLAB_USAGE_NONE ||
            (span->record.flags & LLMLAB__RECORD_PROVIDER_COST) != 0);
}

/* One clock for both ends: Unix as soon as one of them was set as such. */
static void
settle_times(llmlab_span_t *span, int64_t now_ns)
{
    int64_t offset =
        atomic_load_explicit(&span->tracer->clock_offset_ns, RELAXED);

    if (!span->set_start && !span->set_end) {
        span->record.end_ns = now_ns;
        return;
    }
    if (!span->set_start) {
        span->record.start_ns += offset;
    }
    if (!span->set_end) {
        span->record.end_ns = now_ns + offset;
    }
    span->record.flags |= LLMLAB__RECORD_REAL_TIME;
}

/* Room for the price's two texts. */
static uint32_t
price_room(const llmlab_span_t *span, size_t *key_size, size_t *table_size)
{
    if (span->price_key == NULL) {
        *key_size = *table_size = 0;
        return 0;
    }
    *key_size = strlen(span->price_key);
    *table_size = strlen(span->price_table);
    return llmlab__item_room(0, (uint32_t)*key_size) +
           llmlab__item_room(0, (uint32_t)*table_size);
}

/* Copy the span into the ring. */
static llmlab_status_t
write_record(llmlab_span_t *span, llmlab__recorder_t *recorder)
{
    llmlab__record_t *record = &span->record;
    size_t key_size;
    size_t table_size;
    unsigned char *at;

    record->items = span->identity.used + span->items.used +
                    price_room(span, &key_size, &table_size);
    record->size =
        ((uint32_t)sizeof(*record) + record->items + 7) & ~UINT32_C(7);
    if (span->input != NULL || span->output != NULL) {
        llmlab__span_send_content(span, recorder);
    }
    at = llmlab__tracer_claim(span->tracer, recorder, record->size);
    if (at == NULL) {
        return LLMLAB_EFULL;
    }
    memset(at + record->size - 4, 0, 4); /* what the rounding added */
    memcpy(at, record, sizeof(*record));
    at += sizeof(*record);
    if (span->identity.used > 0) {
        memcpy(at, span->identity.data, span->identity.used);
        at += span->identity.used;
    }
    memcpy(at, span->items.data, span->items.used);
    at += span->items.used;
    if (span->price_key != NULL) {
        at = llmlab__item_write(at, LLMLAB__ITEM_PRICE_KEY, NULL, 0,
                                span->price_key, key_size);
        llmlab__item_write(at, LLMLAB__ITEM_PRICE_TABLE, NULL, 0,
                           span->price_table, table_size);
    }
    llmlab__ring_commit(recorder->ring, record->size);
    return LLMLAB_OK;
}

static bool
find_charge(const llmlab_span_t *span, llmlab_money_t *out)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    if ((span->record.flags & LLMLAB__RECORD_PROVIDER_COST) == 0) {
        return false;
    }
    while (llmlab__items_next(&span->items, &cursor, &item)) {
        if (item.type == LLMLAB__ITEM_PROVIDER_COST) {
            memcpy(&out->low, item.value, 8);
            memcpy(&out->high, item.value + 8, 8);
            return true;
        }
    }
    return false;
}

/* Who asked for the cost has it in the span; all else is the worker's to price.
 * Counted before the record is published: the worker may deliver it before we
 * go on. */
static void
account_for_call(llmlab_span_t *span, llmlab__recorder_t *recorder)
{
    llmlab__record_t *record = &span->record;
    llmlab_money_t charge;

    record->flags |= LLMLAB__RECORD_CALL;
    llmlab__count(&recorder->calls, 1);
    llmlab__count(&recorder->input_tokens, span->input_tokens);
    llmlab__count(&recorder->output_tokens, span->output_tokens);
    if (find_charge(span, &charge)) {
        llmlab__count_cost(recorder, charge);
    }
    if (span->dirty || record->priced == LLMLAB_UNPRICED) {
        span->price_key = NULL;
        record->flags |= LLMLAB__RECORD_PRICE_LATER;
    } else if ((record->flags & LLMLAB__RECORD_PROVIDER_COST) == 0) {
        llmlab__count_price(recorder, record);
    }
}

static void
give_back(llmlab_span_t *span, llmlab__recorder_t *recorder)
{
    llmlab__recorders_t *recorders = span->recorders;

    llmlab__span_release_book(span);
    if (span->block != NULL || span->input != NULL || span->output != NULL) {
        llmlab__recorder_give_blocks(recorders, span->block);
        llmlab__recorder_give_blocks(recorders, span->input);
        llmlab__recorder_give_blocks(recorders, span->output);
        span->block = span->input = span->output = NULL;
    }
    if (recorder != NULL) {
        llmlab__count(&recorder->ended, 1);
    } else {
        atomic_fetch_add_explicit(&recorders->ended_outside, 1, RELAXED);
    }
    llmlab__recorder_give_span(recorder, recorders, span);
}

/* From open to free: true for one of those that try. */
static bool
close_once(llmlab_span_t *span)
{
    uint32_t open = LLMLAB__SPAN_OPEN;

    return atomic_compare_exchange_strong_explicit(
        &span->state, &open, LLMLAB__SPAN_FREE, memory_order_acq_rel, RELAXED);
}

/* Started in the parent: its memory here is a copy, and the record is the
 * parent's to make. */
static bool
is_parents(llmlab_span_t *span)
{
    uint64_t now = llmlab__generation_now();

    if (__builtin_expect(span->generation == now, 1)) {
        return false;
    }
    now = llmlab__fork_generation();
    llmlab__tracer_note_generation(span->tracer, now);
    return span->generation != now;
}

static llmlab_status_t
end(llmlab_span_t *span, llmlab__recorder_t *recorder, int64_t now_ns)
{
    llmlab__record_t *record = &span->record;
    llmlab_status_t status;

    settle_times(span, now_ns);
    record->type =
        span->sampled ? LLMLAB__RECORD_SPAN : LLMLAB__RECORD_UNSAMPLED;
    if (record->outcome == LLMLAB_UNSET) {
        record->outcome = LLMLAB_SUCCESS;
    }
    llmlab__count(&recorder->accepted, 1);
    if (__builtin_expect(!span->sampled, 0)) {
        llmlab__count(&recorder->unsampled, 1);
    }
    if (llmlab__span_is_call(span)) {
        account_for_call(span, recorder);
    }
    status = write_record(span, recorder);
    if (status != LLMLAB_OK) {
        if ((record->flags & LLMLAB__RECORD_PRICE_LATER) != 0) {
            /* It was spent all the same, and no worker will see it. */
            llmlab__span_price(span);
            llmlab__count_lost(recorder, record);
        }
        atomic_fetch_add_explicit(
            &span->tracer->dropped[record->size > llmlab__ring_max_record(
                                                      span->recorders->rings)
                                       ? LLMLAB_DROP_TOO_LARGE
                                       : LLMLAB_DROP_RING_FULL],
            1, memory_order_release);
    }
    return status;
}

llmlab_status_t
llmlab_span_end(llmlab_span_t *span)
{
    llmlab__recorder_t *recorder;
    llmlab__tracer_t *tracer;
    llmlab_status_t status;
    llmlab_drop_t why;
    int64_t now_ns;
    bool live_root;

    if (span == NULL) {
        return LLMLAB_EINVAL;
    }
    tracer = span->tracer;
    if (is_parents(span)) {
        atomic_fetch_add_explicit(&tracer->stale_ends, 1, RELAXED);
        return LLMLAB_EFORKED;
    }
    now_ns = llmlab__clock_mono_ns();
    if (!close_once(span)) {
        atomic_fetch_add_explicit(&tracer->stale_ends, 1, RELAXED);
        return LLMLAB_ESTALE;
    }
    recorder = llmlab__recorder_enter(tracer, &why);
    if (recorder == NULL) {
        llmlab__tracer_dropped(tracer, why);
        give_back(span, NULL);
        return LLMLAB_EFULL;
    }
    status = end(span, recorder, now_ns);
    live_root = tracer->live && (span->record.flags & LLMLAB__RECORD_ROOT) != 0;
    give_back(span, recorder);
    llmlab__recorder_leave(recorder);
    if (live_root && status == LLMLAB_OK) {
        tracer->hooks.root_ended(tracer);
    }
    return status;
}

void
llmlab_span_discard(llmlab_span_t *span)
{
    llmlab__recorder_t *recorder;
    llmlab_drop_t why;

    if (span == NULL || is_parents(span) || !close_once(span)) {
        return;
    }
    recorder = llmlab__recorder_enter(span->tracer, &why);
    give_back(span, recorder);
    if (recorder != NULL) {
        llmlab__recorder_leave(recorder);
    }
}
