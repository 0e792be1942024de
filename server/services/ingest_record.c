#include "services/ingest_record.h"

#include <string.h>

#include "store/usage_sums.h"

#define MINUTE_NS  (INT64_C(60) * 1000000000)
#define YEAR_NS    (INT64_C(366) * 86400 * 1000000000)
#define MAX_NUMBER (UINT64_C(1) << 53)

#define BIT(type) (1u << LLMLAB__JSON_##type)
#define BOOL_BITS (BIT(TRUE) | BIT(FALSE))

static const char *const outcome_names[] = {NULL, "success", "error",
                                            "cancelled"};
static const char *const source_names[] = {"none", "computed", "provider"};
static const char *const usage_source_names[] = {"none", "provider",
                                                 "estimated"};

static const llmlab__field_row_t *
field_find(const llmlab__field_row_t *fields, size_t count, size_t *hint,
           const llmlab__json_text_t *key)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = *hint + i < count ? *hint + i : *hint + i - count;

        if (fields[at].size == key->size &&
            memcmp(fields[at].name, key->data, key->size) == 0) {
            *hint = at + 1 == count ? 0 : at + 1;
            return &fields[at];
        }
    }
    return NULL;
}

void
llmlab__record_fault(llmlab__record_state_t *record, const char *field,
                     const char *why)
{
    if (why != NULL && record->bad == NULL) {
        record->bad = field;
        record->why = why;
    }
}

/* A string that pricing needs, besides being kept. */
static void
facts_text(llmlab__record_state_t *record, const llmlab__field_row_t *field,
           llmlab__text_t raw)
{
    llmlab__step_facts_t *facts = &record->facts;
    llmlab__text_t text = {raw.data + 1, raw.size - 2};

    if (memchr(text.data, '\\', text.size) != NULL) {
        return; /* no tier, region or model is written so */
    }
    if (strcmp(field->name, "service_tier") == 0) {
        facts->service_tier = text;
    } else if (strcmp(field->name, "region") == 0) {
        facts->region = text;
    } else if (strcmp(field->name, "speed") == 0) {
        facts->speed = text;
    } else if (strcmp(field->name, "search_context") == 0) {
        facts->search_context = text;
    } else if (strcmp(field->name, "request_model") == 0) {
        facts->request_model = text;
    }
}

static const char *
detail_read(llmlab__record_state_t *record, const llmlab__field_row_t *field)
{
    static const unsigned types[] = {
        [LLMLAB__FIELD_STRING] = BIT(STRING),
        [LLMLAB__FIELD_BOOL] = BOOL_BITS,
        [LLMLAB__FIELD_INTEGER] = BIT(NUMBER),
        [LLMLAB__FIELD_OBJECT] = BIT(OBJECT),
        [LLMLAB__FIELD_ARRAY] = BIT(ARRAY),
    };
    llmlab__text_t raw = {NULL, 0};
    const char *why =
        llmlab__field_raw(&record->ingest->json, types[field->field], &raw);

    if (why != NULL || raw.data == NULL) {
        return why;
    }
    if (field->field == LLMLAB__FIELD_STRING) {
        facts_text(record, field, raw);
    } else if (field->field == LLMLAB__FIELD_BOOL &&
               strcmp(field->name, "batch") == 0) {
        record->facts.batch = raw.data[0] == 't';
    } else if (field->field == LLMLAB__FIELD_INTEGER) {
        llmlab__json_text_t number = {raw.data, raw.size, false};
        int64_t value;

        if (llmlab__json_int(&number, &value) != 0) {
            return "format";
        }
    }
    if (record->detail_count < LLMLAB__DETAIL_MAX) {
        record->detail[record->detail_count].field = field;
        record->detail[record->detail_count].text = raw;
        record->detail_count++;
        record->detail_size += raw.size + field->size + 4;
    }
    return NULL;
}

/* What the client says of the cost; the rest of it is kept as it is. */
static const char *
cost_detail_read(llmlab__record_state_t *record,
                 const llmlab__field_row_t *field)
{
    llmlab__text_t raw = {NULL, 0};
    const char *why =
        llmlab__field_raw(&record->ingest->json, BIT(OBJECT), &raw);
    llmlab__json_t json;
    llmlab__json_text_t key;

    if (why != NULL || raw.data == NULL) {
        return why;
    }
    llmlab__json_init(&json, raw.data, raw.size);
    (void)llmlab__json_enter_object(&json);
    while (llmlab__json_next_key(&json, &key)) {
        if (llmlab__json_key_is(&key, "usage_source")) {
            why = llmlab__field_enum(&json, usage_source_names, 3,
                                     &record->facts.usage_source);
        } else if (llmlab__json_key_is(&key, "cost_source")) {
            why = llmlab__field_enum(&json, source_names, 3,
                                     &record->facts.cost_source);
            record->facts.has_cost_source = why == NULL;
        } else {
            llmlab__json_skip(&json);
        }
        llmlab__record_fault(record, "cost_detail", why);
    }
    if (record->detail_count < LLMLAB__DETAIL_MAX) {
        record->detail[record->detail_count].field = field;
        record->detail[record->detail_count].text = raw;
        record->detail_count++;
        record->detail_size += raw.size + field->size + 4;
    }
    return NULL;
}

