#include "services/ingest.h"

#include <string.h>

#include "services/ingest_fields.h"
#include "services/ingest_step.h"

#define MAX_COUNT 1000000

/* The envelope while it is read. */
typedef struct envelope_s {
    llmlab__ingest_t ingest;
    llmlab__problem_t *problem;
    bool refused;
    bool has_schema;
    bool has_instance;
    bool has_batch;
    bool has_traces;
} envelope_t;

void
llmlab__limits_init(llmlab__limits_t *limits)
{
    limits->max_body = 5u << 20;
    limits->max_inflated = 20u << 20;
    limits->max_items = 10000;
    limits->max_depth = 32;
    limits->retention_ns = INT64_C(90) * 86400 * 1000000000;
}

/* The first byte that is not UTF-8, or size. */
static size_t
utf8_check(const unsigned char *text, size_t size)
{
    size_t i = 0;

    while (i < size) {
        uint64_t word;
        unsigned char c = text[i];
        size_t length;

        if (size - i >= 8) {
            memcpy(&word, text + i, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += 8;
                continue;
            }
        }
        if (c < 0x80) {
            i++;
            continue;
        }
        length = c >= 0xc2 && c < 0xe0   ? 2
                 : (c & 0xf0) == 0xe0    ? 3
                 : c >= 0xf0 && c < 0xf5 ? 4
                                         : 0;
        if (length == 0 || size - i < length) {
            return i;
        }
        for (size_t j = 1; j < length; j++) {
            if ((text[i + j] & 0xc0) != 0x80) {
                return i;
            }
        }
        if ((c == 0xe0 && text[i + 1] < 0xa0) ||
            (c == 0xed && text[i + 1] > 0x9f) ||
            (c == 0xf0 && text[i + 1] < 0x90) ||
            (c == 0xf4 && text[i + 1] > 0x8f)) {
            return i;
        }
        i += length;
    }
    return size;
}

static void
refuse(envelope_t *envelope, const char *field, const char *reason)
{
    if (!envelope->refused) {
        envelope->refused = true;
        llmlab__problem(envelope->problem, 422, "schema",
                        "The body does not follow the schema", "%s: %s", field,
                        reason);
        envelope->problem->field = field;
    }
}

static void
refuse_why(envelope_t *envelope, const char *field, const char *why)
{
    if (why != NULL) {
        refuse(envelope, field,
               strcmp(why, "type") == 0        ? "has the wrong type"
               : strcmp(why, "range") == 0     ? "is out of range"
               : strcmp(why, "too_large") == 0 ? "is too long"
                                               : "has the wrong form");
    }
}

static bool
is_uuid(llmlab__text_t text)
{
    if (text.size != 36) {
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        char c = text.data[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? c != '-'
                 : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

static void
text_member(envelope_t *envelope, const char *field, llmlab__text_t *out)
{
    refuse_why(envelope, field,
               llmlab__field_text(&envelope->ingest.json,
                                  &envelope->ingest.batch->arena,
                                  LLMLAB__LABEL_MAX, out));
}

static void
sdk_read(envelope_t *envelope)
{
    llmlab__json_t *json = &envelope->ingest.json;
    llmlab__batch_t *batch = envelope->ingest.batch;
    llmlab__text_t instance = {NULL, 0};
    llmlab__json_text_t key;

    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        refuse(envelope, "sdk", "has the wrong type");
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        if (llmlab__json_key_is(&key, "name")) {
            text_member(envelope, "sdk.name", &batch->sdk_name);
        } else if (llmlab__json_key_is(&key, "version")) {
            text_member(envelope, "sdk.version", &batch->sdk_version);
        } else if (llmlab__json_key_is(&key, "instance")) {
            text_member(envelope, "sdk.instance", &instance);
        } else if (llmlab__json_key_is(&key, "service")) {
            text_member(envelope, "sdk.service", &batch->service);
        } else if (llmlab__json_key_is(&key, "environment")) {
            text_member(envelope, "sdk.environment", &batch->environment);
        } else if (llmlab__json_key_is(&key, "release")) {
            text_member(envelope, "sdk.release", &batch->release);
        } else {
            llmlab__json_skip(json);
        }
    }
    if (batch->sdk_name.size == 0) {
        refuse(envelope, "sdk.name", "is missing");
    }
    if (batch->sdk_version.size == 0) {
        refuse(envelope, "sdk.version", "is missing");
    }
    if (!is_uuid(instance)) {
        refuse(envelope, "sdk.instance", "is not a lower-case UUID");
        return;
    }
    memcpy(batch->instance, instance.data, 36);
    envelope->has_instance = true;
}

static void
count_member(envelope_t *envelope, const char *field, int64_t *out)
{
    uint64_t count = 0;

    refuse_why(envelope, field,
               llmlab__field_number(&envelope->ingest.json, &count));
    *out = (int64_t)count;
}

static void
dropped_read(envelope_t *envelope, int64_t *out)
{
    llmlab__json_t *json = &envelope->ingest.json;
    llmlab__json_text_t key;

    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        refuse(envelope, "batch.totals.dropped", "has the wrong type");
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        int64_t count = 0;

        count_member(envelope, "batch.totals.dropped", &count);
        if (__builtin_add_overflow(*out, count, out)) {
            *out = INT64_MAX;
        }
    }
}

static void
totals_read(envelope_t *envelope)
{
    llmlab__json_t *json = &envelope->ingest.json;
    llmlab__totals_t *totals = &envelope->ingest.batch->totals;
    llmlab__json_text_t key;
    unsigned seen = 0;

    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        refuse(envelope, "batch.totals", "has the wrong type");
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        if (llmlab__json_key_is(&key, "accepted")) {
            count_member(envelope, "batch.totals.accepted", &totals->accepted);
            seen |= 1;
        } else if (llmlab__json_key_is(&key, "delivered")) {
            count_member(envelope, "batch.totals.delivered",
                         &totals->delivered);
            seen |= 2;
        } else if (llmlab__json_key_is(&key, "rejected")) {
            count_member(envelope, "batch.totals.rejected", &totals->rejected);
            seen |= 4;
        } else if (llmlab__json_key_is(&key, "dead")) {
            count_member(envelope, "batch.totals.dead", &totals->dead);
        } else if (llmlab__json_key_is(&key, "unsampled")) {
            count_member(envelope, "batch.totals.unsampled",
                         &totals->unsampled);
        } else if (llmlab__json_key_is(&key, "dropped")) {
            dropped_read(envelope, &totals->dropped);
            seen |= 8;
        } else {
            llmlab__json_skip(json);
        }
    }
    if (seen != 15) {
        refuse(envelope, "batch.totals",
               "needs accepted, delivered, rejected, dropped");
    }
}

