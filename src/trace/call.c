/* A finished call in one step: encoded straight into the ring. */
#include <string.h>

#include "base/clock.h"
#include "trace/span.h"

/* Identity comes first, so that what is inherited can be told apart. */
enum {
    AGENT,
    USER,
    SESSION,
    NAME,
    PROVIDER,
    API,
    MODEL,
    REQUEST_MODEL,
    RESPONSE_ID,
    FINISH_REASON,
    SERVICE_TIER,
    REGION,
    SPEED,
    ERROR_TYPE,
    ERROR_CODE,
    PRICE_KEY,
    PRICE_TABLE,
    TEXTS
};

typedef struct text_s {
    const char *data;
    uint16_t size;
    uint8_t type;
} text_t;

typedef struct draft_s {
    llmlab__record_t record;
    text_t texts[TEXTS];
    const llmlab__items_t *inherited; /* the parent's identity, or NULL */
    uint64_t usage[1 + LLMLAB_USAGE_CAPACITY];
    uint16_t usage_size;
    bool sampled;
} draft_t;

void
llmlab_call_init(llmlab_call_t *call)
{
    if (call != NULL) {
        memset(call, 0, sizeof(*call));
        call->struct_size = sizeof(*call);
        call->kind = LLMLAB_SPAN_LLM;
    }
}

static inline void
set_text(draft_t *draft, int i, llmlab__item_type_t type, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);

    if (size > UINT16_MAX) {
        size = llmlab__text_cut(text, UINT16_MAX);
        draft->record.flags |= LLMLAB__RECORD_CUT;
    }
    draft->texts[i] = (text_t){text, (uint16_t)size, (uint8_t)type};
}

static void
set_texts(draft_t *draft, const llmlab_call_t *call)
{
    const char *model = call->model != NULL ? call->model : call->request_model;
    const char *name = call->name != NULL ? call->name : model;
    const char *agent = call->agent;

    if (agent == NULL && call->kind == LLMLAB_SPAN_AGENT) {
        agent = name;
    }
    set_text(draft, AGENT, LLMLAB__ITEM_AGENT, agent);
    set_text(draft, USER, LLMLAB__ITEM_USER, call->user);
    set_text(draft, SESSION, LLMLAB__ITEM_SESSION, call->session);
    set_text(draft, NAME, LLMLAB__ITEM_NAME, name);
    set_text(draft, PROVIDER, LLMLAB__ITEM_PROVIDER, call->provider);
    set_text(draft, API, LLMLAB__ITEM_API, call->api);
    set_text(draft, MODEL, LLMLAB__ITEM_MODEL, call->model);
    set_text(draft, REQUEST_MODEL, LLMLAB__ITEM_REQUEST_MODEL,
             call->request_model);
    set_text(draft, RESPONSE_ID, LLMLAB__ITEM_RESPONSE_ID, call->response_id);
    set_text(draft, FINISH_REASON, LLMLAB__ITEM_FINISH_REASON,
             call->finish_reason);
    set_text(draft, SERVICE_TIER, LLMLAB__ITEM_SERVICE_TIER,
             call->service_tier);
    set_text(draft, REGION, LLMLAB__ITEM_REGION, call->region);
    set_text(draft, SPEED, LLMLAB__ITEM_SPEED, call->speed);
    set_text(draft, ERROR_TYPE, LLMLAB__ITEM_ERROR_TYPE, call->error_type);
    set_text(draft, ERROR_CODE, LLMLAB__ITEM_ERROR_CODE, call->error_code);
    set_text(draft, PRICE_KEY, LLMLAB__ITEM_PRICE_KEY, NULL);
    set_text(draft, PRICE_TABLE, LLMLAB__ITEM_PRICE_TABLE, NULL);
}

static void
set_record(llmlab__record_t *record, const llmlab_call_t *call)
{
    record->version = LLMLAB__RECORD_VERSION;
    record->kind = (uint8_t)((unsigned)call->kind < LLMLAB_SPAN_KINDS
                                 ? call->kind
                                 : LLMLAB_SPAN_GENERIC);
    record->outcome = (uint8_t)(call->outcome > LLMLAB_UNSET &&
                                        call->outcome <= LLMLAB_CANCELLED
                                    ? call->outcome
                                    : LLMLAB_SUCCESS);
    if (call->outcome == LLMLAB_UNSET && call->error_type != NULL) {
        record->outcome = LLMLAB_ERROR;
    }
    record->attempt =
        (uint16_t)(call->attempt > 0 && call->attempt <= UINT16_MAX
                       ? call->attempt
                       : 0);
    record->http_status = call->http_status;
    record->ttft_ns = call->ttft_ns;
    record->flags =
        (uint16_t)((call->stream ? LLMLAB__RECORD_STREAM : 0) |
                   (call->batch ? LLMLAB__RECORD_BATCH : 0) |
                   (call->provider_cost ? LLMLAB__RECORD_PROVIDER_COST : 0));
    if (call->start_ns == 0 && call->end_ns == 0) {
        record->start_ns = record->end_ns = llmlab__clock_mono_ns();
    } else {
        record->flags |= LLMLAB__RECORD_REAL_TIME;
        record->start_ns = call->start_ns != 0 ? call->start_ns : call->end_ns;
        record->end_ns = call->end_ns != 0 ? call->end_ns : call->start_ns;
    }
}

