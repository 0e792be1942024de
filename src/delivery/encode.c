#include "delivery/encode.h"

#include <string.h>

#include <llmlab/version.h>

#include "delivery/wire_write.h"

#define FIRST_SLOTS 64
#define END_OF_LIST UINT32_MAX

void
llmlab__encoder_init(llmlab__encoder_t *encoder)
{
    memset(encoder, 0, sizeof(*encoder));
}

void
llmlab__encoder_cleanup(llmlab__encoder_t *encoder)
{
    llmlab__buf_cleanup(&encoder->json);
    llmlab__buf_cleanup(&encoder->entries);
    llmlab__buf_cleanup(&encoder->traces);
    llmlab__buf_cleanup(&encoder->slots);
    llmlab__buf_cleanup(&encoder->chunks);
    llmlab__buf_cleanup(&encoder->scores);
    llmlab__buf_cleanup(&encoder->input);
    llmlab__buf_cleanup(&encoder->output);
    llmlab__unsampled_cleanup(&encoder->unsampled);
}

size_t
llmlab__encoder_memory(const llmlab__encoder_t *encoder)
{
    return encoder->json.capacity + encoder->entries.capacity +
           encoder->traces.capacity + encoder->slots.capacity +
           encoder->chunks.capacity + encoder->scores.capacity +
           encoder->input.capacity + encoder->output.capacity +
           llmlab__unsampled_memory(&encoder->unsampled);
}

static llmlab__encode_entry_t *
entry_at(const llmlab__encoder_t *encoder, size_t i)
{
    return (llmlab__encode_entry_t *)(void *)encoder->entries.data + i;
}

static llmlab__encode_trace_t *
trace_at(const llmlab__encoder_t *encoder, size_t i)
{
    return (llmlab__encode_trace_t *)(void *)encoder->traces.data + i;
}

static const llmlab__encode_entry_t *
score_at(const llmlab__encoder_t *encoder, size_t i)
{
    return (llmlab__encode_entry_t *)(void *)encoder->scores.data + i;
}

static const llmlab__record_t *
chunk_at(const llmlab__encoder_t *encoder, size_t i)
{
    const llmlab__record_t *chunk;

    memcpy(&chunk, encoder->chunks.data + i * sizeof(chunk), sizeof(chunk));
    return chunk;
}

static void
clear(llmlab__encoder_t *encoder)
{
    llmlab__buf_clear(&encoder->json);
    llmlab__buf_clear(&encoder->entries);
    llmlab__buf_clear(&encoder->traces);
    llmlab__buf_clear(&encoder->chunks);
    llmlab__buf_clear(&encoder->scores);
    llmlab__unsampled_clear(&encoder->unsampled);
    encoder->entry_count = 0;
    encoder->trace_count = 0;
    encoder->chunk_count = 0;
    encoder->score_count = 0;
    encoder->corrupt = 0;
}

/* Slots for as many traces as the batch has records. */
static bool
prepare_slots(llmlab__encoder_t *encoder, uint32_t count)
{
    size_t slots = FIRST_SLOTS;

    while (slots < 2 * (size_t)count) {
        slots *= 2;
    }
    llmlab__buf_clear(&encoder->slots);
    if (llmlab__buf_reserve(&encoder->slots, slots * sizeof(uint32_t)) ==
        NULL) {
        return false;
    }
    encoder->slots.size = slots * sizeof(uint32_t);
    memset(encoder->slots.data, 0, encoder->slots.size);
    return true;
}

static bool
has_trace_id(const llmlab__encoder_t *encoder, uint32_t trace,
             const llmlab__record_t *record)
{
    const llmlab__record_t *other =
        entry_at(encoder, trace_at(encoder, trace)->first)->record;

    return other->trace_id[0] == record->trace_id[0] &&
           other->trace_id[1] == record->trace_id[1];
}