static bool
items_left(envelope_t *envelope)
{
    llmlab__ingest_t *ingest = &envelope->ingest;

    if (ingest->items < ingest->limits->max_items) {
        return true;
    }
    if (!envelope->refused) {
        envelope->refused = true;
        llmlab__problem(
            envelope->problem, 413, "too-many-items", "Too many records",
            "the batch holds more than %zu records", ingest->limits->max_items);
        envelope->problem->has_limit = true;
        envelope->problem->limit = ingest->limits->max_items;
    }
    llmlab__json_skip(&ingest->json);
    return false;
}

/* Read each element of an array of records. */
static void
records_read(envelope_t *envelope, const char *field,
             void (*read)(llmlab__ingest_t *))
{
    llmlab__json_t *json = &envelope->ingest.json;

    if (!llmlab__json_enter_array(json)) {
        llmlab__json_skip(json);
        refuse(envelope, field, "has the wrong type");
        return;
    }
    while (llmlab__json_next_element(json)) {
        if (items_left(envelope)) {
            read(&envelope->ingest);
        }
    }
}

static void
batch_read(envelope_t *envelope)
{
    llmlab__json_t *json = &envelope->ingest.json;
    llmlab__batch_t *batch = envelope->ingest.batch;
    llmlab__json_text_t key;
    int64_t sent_at;
    unsigned seen = 0;

    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        refuse(envelope, "batch", "has the wrong type");
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        if (llmlab__json_key_is(&key, "first")) {
            refuse_why(envelope, "batch.first",
                       llmlab__field_number(json, &batch->first));
            seen |= 1;
        } else if (llmlab__json_key_is(&key, "count")) {
            refuse_why(envelope, "batch.count",
                       llmlab__field_number(json, &batch->count));
            seen |= 2;
        } else if (llmlab__json_key_is(&key, "sent_at")) {
            refuse_why(envelope, "batch.sent_at",
                       llmlab__field_time(json, &sent_at));
            seen |= 4;
        } else if (llmlab__json_key_is(&key, "totals")) {
            totals_read(envelope);
            seen |= 8;
        } else if (llmlab__json_key_is(&key, "unsampled")) {
            records_read(envelope, "batch.unsampled", llmlab__ingest_unsampled);
        } else {
            llmlab__json_skip(json);
        }
    }
    if (seen != 15) {
        refuse(envelope,
               !(seen & 1)   ? "batch.first"
               : !(seen & 2) ? "batch.count"
               : !(seen & 4) ? "batch.sent_at"
                             : "batch.totals",
               "is missing");
        return;
    }
    if (batch->first == 0 || batch->first >= UINT64_C(1) << 53) {
        refuse(envelope, "batch.first", "is out of range");
    }
    if (batch->count == 0 || batch->count > MAX_COUNT) {
        refuse(envelope, "batch.count", "must be from 1 to 1000000");
    }
    envelope->has_batch = true;
}

