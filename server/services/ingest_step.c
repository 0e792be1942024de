#include "services/ingest_step.h"

#include <string.h>

#include "services/ingest_fields.h"
#include "services/pricing_step.h"
#include "store/usage_sums.h"

#define MINUTE_NS  (INT64_C(60) * 1000000000)
#define YEAR_NS    (INT64_C(366) * 86400 * 1000000000)
#define DETAIL_MAX 32 /* members that go into the detail */
#define MAX_NUMBER (UINT64_C(1) << 53)
#define QUARTER_NS (INT64_C(900) * 1000000000)

#define BIT(type) (1u << LLMLAB__JSON_##type)
#define BOOL_BITS (BIT(TRUE) | BIT(FALSE))

typedef enum field_e {
    /* Kept as raw text in the row's detail. */
    FIELD_STRING,
    FIELD_BOOL,
    FIELD_INTEGER,
    FIELD_OBJECT,
    FIELD_ARRAY,
    /* Read. */
    FIELD_SPAN_ID,
    FIELD_PARENT_ID,
    FIELD_NUMBER,
    FIELD_TYPE,
    FIELD_NAME,
    FIELD_AGENT,
    FIELD_USER,
    FIELD_SESSION,
    FIELD_TAGS,
    FIELD_STATUS,
    FIELD_START,
    FIELD_LATENCY,
    FIELD_TTFT,
    FIELD_PROVIDER,
    FIELD_MODEL,
    FIELD_USAGE,
    FIELD_COST,
    FIELD_COST_DETAIL,
    FIELD_PROVIDER_COST,
    FIELD_PAIRS,
    FIELD_CALLS
} field_t;

typedef struct field_row_s {
    const char *name;
    size_t size;
    field_t field;
    bool required;
} field_row_t;

#define FIELD_(name, field, required)                   \
    {                                                   \
        name, sizeof(name) - 1, FIELD_##field, required \
    }

/* In the order in which our own client writes them: the next member is then
 * found at once. */
static const field_row_t step_fields[] = {
    FIELD_("span_id", SPAN_ID, true),
    FIELD_("parent_id", PARENT_ID, false),
    FIELD_("n", NUMBER, true),
    FIELD_("type", TYPE, true),
    FIELD_("name", NAME, true),
    FIELD_("agent", AGENT, false),
    FIELD_("user", USER, false),
    FIELD_("session", SESSION, false),
    FIELD_("tags", TAGS, false),
    FIELD_("status", STATUS, true),
    FIELD_("error", OBJECT, false),
    FIELD_("http_status", INTEGER, false),
    FIELD_("start", START, true),
    FIELD_("latency_ms", LATENCY, true),
    FIELD_("ttft_ms", TTFT, false),
    FIELD_("stream", BOOL, false),
    FIELD_("attempt", INTEGER, false),
    FIELD_("provider", PROVIDER, false),
    FIELD_("api", STRING, false),
    FIELD_("request_model", STRING, false),
    FIELD_("model", MODEL, false),
    FIELD_("response_id", STRING, false),
    FIELD_("finish_reason", STRING, false),
    FIELD_("service_tier", STRING, false),
    FIELD_("region", STRING, false),
    FIELD_("speed", STRING, false),
    FIELD_("batch", BOOL, false),
    FIELD_("prompt", OBJECT, false),
    FIELD_("usage", USAGE, false),
    FIELD_("usage_complete", BOOL, false),
    FIELD_("cost", COST, false),
    FIELD_("cost_detail", COST_DETAIL, false),
    FIELD_("provider_cost", PROVIDER_COST, false),
    FIELD_("fingerprint", STRING, false),
    FIELD_("prefix", ARRAY, false),
    FIELD_("input", STRING, false),
    FIELD_("output", STRING, false),
    FIELD_("tracestate", STRING, false),
    FIELD_("cut", BOOL, false),
    FIELD_("attributes", OBJECT, false),
};
#define STEP_FIELDS (sizeof(step_fields) / sizeof(step_fields[0]))