/* Link the last entry to its trace, which is made if it is the first. */
static bool
link_entry(llmlab__encoder_t *encoder, const llmlab__record_t *record)
{
    uint32_t entry = (uint32_t)encoder->entry_count - 1;
    uint32_t *slots = (uint32_t *)(void *)encoder->slots.data;
    size_t mask = encoder->slots.size / sizeof(uint32_t) - 1;
    size_t slot = (size_t)(record->trace_id[1] ^ record->trace_id[0]) & mask;
    llmlab__encode_trace_t trace = {entry, entry};

    for (; slots[slot] != 0; slot = (slot + 1) & mask) {
        if (has_trace_id(encoder, slots[slot] - 1, record)) {
            llmlab__encode_trace_t *found = trace_at(encoder, slots[slot] - 1);

            entry_at(encoder, found->last)->next = entry;
            found->last = entry;
            return true;
        }
    }
    llmlab__buf_append(&encoder->traces, &trace, sizeof(trace));
    slots[slot] = (uint32_t)++encoder->trace_count;
    return !encoder->traces.failed;
}

static bool
collect_record(llmlab__encoder_t *encoder, const llmlab__record_t *record,
               uint64_t number)
{
    llmlab__encode_entry_t entry = {record, number, END_OF_LIST};
    llmlab__span_view_t view;

    switch (record->type) {
    case LLMLAB__RECORD_CHUNK:
        llmlab__buf_append(&encoder->chunks, &record, sizeof(record));
        encoder->chunk_count++;
        return !encoder->chunks.failed;
    case LLMLAB__RECORD_UNSAMPLED:
        llmlab__span_view(&view, record, number);
        return llmlab__unsampled_add(&encoder->unsampled, &view);
    case LLMLAB__RECORD_SCORE:
        llmlab__buf_append(&encoder->scores, &entry, sizeof(entry));
        encoder->score_count++;
        return !encoder->scores.failed;
    default:
        llmlab__buf_append(&encoder->entries, &entry, sizeof(entry));
        encoder->entry_count++;
        return !encoder->entries.failed && link_entry(encoder, record);
    }
}

bool
llmlab__batch_at_end(const llmlab__batch_t *batch,
                     const llmlab__segment_cursor_t *cursor)
{
    return cursor->segment == batch->end.segment &&
           cursor->offset >= batch->end.offset;
}

static bool
collect(llmlab__encoder_t *encoder, const llmlab__batch_t *batch)
{
    llmlab__segment_cursor_t cursor = batch->start;
    const llmlab__record_t *record;
    uint64_t number;
    bool sound;

    while (!llmlab__batch_at_end(batch, &cursor) &&
           llmlab__segments_read(&cursor, &record, &number, &sound)) {
        if (sound && !collect_record(encoder, record, number)) {
            return false;
        }
    }
    encoder->corrupt = batch->count;
    encoder->corrupt -= (uint32_t)encoder->entry_count;
    encoder->corrupt -= (uint32_t)encoder->score_count;
    for (size_t i = 0; i < encoder->unsampled.run_count; i++) {
        const llmlab__unsampled_run_t *run =
            (const llmlab__unsampled_run_t *)(const void *)
                encoder->unsampled.runs.data +
            i;

        encoder->corrupt -= (uint32_t)(run->last - run->first) + 1;
    }
    return true;
}

static void
put_optional(llmlab__json_out_t *json, const char *quoted, size_t size,
             const char *text)
{
    if (text[0] != '\0') {
        llmlab__json_key_raw(json, quoted, size);
        llmlab__json_put_text(json, text);
    }
}
#define PUT_OPTIONAL(json, literal, text) \
    put_optional((json), "\"" literal "\":", sizeof(literal) + 2, (text))

static void
write_sender(llmlab__json_out_t *json, const llmlab__sender_t *sender)
{
    llmlab__wire_key(json, "sdk");
    llmlab__json_begin_object(json);
    llmlab__wire_key(json, "name");
    llmlab__json_put_text(json, "libllmlab");
    llmlab__wire_key(json, "version");
    llmlab__json_put_text(json, llmlab_version());
    PUT_OPTIONAL(json, "language", sender->language);
    llmlab__wire_key(json, "instance");
    llmlab__json_put_text(json, sender->instance);
    PUT_OPTIONAL(json, "service", sender->service);
    PUT_OPTIONAL(json, "environment", sender->environment);
    PUT_OPTIONAL(json, "release", sender->release);
    llmlab__json_end_object(json);
}