/* Turn rows from `first` on into rejections. */
static void
rows_reject(llmlab__ingest_t *ingest, size_t first, const char *field,
            const char *why)
{
    llmlab__batch_t *batch = ingest->batch;

    for (size_t i = first; i < batch->row_count; i++) {
        llmlab__rejection_t *rejection = llmlab__batch_add_rejection(batch);

        if (rejection == NULL) {
            ingest->failed = true;
            return;
        }
        rejection->span_id = batch->rows[i].span_id;
        rejection->number = batch->rows[i].number;
        rejection->field = field;
        rejection->type = why;
    }
    batch->row_count = first;
}

static void
trace_read(llmlab__ingest_t *ingest)
{
    llmlab__json_t *json = &ingest->json;
    llmlab__batch_t *batch = ingest->batch;
    envelope_t *envelope = (envelope_t *)(void *)ingest;
    llmlab__trace_defaults_t defaults = {0};
    size_t first = batch->row_count;
    size_t first_rejection = batch->rejection_count;
    const char *id_bad = "missing";
    const char *bad = NULL;
    llmlab__json_text_t key;

    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        refuse(envelope, "traces", "must hold objects");
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        const char *why = NULL;

        if (llmlab__json_key_is(&key, "trace_id")) {
            id_bad = llmlab__field_id(json, 32, &defaults.trace_high,
                                      &defaults.trace_low);
        } else if (llmlab__json_key_is(&key, "agent_name")) {
            why = llmlab__field_text(json, &batch->arena, LLMLAB__LABEL_MAX,
                                     &defaults.agent);
        } else if (llmlab__json_key_is(&key, "user")) {
            why = llmlab__field_text(json, &batch->arena, LLMLAB__LABEL_MAX,
                                     &defaults.user);
        } else if (llmlab__json_key_is(&key, "session")) {
            why = llmlab__field_text(json, &batch->arena, LLMLAB__LABEL_MAX,
                                     &defaults.session);
        } else if (llmlab__json_key_is(&key, "tags")) {
            why = llmlab__field_tags(json, &batch->arena, &defaults.tags);
        } else if (llmlab__json_key_is(&key, "steps")) {
            records_read(envelope, "traces.steps", llmlab__ingest_step);
        } else {
            llmlab__json_skip(json);
        }
        bad = bad == NULL ? why : bad;
    }
    if (id_bad != NULL) {
        rows_reject(ingest, first, "trace_id", id_bad);
        return;
    }
    /* Advisory: a fault in it costs nothing but itself. */
    (void)bad;
    llmlab__ingest_settle(ingest, first, first_rejection, &defaults);
    if (defaults.agent.size + defaults.user.size + defaults.session.size > 0) {
        llmlab__trace_fill_t *fill = llmlab__batch_add_fill(batch);

        if (fill == NULL) {
            ingest->failed = true;
            return;
        }
        fill->trace_high = defaults.trace_high;
        fill->trace_low = defaults.trace_low;
        fill->agent = defaults.agent;
        fill->user = defaults.user;
        fill->session = defaults.session;
    }
}

static void
traces_read(envelope_t *envelope)
{
    llmlab__json_t *json = &envelope->ingest.json;

    if (!llmlab__json_enter_array(json)) {
        llmlab__json_skip(json);
        refuse(envelope, "traces", "has the wrong type");
        return;
    }
    while (llmlab__json_next_element(json)) {
        trace_read(&envelope->ingest);
    }
    envelope->has_traces = true;
}

static void
schema_read(envelope_t *envelope)
{
    uint64_t schema = 0;

    if (llmlab__field_number(&envelope->ingest.json, &schema) != NULL ||
        schema != 1) {
        refuse(envelope, "schema", "must be 1");
    }
    envelope->has_schema = true;
}

static bool
malformed(const envelope_t *envelope)
{
    const llmlab__json_t *json = &envelope->ingest.json;
    llmlab__problem_t *problem = envelope->problem;

    if (strcmp(json->error, "nested too deeply") == 0) {
        llmlab__problem(problem, 400, "too-deep", "The JSON is nested too deep",
                        "more than %u levels at byte %zu",
                        envelope->ingest.limits->max_depth,
                        llmlab__json_offset(json));
        problem->has_limit = true;
        problem->limit = envelope->ingest.limits->max_depth;
    } else {
        llmlab__problem(problem, 400, "malformed-json", "The JSON is malformed",
                        "%s at byte %zu", json->error,
                        llmlab__json_offset(json));
    }
    problem->has_offset = true;
    problem->offset = llmlab__json_offset(json);
    return false;
}