static const field_row_t unsampled_fields[] = {
    FIELD_("n", PAIRS, true),
    FIELD_("start", START, true),
    FIELD_("type", TYPE, true),
    FIELD_("status", STATUS, true),
    FIELD_("agent", AGENT, false),
    FIELD_("user", USER, false),
    FIELD_("session", SESSION, false),
    FIELD_("tags", TAGS, false),
    FIELD_("provider", PROVIDER, false),
    FIELD_("api", STRING, false),
    FIELD_("request_model", STRING, false),
    FIELD_("model", MODEL, false),
    FIELD_("service_tier", STRING, false),
    FIELD_("region", STRING, false),
    FIELD_("speed", STRING, false),
    FIELD_("batch", BOOL, false),
    FIELD_("error_type", STRING, false),
    FIELD_("calls", CALLS, true),
    FIELD_("latency_ms", LATENCY, false),
    FIELD_("usage", USAGE, false),
    FIELD_("cost", COST, false),
    FIELD_("provider_cost", PROVIDER_COST, false),
    FIELD_("cost_detail", COST_DETAIL, false),
};
#define UNSAMPLED_FIELDS \
    (sizeof(unsampled_fields) / sizeof(unsampled_fields[0]))

static const char *const kind_names[] = {
#define KIND_NAME_(name, value, wire) [value] = wire,
    LLMLAB_SPAN_KIND_MAP(KIND_NAME_)
#undef KIND_NAME_
};
static const char *const outcome_names[] = {NULL, "success", "error",
                                            "cancelled"};
static const char *const source_names[] = {"none", "computed", "provider"};
static const char *const usage_source_names[] = {"none", "provider",
                                                 "estimated"};

/* A record while it is read. */
typedef struct record_s {
    llmlab__ingest_t *ingest;
    llmlab__row_t row;
    llmlab__step_facts_t facts;
    uint64_t seen;
    uint64_t calls;
    const char *bad; /* the first field at fault */
    const char *why;
    bool http_error;
    size_t detail_count;
    size_t detail_size;
    struct {
        const field_row_t *field;
        llmlab__text_t text;
    } detail[DETAIL_MAX];
} record_t;

static const field_row_t *
field_find(const field_row_t *fields, size_t count, size_t *hint,
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

static void
fault(record_t *record, const char *field, const char *why)
{
    if (why != NULL && record->bad == NULL) {
        record->bad = field;
        record->why = why;
    }
}

/* A string that pricing needs, besides being kept. */
static void
facts_text(record_t *record, const field_row_t *field, llmlab__text_t raw)
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
    } else if (strcmp(field->name, "request_model") == 0) {
        facts->request_model = text;
    }
}

static const char *
detail_read(record_t *record, const field_row_t *field)
{
    static const unsigned types[] = {
        [FIELD_STRING] = BIT(STRING),  [FIELD_BOOL] = BOOL_BITS,
        [FIELD_INTEGER] = BIT(NUMBER), [FIELD_OBJECT] = BIT(OBJECT),
        [FIELD_ARRAY] = BIT(ARRAY),
    };
    llmlab__text_t raw = {NULL, 0};
    const char *why =
        llmlab__field_raw(&record->ingest->json, types[field->field], &raw);

    if (why != NULL || raw.data == NULL) {
        return why;
    }
    if (field->field == FIELD_STRING) {
        facts_text(record, field, raw);
    } else if (field->field == FIELD_BOOL &&
               strcmp(field->name, "batch") == 0) {
        record->facts.batch = raw.data[0] == 't';
    } else if (field->field == FIELD_INTEGER) {
        llmlab__json_text_t number = {raw.data, raw.size, false};
        int64_t value;

        if (llmlab__json_int(&number, &value) != 0) {
            return "format";
        }
    }
    if (record->detail_count < DETAIL_MAX) {
        record->detail[record->detail_count].field = field;
        record->detail[record->detail_count].text = raw;
        record->detail_count++;
        record->detail_size += raw.size + field->size + 4;
    }
    return NULL;
}

/* What the client says of the cost; the rest of it is kept as it is. */
static const char *
cost_detail_read(record_t *record, const field_row_t *field)
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
        fault(record, "cost_detail", why);
    }
    if (record->detail_count < DETAIL_MAX) {
        record->detail[record->detail_count].field = field;
        record->detail[record->detail_count].text = raw;
        record->detail_count++;
        record->detail_size += raw.size + field->size + 4;
    }
    return NULL;
}