static const char *
usage_read(llmlab__record_state_t *record)
{
    llmlab__json_t *json = &record->ingest->json;
    const char *type = NULL;
    const char *begin;
    const char *bad;

    if (llmlab__json_null(json)) {
        return NULL;
    }
    (void)llmlab__json_peek(json);
    begin = json->at;
    bad = llmlab__usage_scan(json, &record->facts.usage, &record->parts, &type);
    record->facts.parts = &record->parts;
    if (bad != NULL) {
        if (json->at == begin) {
            llmlab__json_skip(json);
        }
        llmlab__record_fault(record, strcmp(bad, "usage") == 0 ? "usage" : bad,
                             type);
        return NULL;
    }
    record->facts.has_usage = record->facts.usage.present != 0;
    if (record->facts.has_usage) {
        record->row.usage.data = begin;
        record->row.usage.size = (size_t)(json->at - begin);
    }
    return NULL;
}

static const char *
pairs_read(llmlab__record_state_t *record)
{
    llmlab__ingest_t *ingest = record->ingest;
    llmlab__json_t *json = &ingest->json;
    const char *why = NULL;
    uint64_t *pairs = NULL;
    size_t count = 0;
    size_t capacity = 0;
    uint64_t before = 0;

    if (!llmlab__json_enter_array(json)) {
        llmlab__json_skip(json);
        return "type";
    }
    while (llmlab__json_next_element(json)) {
        uint64_t pair[2] = {0, 0};
        size_t numbers = 0;

        if (!llmlab__json_enter_array(json)) {
            llmlab__json_skip(json);
            why = "type";
            continue;
        }
        while (llmlab__json_next_element(json)) {
            uint64_t number;
            const char *bad = llmlab__field_number(json, &number);

            why = bad != NULL ? bad : why;
            if (numbers < 2) {
                pair[numbers] = number;
            }
            numbers++;
        }
        if (why == NULL && (numbers != 2 || pair[0] <= before ||
                            pair[1] < pair[0] || pair[1] >= MAX_NUMBER)) {
            why = "range";
        }
        before = pair[1];
        if (why != NULL) {
            continue;
        }
        if (count == capacity) {
            size_t wanted = capacity == 0 ? 8 : capacity * 2;
            uint64_t *grown = llmlab__arena_alloc(&ingest->batch->arena,
                                                  wanted * 2 * sizeof(*pairs));

            if (grown == NULL) {
                ingest->failed = true;
                return "no_memory";
            }
            if (count > 0) {
                memcpy(grown, pairs, count * 2 * sizeof(*pairs));
            }
            pairs = grown;
            capacity = wanted;
        }
        pairs[2 * count] = pair[0];
        pairs[2 * count + 1] = pair[1];
        count++;
    }
    record->row.pairs = pairs;
    record->row.pair_count = count;
    if (count > 0) {
        record->row.number = pairs[0];
    }
    return why != NULL ? why : count == 0 ? "missing" : NULL;
}

static const char *
parent_read(llmlab__record_state_t *record)
{
    llmlab__json_t *json = &record->ingest->json;
    uint64_t unused;

    if (llmlab__json_null(json)) {
        return NULL;
    }
    return llmlab__field_id(json, 16, &unused, &record->row.parent_id);
}

static const char *
start_read(llmlab__record_state_t *record)
{
    const llmlab__batch_t *batch = record->ingest->batch;
    const char *why =
        llmlab__field_time(&record->ingest->json, &record->row.start_ns);
    int64_t start = record->row.start_ns;
    int64_t retention = batch->retention_ns != 0
                            ? batch->retention_ns
                            : record->ingest->limits->retention_ns;

    if (why != NULL) {
        return why;
    }
    if (start > batch->now_ns + 10 * MINUTE_NS) {
        return "in_future";
    }
    if (start < 0 || (!batch->any_time && start < batch->now_ns - retention)) {
        return "too_old";
    }
    return NULL;
}