static bool
is_call(const llmlab_call_t *call)
{
    switch (call->kind) {
    case LLMLAB_SPAN_LLM:
    case LLMLAB_SPAN_EMBEDDING:
    case LLMLAB_SPAN_RERANK:
        return true;
    case LLMLAB_SPAN_AGENT:
    case LLMLAB_SPAN_CHAIN:
        return false;
    default:
        return call->usage != NULL || call->provider_cost != NULL;
    }
}

static void
set_price(draft_t *draft, const llmlab__tracer_t *tracer,
          const llmlab_call_t *call)
{
    llmlab_call_facts_t facts;
    llmlab_cost_t cost;

    llmlab_call_facts_init(&facts);
    facts.provider = call->provider;
    facts.model = call->model != NULL ? call->model : call->request_model;
    facts.usage = call->usage;
    facts.time_ns = draft->record.start_ns;
    if ((draft->record.flags & LLMLAB__RECORD_REAL_TIME) == 0) {
        facts.time_ns += atomic_load_explicit(&tracer->clock_offset_ns,
                                              memory_order_relaxed);
    }
    facts.service_tier = call->service_tier;
    facts.speed = call->speed;
    facts.region = call->region;
    facts.batch = call->batch;
    llmlab_cost_compute(&cost, tracer->book, &facts);
    llmlab__record_set_cost(&draft->record, &cost);
    if (cost.key != NULL && cost.table != NULL) {
        set_text(draft, PRICE_KEY, LLMLAB__ITEM_PRICE_KEY, cost.key);
        set_text(draft, PRICE_TABLE, LLMLAB__ITEM_PRICE_TABLE, cost.table);
    }
}

static bool
is_written(const draft_t *draft, const text_t *text)
{
    return text->size > 0 &&
           (draft->sampled || text->type == LLMLAB__ITEM_AGENT ||
            text->type == LLMLAB__ITEM_USER ||
            text->type == LLMLAB__ITEM_SESSION ||
            text->type == LLMLAB__ITEM_PRICE_KEY ||
            text->type == LLMLAB__ITEM_PRICE_TABLE ||
            llmlab__item_rolls_up((llmlab__item_type_t)text->type));
}

/* Does the call say itself what this inherited item says? */
static bool
is_overridden(const draft_t *draft, llmlab__item_type_t type)
{
    for (int i = AGENT; i <= SESSION; i++) {
        if (draft->texts[i].type == type && draft->texts[i].size > 0) {
            return true;
        }
    }
    return false;
}

static uint32_t
items_size(const draft_t *draft, const llmlab_call_t *call)
{
    uint32_t size = 0;

    for (int i = 0; i < TEXTS; i++) {
        if (is_written(draft, &draft->texts[i])) {
            size += llmlab__item_room(0, draft->texts[i].size);
        }
    }
    if (draft->usage_size > 0) {
        size += llmlab__item_room(0, draft->usage_size);
    }
    if (call->provider_cost != NULL) {
        size += llmlab__item_room(0, sizeof(*call->provider_cost));
    }
    if (draft->inherited != NULL) {
        size += draft->inherited->used; /* at most: some are overridden */
    }
    return size;
}

static unsigned char *
write_items(unsigned char *at, const draft_t *draft, const llmlab_call_t *call)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    while (draft->inherited != NULL &&
           llmlab__items_next(draft->inherited, &cursor, &item)) {
        if (!is_overridden(draft, item.type)) {
            at = llmlab__item_write(at, (uint8_t)item.type, NULL, 0, item.value,
                                    item.value_size);
        }
    }
    for (int i = 0; i < TEXTS; i++) {
        const text_t *text = &draft->texts[i];

        if (is_written(draft, text)) {
            at = llmlab__item_write(at, text->type, NULL, 0, text->data,
                                    text->size);
        }
    }
    if (draft->usage_size > 0) {
        at = llmlab__item_write(at, LLMLAB__ITEM_USAGE, NULL, 0, draft->usage,
                                draft->usage_size);
    }
    if (call->provider_cost != NULL) {
        uint64_t words[2] = {call->provider_cost->low,
                             call->provider_cost->high};

        at = llmlab__item_write(at, LLMLAB__ITEM_PROVIDER_COST, NULL, 0, words,
                                sizeof(words));
    }
    return at;
}