static const char *
usage_read(record_t *record)
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
    bad = llmlab__usage_scan(json, &record->facts.usage, &type);
    if (bad != NULL) {
        if (json->at == begin) {
            llmlab__json_skip(json);
        }
        fault(record, strcmp(bad, "usage") == 0 ? "usage" : bad, type);
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
pairs_read(record_t *record)
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
parent_read(record_t *record)
{
    llmlab__json_t *json = &record->ingest->json;
    uint64_t unused;

    if (llmlab__json_null(json)) {
        return NULL;
    }
    return llmlab__field_id(json, 16, &unused, &record->row.parent_id);
}

static const char *
start_read(record_t *record)
{
    const llmlab__batch_t *batch = record->ingest->batch;
    const char *why =
        llmlab__field_time(&record->ingest->json, &record->row.start_ns);
    int64_t start = record->row.start_ns;

    if (why != NULL) {
        return why;
    }
    if (start > batch->now_ns + 10 * MINUTE_NS) {
        return "in_future";
    }
    if (start < 0 ||
        (!batch->any_time &&
         start < batch->now_ns - record->ingest->limits->retention_ns)) {
        return "too_old";
    }
    return NULL;
}

static const char *
field_read(record_t *record, const field_row_t *field)
{
    llmlab__json_t *json = &record->ingest->json;
    llmlab__arena_t *arena = &record->ingest->batch->arena;
    llmlab__row_t *row = &record->row;
    llmlab__step_facts_t *facts = &record->facts;
    uint64_t unused;
    const char *why;

    switch (field->field) {
    case FIELD_SPAN_ID:
        return llmlab__field_id(json, 16, &unused, &row->span_id);
    case FIELD_PARENT_ID:
        return parent_read(record);
    case FIELD_NUMBER:
        why = llmlab__field_number(json, &row->number);
        return why == NULL && (row->number == 0 || row->number >= MAX_NUMBER)
                   ? "range"
                   : why;
    case FIELD_TYPE:
        return llmlab__field_enum(json, kind_names, LLMLAB_SPAN_KINDS,
                                  &row->kind);
    case FIELD_NAME:
        return llmlab__field_text(json, arena, LLMLAB__NAME_MAX, &row->name);
    case FIELD_AGENT:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX, &row->agent);
    case FIELD_USER:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX, &row->user);
    case FIELD_SESSION:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX,
                                  &row->session);
    case FIELD_TAGS:
        return llmlab__field_tags(json, arena, &row->tags);
    case FIELD_STATUS:
        return llmlab__field_enum(json, outcome_names, 4, &row->outcome);
    case FIELD_START:
        return start_read(record);
    case FIELD_LATENCY:
        why = llmlab__field_ms(json, &row->duration_ns);
        return why == NULL && row->duration_ns > YEAR_NS ? "range" : why;
    case FIELD_TTFT:
        return llmlab__json_null(json) ? NULL
                                       : llmlab__field_ms(json, &row->ttft_ns);
    case FIELD_PROVIDER:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX,
                                  &row->provider);
    case FIELD_MODEL:
        return llmlab__field_text(json, arena, LLMLAB__LABEL_MAX, &row->model);
    case FIELD_USAGE:
        return usage_read(record);
    case FIELD_COST:
        return llmlab__field_money(json, &facts->has_client_cost,
                                   &facts->client_nano, &facts->client_rest);
    case FIELD_COST_DETAIL:
        return cost_detail_read(record, field);
    case FIELD_PROVIDER_COST:
        return llmlab__field_money(json, &facts->has_provider_cost,
                                   &facts->provider_nano,
                                   &facts->provider_rest);
    case FIELD_PAIRS:
        return pairs_read(record);
    case FIELD_CALLS:
        why = llmlab__field_number(json, &record->calls);
        return why == NULL &&
                       (record->calls == 0 || record->calls >= MAX_NUMBER)
                   ? "range"
                   : why;
    default:
        return detail_read(record, field);
    }
}

static void
record_read(record_t *record, const field_row_t *fields, size_t count)
{
    llmlab__json_t *json = &record->ingest->json;
    llmlab__json_text_t key;
    size_t hint = 0;

    record->row.ttft_ns = -1;
    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        fault(record, "", "type");
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        const field_row_t *field = field_find(fields, count, &hint, &key);
        uint64_t bit;

        if (field == NULL) {
            llmlab__json_skip(json);
            continue;
        }
        bit = UINT64_C(1) << (field - fields);
        if (record->seen & bit) {
            fault(record, field->name, "conflict"); /* said twice */
            llmlab__json_skip(json);
            continue;
        }
        record->seen |= bit;
        fault(record, field->name, field_read(record, field));
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && !(record->seen >> i & 1)) {
            fault(record, fields[i].name, "missing");
        }
    }
}