static const char *
field_read(llmlab__record_state_t *record, const llmlab__field_row_t *field)
{
    llmlab__json_t *json = &record->ingest->json;
    llmlab__arena_t *arena = &record->ingest->batch->arena;
    llmlab__row_t *row = &record->row;
    llmlab__step_facts_t *facts = &record->facts;
    uint64_t unused;
    const char *why;

    switch (field->field) {
    case LLMLAB__FIELD_SPAN_ID:
        return llmlab__field_id(json, 16, &unused, &row->span_id);
    case LLMLAB__FIELD_PARENT_ID:
        return parent_read(record);
    case LLMLAB__FIELD_NUMBER:
        why = llmlab__field_number(json, &row->number);
        return why == NULL && (row->number == 0 || row->number >= MAX_NUMBER)
                   ? "range"
                   : why;
    case LLMLAB__FIELD_TYPE:
        return llmlab__field_enum(json, llmlab__kind_names, LLMLAB_SPAN_KINDS,
                                  &row->kind);
    case LLMLAB__FIELD_NAME:
        return llmlab__field_text(json, arena, LLMLAB__NAME_MAX, &row->name);
    case LLMLAB__FIELD_AGENT:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX, &row->agent);
    case LLMLAB__FIELD_USER:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX, &row->user);
    case LLMLAB__FIELD_SESSION:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX,
                                  &row->session);
    case LLMLAB__FIELD_TAGS:
        return llmlab__field_tags(json, arena, &row->tags);
    case LLMLAB__FIELD_STATUS:
        return llmlab__field_enum(json, outcome_names, 4, &row->outcome);
    case LLMLAB__FIELD_START:
        return start_read(record);
    case LLMLAB__FIELD_LATENCY:
        why = llmlab__field_ms(json, &row->duration_ns);
        return why == NULL && row->duration_ns > YEAR_NS ? "range" : why;
    case LLMLAB__FIELD_TTFT:
        return llmlab__json_null(json) ? NULL
                                       : llmlab__field_ms(json, &row->ttft_ns);
    case LLMLAB__FIELD_PROVIDER:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX,
                                  &row->provider);
    case LLMLAB__FIELD_MODEL:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX, &row->model);
    case LLMLAB__FIELD_USAGE:
        return usage_read(record);
    case LLMLAB__FIELD_COST:
        return llmlab__field_money(json, &facts->has_client_cost,
                                   &facts->client_nano, &facts->client_rest);
    case LLMLAB__FIELD_COST_DETAIL:
        return cost_detail_read(record, field);
    case LLMLAB__FIELD_PROVIDER_COST:
        return llmlab__field_money(json, &facts->has_provider_cost,
                                   &facts->provider_nano,
                                   &facts->provider_rest);
    case LLMLAB__FIELD_PAIRS:
        return pairs_read(record);
    case LLMLAB__FIELD_CALLS:
        why = llmlab__field_number(json, &record->calls);
        return why == NULL &&
                       (record->calls == 0 || record->calls >= MAX_NUMBER)
                   ? "range"
                   : why;
    default:
        return detail_read(record, field);
    }
}

void
llmlab__record_read(llmlab__record_state_t *record,
                    const llmlab__field_row_t *fields, size_t count)
{
    llmlab__json_t *json = &record->ingest->json;
    llmlab__json_text_t key;
    size_t hint = 0;

    record->row.ttft_ns = -1;
    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        llmlab__record_fault(record, "", "type");
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        const llmlab__field_row_t *field =
            field_find(fields, count, &hint, &key);
        uint64_t bit;

        if (field == NULL) {
            llmlab__json_skip(json);
            continue;
        }
        bit = UINT64_C(1) << (field - fields);
        if (record->seen & bit) {
            llmlab__record_fault(record, field->name,
                                 "conflict"); /* said twice */
            llmlab__json_skip(json);
            continue;
        }
        record->seen |= bit;
        llmlab__record_fault(record, field->name, field_read(record, field));
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && !(record->seen >> i & 1)) {
            llmlab__record_fault(record, fields[i].name, "missing");
        }
    }
}

void
llmlab__record_reject(llmlab__record_state_t *record)
{
    llmlab__rejection_t *rejection =
        llmlab__batch_add_rejection(record->ingest->batch);

    if (rejection == NULL) {
        record->ingest->failed = true;
        return;
    }
    rejection->span_id = record->row.span_id;
    rejection->number = record->row.number;
    rejection->field = record->bad;
    rejection->type = record->why;
}

static bool
kind_is_call(unsigned kind)
{
    return kind == LLMLAB_SPAN_LLM || kind == LLMLAB_SPAN_EMBEDDING ||
           kind == LLMLAB_SPAN_RERANK;
}

bool
llmlab__record_is_call(const llmlab__record_state_t *record)
{
    return kind_is_call(record->row.kind) || record->facts.has_usage ||
           record->facts.has_provider_cost;
}

void
llmlab__record_init(llmlab__record_state_t *record, llmlab__ingest_t *ingest)
{
    /* All but the detail array, of which only the used part is read. */
    memset(record, 0, offsetof(llmlab__record_state_t, detail));
    record->ingest = ingest;
    ingest->items++;
}