static void
account_for(const draft_t *draft, const llmlab__tracer_t *tracer,
            llmlab__recorder_t *recorder, const llmlab_call_t *call)
{
    llmlab__account_t account = {
        .sampled = draft->sampled,
        .is_call = (draft->record.flags & LLMLAB__RECORD_CALL) != 0,
        .record = &draft->record,
        .charge = call->provider_cost,
    };

    llmlab_usage_get(call->usage, LLMLAB_USAGE_INPUT_TOKENS,
                     &account.input_tokens);
    llmlab_usage_get(call->usage, LLMLAB_USAGE_OUTPUT_TOKENS,
                     &account.output_tokens);
    if (!llmlab__recorder_account(recorder, &account)) {
        const char *model =
            call->model != NULL ? call->model : call->request_model;

        tracer->hooks.unpriced((llmlab__tracer_t *)(uintptr_t)tracer,
                               call->provider, model);
    }
}

static llmlab_status_t
record_call(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
            const llmlab_call_t *call)
{
    draft_t draft;
    llmlab__record_t *record = &draft.record;
    unsigned char *at;
    unsigned char *end;

    memset(record, 0, sizeof(*record));
    draft.usage_size = 0;
    draft.inherited = NULL;
    set_record(record, call);
    llmlab__trace_identify(tracer, recorder, call->parent, call->traceparent,
                           record);
    draft.sampled = llmlab__tracer_samples(tracer, record->trace_id);
    record->type =
        draft.sampled ? LLMLAB__RECORD_SPAN : LLMLAB__RECORD_UNSAMPLED;
    if (call->parent != NULL && record->parent_id != 0) {
        draft.inherited = &call->parent->identity;
    }
    set_texts(&draft, call);
    if (call->usage != NULL) {
        record->usage_source = LLMLAB_USAGE_PROVIDER;
        record->flags |= LLMLAB__RECORD_USAGE_COMPLETE;
        draft.usage_size = llmlab__usage_pack(call->usage, draft.usage);
    }
    if (call->provider_cost != NULL) {
        record->cost_source = LLMLAB_COST_PROVIDER;
    }
    if (is_call(call)) {
        record->flags |= LLMLAB__RECORD_CALL;
        if (call->usage != NULL) {
            set_price(&draft, tracer, call);
        }
    }
    account_for(&draft, tracer, recorder, call);

    record->items = items_size(&draft, call);
    record->size =
        ((uint32_t)sizeof(*record) + record->items + 7) & ~UINT32_C(7);
    at = llmlab__tracer_claim(tracer, recorder, record->size);
    if (at == NULL) {
        bool too_large =
            record->size > llmlab__ring_max_record(atomic_load(&tracer->rings));

        atomic_fetch_add(&tracer->dropped[too_large ? LLMLAB_DROP_TOO_LARGE
                                                    : LLMLAB_DROP_RING_FULL],
                         1);
        return LLMLAB_EFULL;
    }
    end = write_items(at + sizeof(*record), &draft, call);
    record->items = (uint32_t)(end - at) - (uint32_t)sizeof(*record);
    record->size =
        ((uint32_t)sizeof(*record) + record->items + 7) & ~UINT32_C(7);
    memset(end, 0, record->size - (size_t)(end - at));
    memcpy(at, record, sizeof(*record));
    llmlab__ring_commit(recorder->ring, record->size);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_record_call(llmlab_client_t *client, const llmlab_call_t *call)
{
    llmlab__tracer_t *tracer = llmlab__tracer_of(client);
    llmlab__recorder_t *recorder;
    llmlab_call_t whole;
    llmlab_status_t status;
    llmlab_drop_t why;
    bool live_root;

    if (client == NULL || call == NULL || call->struct_size == 0) {
        return LLMLAB_EINVAL;
    }
    if (!tracer->enabled) {
        return LLMLAB_EDISABLED;
    }
    if (call->struct_size < sizeof(whole)) { /* a program built earlier */
        memset(&whole, 0, sizeof(whole));
        memcpy(&whole, call, call->struct_size);
        call = &whole;
    }
    recorder = llmlab__recorder_enter(tracer, &why);
    if (recorder == NULL) {
        llmlab__tracer_dropped(tracer, why);
        return LLMLAB_EFULL;
    }
    status = record_call(tracer, recorder, call);
    live_root = tracer->live && call->parent == NULL;
    llmlab__recorder_leave(recorder);
    if (live_root && status == LLMLAB_OK) {
        tracer->hooks.root_ended(tracer);
    }
    return status;
}