static void
envelope_read(envelope_t *envelope)
{
    llmlab__json_t *json = &envelope->ingest.json;
    llmlab__json_text_t key;

    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        refuse(envelope, "body", "must be an object");
    } else {
        while (llmlab__json_next_key(json, &key)) {
            if (llmlab__json_key_is(&key, "schema")) {
                schema_read(envelope);
            } else if (llmlab__json_key_is(&key, "sdk")) {
                sdk_read(envelope);
            } else if (llmlab__json_key_is(&key, "batch")) {
                batch_read(envelope);
            } else if (llmlab__json_key_is(&key, "traces")) {
                traces_read(envelope);
            } else if (llmlab__json_key_is(&key, "scores")) {
                records_read(envelope, "scores", llmlab__ingest_score);
            } else {
                llmlab__json_skip(json);
            }
        }
        if (!envelope->has_schema) {
            refuse(envelope, "schema", "is missing");
        }
        if (!envelope->has_instance) {
            refuse(envelope, "sdk", "is missing");
        }
        if (!envelope->has_batch) {
            refuse(envelope, "batch", "is missing");
        }
        if (!envelope->has_traces) {
            refuse(envelope, "traces", "is missing");
        }
    }
    (void)llmlab__json_at_end(json);
}

/* Numbers that the batch does not speak for. */
static bool
number_within(const llmlab__batch_t *batch, uint64_t number)
{
    return number >= batch->first && number - batch->first < batch->count;
}

static bool
reject_number(llmlab__ingest_t *ingest, const llmlab__row_t *row,
              uint64_t number)
{
    llmlab__rejection_t *rejection = llmlab__batch_add_rejection(ingest->batch);

    if (rejection == NULL) {
        ingest->failed = true;
        return false;
    }
    if (row != NULL && row->span_id != 0) {
        rejection->has_trace = true;
        rejection->trace_high = row->trace_high;
        rejection->trace_low = row->trace_low;
        rejection->span_id = row->span_id;
    }
    rejection->number = number;
    rejection->field = "n";
    rejection->type = "range";
    return true;
}

static void
numbers_check(llmlab__ingest_t *ingest)
{
    llmlab__batch_t *batch = ingest->batch;

    for (size_t i = 0; i < batch->row_count; i++) {
        llmlab__row_t *row = &batch->rows[i];

        if (!number_within(batch, row->number) &&
            reject_number(ingest, row, row->number)) {
            row->verdict = LLMLAB__ROW_REJECTED;
        }
    }
    for (size_t i = 0; i < batch->unsampled_count; i++) {
        llmlab__row_t *row = &batch->unsampled[i];
        uint64_t last =
            row->pair_count == 0 ? 0 : row->pairs[2 * row->pair_count - 1];

        if (row->verdict != LLMLAB__ROW_REJECTED &&
            (!number_within(batch, row->number) ||
             !number_within(batch, last)) &&
            reject_number(ingest, NULL, row->number)) {
            row->verdict = LLMLAB__ROW_REJECTED;
        }
    }
    for (size_t i = 0; i < batch->score_count; i++) {
        llmlab__score_row_t *score = &batch->scores[i];

        if (!number_within(batch, score->number) &&
            reject_number(ingest, NULL, score->number)) {
            score->verdict = LLMLAB__ROW_REJECTED;
        }
    }
}

bool
llmlab__ingest_parse(llmlab__batch_t *batch, const llmlab__limits_t *limits,
                     const llmlab_price_book_t *book,
                     llmlab__problem_t *problem)
{
    envelope_t envelope = {
        .ingest = {.batch = batch, .limits = limits, .book = book},
        .problem = problem};
    llmlab__json_t *json = &envelope.ingest.json;
    size_t bad = utf8_check(batch->body.data, batch->body.size);

    if (bad != batch->body.size) {
        llmlab__problem(problem, 400, "malformed-json", "The JSON is malformed",
                        "not UTF-8 at byte %zu", bad);
        problem->has_offset = true;
        problem->offset = bad;
        return false;
    }
    llmlab__json_init(json, (const char *)batch->body.data, batch->body.size);
    json->max_depth = limits->max_depth < LLMLAB__JSON_DEPTH
                          ? limits->max_depth
                          : LLMLAB__JSON_DEPTH;
    envelope_read(&envelope);
    if (json->error != NULL) {
        return malformed(&envelope);
    }
    if (json->at != json->end && !llmlab__json_at_end(json)) {
        llmlab__problem(problem, 400, "malformed-json", "The JSON is malformed",
                        "something follows the JSON at byte %zu",
                        llmlab__json_offset(json));
        problem->has_offset = true;
        problem->offset = llmlab__json_offset(json);
        return false;
    }
    if (envelope.refused) {
        return false;
    }
    numbers_check(&envelope.ingest);
    if (envelope.ingest.failed) {
        return llmlab__problem(problem, 503, "busy", "No memory for the batch",
                               "try again");
    }
    return true;
}