static void
detail_write(record_t *record)
{
    char *text = llmlab__arena_alloc(&record->ingest->batch->arena,
                                     record->detail_size + 1);
    char *at = text;

    if (text == NULL) {
        record->ingest->failed = true;
        return;
    }
    for (size_t i = 0; i < record->detail_count; i++) {
        const field_row_t *field = record->detail[i].field;

        if (i > 0) {
            *at++ = ',';
        }
        *at++ = '"';
        memcpy(at, field->name, field->size);
        at += field->size;
        *at++ = '"';
        *at++ = ':';
        memcpy(at, record->detail[i].text.data, record->detail[i].text.size);
        at += record->detail[i].text.size;
    }
    record->row.detail.data = text;
    record->row.detail.size = (size_t)(at - text);
}

static void
record_reject(record_t *record)
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

static bool
record_is_call(const record_t *record)
{
    return kind_is_call(record->row.kind) || record->facts.has_usage ||
           record->facts.has_provider_cost;
}

static void
record_init(record_t *record, llmlab__ingest_t *ingest)
{
    /* All but the detail array, of which only the used part is read. */
    memset(record, 0, offsetof(record_t, detail));
    record->ingest = ingest;
    ingest->items++;
}

void
llmlab__ingest_step(llmlab__ingest_t *ingest)
{
    record_t record;
    llmlab__row_t *row;

    record_init(&record, ingest);
    record_read(&record, step_fields, STEP_FIELDS);
    record.facts.is_call = record_is_call(&record);
    if (record.facts.has_usage && record.facts.usage_source == 0) {
        record.facts.usage_source = LLMLAB_USAGE_PROVIDER;
    }
    if (record.bad == NULL && record.row.name.data == NULL) {
        fault(&record, "name", "type");
    }
    if (record.bad == NULL &&
        !llmlab__step_price(&record.row, &record.facts, ingest->book)) {
        fault(&record, "cost", "range");
    }
    if (record.bad != NULL) {
        record_reject(&record);
        return;
    }
    detail_write(&record);
    row = llmlab__batch_add_row(ingest->batch);
    if (row == NULL) {
        ingest->failed = true;
        return;
    }
    *row = record.row;
}

/* What each of a row's calls adds, the row says as a sum. Only the client
 * could price them one by one: a price may depend on a single call's size. */
static bool
unsampled_sums(record_t *record)
{
    llmlab__row_t *row = &record->row;
    llmlab__step_facts_t *facts = &record->facts;
    int64_t *of = row->sums.of;
    int64_t calls = (int64_t)record->calls;
    bool by_provider =
        facts->has_provider_cost &&
        !(facts->has_cost_source && facts->cost_source == LLMLAB_COST_COMPUTED);

    of[LLMLAB__SUM_SPANS] = calls;
    of[LLMLAB__SUM_DURATION_NS] = row->duration_ns;
    if (!record_is_call(record)) {
        return true;
    }
    llmlab__usage_sums(&facts->usage, &row->sums);
    of[LLMLAB__SUM_CALLS] = calls;
    of[LLMLAB__SUM_COST_NANO] =
        by_provider ? facts->provider_nano : facts->client_nano;
    of[LLMLAB__SUM_COST_REST] =
        by_provider ? facts->provider_rest : facts->client_rest;
    of[LLMLAB__SUM_CLIENT_NANO] = facts->client_nano;
    of[LLMLAB__SUM_CLIENT_REST] = facts->client_rest;
    if (!by_provider && !facts->has_client_cost) {
        of[LLMLAB__SUM_UNPRICED] = calls;
    }
    return true;
}