static void
write_totals(llmlab__json_out_t *json, const llmlab_stats_t *totals)
{
    llmlab__wire_key(json, "totals");
    llmlab__json_begin_object(json);
    llmlab__wire_key(json, "accepted");
    llmlab__json_put_uint(json, totals->accepted);
    llmlab__wire_key(json, "delivered");
    llmlab__json_put_uint(json, totals->delivered);
    llmlab__wire_key(json, "rejected");
    llmlab__json_put_uint(json, totals->rejected);
    llmlab__wire_key(json, "dead");
    llmlab__json_put_uint(json, totals->dead);
    llmlab__wire_key(json, "unsampled");
    llmlab__json_put_uint(json, totals->unsampled);
    llmlab__wire_key(json, "dropped");
    llmlab__json_begin_object(json);
    for (int i = 0; i < LLMLAB_DROP_REASONS; i++) {
        if (totals->dropped[i] > 0) {
            const char *name = llmlab_drop_name((llmlab_drop_t)i);

            llmlab__json_key_n(json, name, strlen(name));
            llmlab__json_put_uint(json, totals->dropped[i]);
        }
    }
    llmlab__json_end_object(json);
    llmlab__json_end_object(json);
}

/* Gather the text that came before a span's record. */
static void
gather_chunks(llmlab__encoder_t *encoder, const llmlab__record_t *record)
{
    llmlab__buf_clear(&encoder->input);
    llmlab__buf_clear(&encoder->output);
    for (size_t i = 0; i < encoder->chunk_count; i++) {
        const llmlab__record_t *chunk = chunk_at(encoder, i);
        llmlab__item_view_t item;
        uint32_t cursor = 0;

        if (chunk->span_id != record->span_id ||
            chunk->trace_id[0] != record->trace_id[0] ||
            chunk->trace_id[1] != record->trace_id[1]) {
            continue;
        }
        while (llmlab__record_next(chunk, &cursor, &item)) {
            llmlab__buf_append(item.type == LLMLAB__ITEM_INPUT
                                   ? &encoder->input
                                   : &encoder->output,
                               item.value, item.value_size);
        }
    }
    if (encoder->input.failed || encoder->output.failed) {
        encoder->json.failed = true;
    }
}

/* What the batch knows of the trace as a whole. */
static void
write_trace_head(llmlab__encoder_t *encoder, llmlab__wire_t *wire,
                 const llmlab__encode_trace_t *trace)
{
    const llmlab__record_t *root = entry_at(encoder, trace->first)->record;
    llmlab_money_t total = {0, 0};
    int64_t start_ns = root->start_ns;
    int64_t end_ns = root->end_ns;
    uint8_t outcome = LLMLAB_SUCCESS;
    llmlab__json_out_t *json = &wire->json;
    llmlab__span_view_t view;

    for (uint32_t i = trace->first; i != END_OF_LIST;) {
        const llmlab__encode_entry_t *entry = entry_at(encoder, i);
        const llmlab__record_t *record = entry->record;
        llmlab_money_t cost = {record->cost[0], record->cost[1]};

        if ((record->flags & LLMLAB__RECORD_PROVIDER_COST) != 0) {
            llmlab__span_view(&view, record, entry->number);
            llmlab__view_effective_cost(&view, &cost);
        }
        if (llmlab_money_add(&total, cost) != LLMLAB_OK) {
            /* Advisory: the server adds up the steps itself. */
            total = (llmlab_money_t){UINT64_MAX, UINT64_MAX};
        }
        start_ns = record->start_ns < start_ns ? record->start_ns : start_ns;
        end_ns = record->end_ns > end_ns ? record->end_ns : end_ns;
        outcome = record->outcome == LLMLAB_ERROR ? LLMLAB_ERROR : outcome;
        if ((record->flags & LLMLAB__RECORD_ROOT) != 0) {
            root = record;
        }
        i = entry->next;
    }
    if (outcome == LLMLAB_SUCCESS && (root->flags & LLMLAB__RECORD_ROOT) != 0) {
        outcome = root->outcome;
    }
    llmlab__span_view(&view, root, 0);
    llmlab__wire_key(json, "trace_id");
    llmlab__wire_trace_id(wire, root->trace_id);
    llmlab__wire_item(wire, "agent_name", &view, LLMLAB__ITEM_AGENT);
    llmlab__wire_item(wire, "user", &view, LLMLAB__ITEM_USER);
    llmlab__wire_item(wire, "session", &view, LLMLAB__ITEM_SESSION);
    llmlab__wire_key(json, "status");
    llmlab__wire_name(json, llmlab__outcome_name(outcome));
    llmlab__wire_key(json, "total_cost");
    llmlab__wire_money(wire, total);
    llmlab__wire_key(json, "duration_ms");
    llmlab__wire_millionths(wire, llmlab__elapsed_ns(start_ns, end_ns));
}