void
llmlab__ingest_unsampled(llmlab__ingest_t *ingest)
{
    record_t record;
    llmlab__row_t *row;
    uint64_t numbers = 0;

    record_init(&record, ingest);
    record_read(&record, unsampled_fields, UNSAMPLED_FIELDS);
    for (size_t i = 0; i < record.row.pair_count; i++) {
        numbers += record.row.pairs[2 * i + 1] - record.row.pairs[2 * i] + 1;
    }
    if (record.bad == NULL && numbers != record.calls) {
        fault(&record, "calls", "conflict");
    }
    (void)unsampled_sums(&record);
    row = llmlab__batch_add_unsampled(ingest->batch);
    if (row == NULL) {
        ingest->failed = true;
        return;
    }
    *row = record.row;
    if (record.bad != NULL) {
        row->verdict = LLMLAB__ROW_REJECTED;
        record_reject(&record);
    }
}

void
llmlab__ingest_score(llmlab__ingest_t *ingest)
{
    llmlab__json_t *json = &ingest->json;
    llmlab__arena_t *arena = &ingest->batch->arena;
    llmlab__score_row_t score = {0};
    record_t record;
    llmlab__json_text_t key;
    unsigned seen = 0;

    record_init(&record, ingest);
    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        fault(&record, "", "type");
        record_reject(&record);
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        llmlab__json_text_t number;
        uint64_t unused;

        if (llmlab__json_key_is(&key, "n")) {
            fault(&record, "n", llmlab__field_number(json, &score.number));
            seen |= 1;
        } else if (llmlab__json_key_is(&key, "trace_id")) {
            fault(&record, "trace_id",
                  llmlab__field_id(json, 32, &score.trace_high,
                                   &score.trace_low));
            seen |= 2;
        } else if (llmlab__json_key_is(&key, "span_id")) {
            if (!llmlab__json_null(json)) {
                fault(&record, "span_id",
                      llmlab__field_id(json, 16, &unused, &score.span_id));
            }
        } else if (llmlab__json_key_is(&key, "name")) {
            fault(&record, "name",
                  llmlab__field_text(json, arena, LLMLAB__LABEL_MAX,
                                     &score.name));
            seen |= score.name.size > 0 ? 4 : 0;
        } else if (llmlab__json_key_is(&key, "at")) {
            fault(&record, "at", llmlab__field_time(json, &score.at_ns));
            seen |= 8;
        } else if (llmlab__json_key_is(&key, "value")) {
            if (llmlab__json_number(json, &number)) {
                score.value = llmlab__json_double(&number);
                score.has_value = true;
            } else if (!llmlab__json_null(json)) {
                llmlab__json_skip(json);
                fault(&record, "value", "type");
            }
        } else if (llmlab__json_key_is(&key, "label")) {
            fault(&record, "label",
                  llmlab__field_text(json, arena, LLMLAB__NAME_MAX,
                                     &score.label));
        } else if (llmlab__json_key_is(&key, "source")) {
            fault(&record, "source",
                  llmlab__field_text(json, arena, LLMLAB__LABEL_MAX,
                                     &score.source));
        } else {
            llmlab__json_skip(json);
        }
    }
    if (seen != 15) {
        fault(&record,
              !(seen & 1)   ? "n"
              : !(seen & 2) ? "trace_id"
              : !(seen & 4) ? "name"
                            : "at",
              "missing");
    }
    record.row.number = score.number;
    record.row.span_id = score.span_id;
    if (record.bad != NULL) {
        record_reject(&record);
    } else {
        llmlab__score_row_t *row = llmlab__batch_add_score(ingest->batch);

        if (row == NULL) {
            ingest->failed = true;
        } else {
            *row = score;
        }
    }
}

void
llmlab__ingest_settle(llmlab__ingest_t *ingest, size_t first,
                      size_t first_rejection,
                      const llmlab__trace_defaults_t *defaults)
{
    llmlab__batch_t *batch = ingest->batch;

    for (size_t i = first; i < batch->row_count; i++) {
        llmlab__row_t *row = &batch->rows[i];

        row->trace_high = defaults->trace_high;
        row->trace_low = defaults->trace_low;
        if (row->agent.size == 0) {
            row->agent = defaults->agent;
        }
        if (row->user.size == 0) {
            row->user = defaults->user;
        }
        if (row->session.size == 0) {
            row->session = defaults->session;
        }
        if (row->tags.size == 0) {
            row->tags = defaults->tags;
        }
    }
    for (size_t i = first_rejection; i < batch->rejection_count; i++) {
        batch->rejections[i].has_trace = true;
        batch->rejections[i].trace_high = defaults->trace_high;
        batch->rejections[i].trace_low = defaults->trace_low;
    }
}