static void
write_trace(llmlab__encoder_t *encoder, llmlab__wire_t *wire,
            const llmlab__encode_trace_t *trace)
{
    llmlab__json_out_t *json = &wire->json;
    llmlab__span_view_t view;

    llmlab__json_begin_object(json);
    write_trace_head(encoder, wire, trace);
    llmlab__wire_key(json, "steps");
    llmlab__json_begin_array(json);
    for (uint32_t i = trace->first; i != END_OF_LIST;) {
        const llmlab__encode_entry_t *entry = entry_at(encoder, i);

        llmlab__span_view(&view, entry->record, entry->number);
        if (encoder->chunk_count > 0) {
            gather_chunks(encoder, entry->record);
        }
        llmlab__wire_step(wire, &view, &encoder->input, &encoder->output);
        i = entry->next;
    }
    llmlab__json_end_array(json);
    llmlab__json_end_object(json);
}

bool
llmlab__encode(llmlab__encoder_t *encoder, const llmlab__sender_t *sender,
               const llmlab__batch_t *batch, const llmlab_stats_t *totals,
               int64_t sent_ns)
{
    llmlab__wire_t wire;
    llmlab__json_out_t *json = &wire.json;

    clear(encoder);
    if (!prepare_slots(encoder, batch->count) || !collect(encoder, batch)) {
        return false;
    }
    if (encoder->chunk_count == 0) {
        llmlab__buf_clear(&encoder->input);
        llmlab__buf_clear(&encoder->output);
    }
    llmlab__wire_init(&wire, &encoder->json);
    llmlab__json_begin_object(json);
    llmlab__wire_key(json, "schema");
    llmlab__json_put_int(json, 1);
    write_sender(json, sender);
    llmlab__wire_key(json, "batch");
    llmlab__json_begin_object(json);
    llmlab__wire_key(json, "first");
    llmlab__json_put_uint(json, batch->first);
    llmlab__wire_key(json, "count");
    llmlab__json_put_uint(json, batch->count);
    llmlab__wire_key(json, "sent_at");
    llmlab__wire_time(&wire, sent_ns);
    write_totals(json, totals);
    llmlab__unsampled_write(&encoder->unsampled, &wire);
    llmlab__json_end_object(json);
    llmlab__wire_key(json, "traces");
    llmlab__json_begin_array(json);
    for (size_t i = 0; i < encoder->trace_count; i++) {
        write_trace(encoder, &wire, trace_at(encoder, i));
    }
    llmlab__json_end_array(json);
    llmlab__wire_key(json, "scores");
    llmlab__json_begin_array(json);
    for (size_t i = 0; i < encoder->score_count; i++) {
        const llmlab__encode_entry_t *score = score_at(encoder, i);

        llmlab__wire_score(&wire, score->record, score->number);
    }
    llmlab__json_end_array(json);
    llmlab__json_end_object(json);
    return !encoder->json.failed;
}
