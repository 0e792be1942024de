/* A finished call in one step: encoded straight into the ring, priced by the
 * worker. */
#include <string.h>

#include "base/clock.h"
#include "trace/span.h"

/* Nearly all calls fit into this; a larger one is measured first. */
#define USUAL_SIZE 1024

void
llmlab_call_init(llmlab_call_t *call)
{
    static const llmlab_call_t blank = {.struct_size = sizeof(blank),
                                        .kind = LLMLAB_SPAN_LLM};

    if (call != NULL) {
        *call = blank;
    }
}

static inline const char *
name_of(const llmlab_call_t *call)
{
    return call->name != NULL    ? call->name
           : call->model != NULL ? call->model
                                 : call->request_model;
}

static inline const char *
agent_of(const llmlab_call_t *call)
{
    return call->agent != NULL               ? call->agent
           : call->kind == LLMLAB_SPAN_AGENT ? name_of(call)
                                             : NULL;
}

/* The identity that the call takes from its parent, or NULL. */
static inline const llmlab__items_t *
inherited_by(const llmlab_call_t *call)
{
    return call->parent != NULL && llmlab__span_is_open(call->parent) &&
                   call->parent->identity.used > 0
               ? &call->parent->identity
               : NULL;
}

/* All further texts of a call, in the record's order: X(item type, member,
 * whether the short record of an unsampled call carries it). */
#define TEXTS(X)                           \
    X(PROVIDER, provider, true)            \
    X(API, api, false)                     \
    X(MODEL, model, true)                  \
    X(REQUEST_MODEL, request_model, true)  \
    X(RESPONSE_ID, response_id, false)     \
    X(FINISH_REASON, finish_reason, false) \
    X(SERVICE_TIER, service_tier, true)    \
    X(REGION, region, true)                \
    X(SPEED, speed, true)                  \
    X(USER, user, true)                    \
    X(SESSION, session, true)              \
    X(ERROR_TYPE, error_type, false)       \
    X(ERROR_CODE, error_code, false)

/* Room that is kept behind the limit, so that a text is checked by its size
 * alone and the end may be rounded. */
#define MARGIN 16

/* Returns where the next item goes; NULL when there was no room, now or
 * before. */
static __attribute__((noinline)) unsigned char *
put(unsigned char *at, const unsigned char *limit, uint8_t type,
    const char *text, size_t size)
{
    if (size > UINT16_MAX) {
        size = llmlab__text_cut(text, UINT16_MAX);
    }
    if (__builtin_expect(
            at == NULL || at > limit || size > (size_t)(limit - at), 0)) {
        return NULL;
    }
    return size == 0 ? at : llmlab__item_write(at, type, NULL, 0, text, size);
}

static unsigned char *
put_inherited(unsigned char *at, const unsigned char *limit,
              const llmlab_call_t *call)
{
    const llmlab__items_t *inherited = inherited_by(call);
    llmlab__item_view_t item;
    uint32_t walk = 0;

    while (inherited != NULL && llmlab__items_next(inherited, &walk, &item)) {
        if ((item.type == LLMLAB__ITEM_AGENT && agent_of(call) != NULL) ||
            (item.type == LLMLAB__ITEM_USER && call->user != NULL) ||
            (item.type == LLMLAB__ITEM_SESSION && call->session != NULL)) {
            continue;
        }
        at = put(at, limit, (uint8_t)item.type, (const char *)item.value,
                 item.value_size);
    }
    return at;
}

static unsigned char *
put_texts(unsigned char *at, const unsigned char *limit,
          const llmlab_call_t *call, bool sampled)
{
    const char *agent = agent_of(call);
    const char *name = name_of(call);

    if (agent != NULL) {
        at = put(at, limit, LLMLAB__ITEM_AGENT, agent, strlen(agent));
    }
    if (name != NULL && sampled) {
        at = put(at, limit, LLMLAB__ITEM_NAME, name, strlen(name));
    }
#define PUT(type, member, rolls_up)                            \
    if (call->member != NULL && ((rolls_up) || sampled)) {     \
        at = put(at, limit, LLMLAB__ITEM_##type, call->member, \
                 strlen(call->member));                        \
    }
    TEXTS(PUT)
#undef PUT
    return at;
}

static unsigned char *
put_numbers(unsigned char *at, const unsigned char *limit,
            const llmlab_call_t *call)
{
    if (call->usage != NULL) {
        uint64_t packed[1 + LLMLAB_USAGE_CAPACITY];
        uint16_t size = llmlab__usage_pack(call->usage, packed);

        at = put(at, limit, LLMLAB__ITEM_USAGE, (const char *)packed, size);
    }
    if (call->provider_cost != NULL) {
        uint64_t words[2] = {call->provider_cost->low,
                             call->provider_cost->high};

        at = put(at, limit, LLMLAB__ITEM_PROVIDER_COST, (const char *)words,
                 sizeof(words));
    }
    return at;
}

/* Adds to *size at least what a text needs. */
static void
measure_text(uint64_t *size, bool *cut, const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);

    *size += length + 8;
    *cut = *cut || length > UINT16_MAX;
}

static uint64_t
measure(const llmlab_call_t *call, bool *cut)
{
    const llmlab__items_t *inherited = inherited_by(call);
    uint64_t size = sizeof(llmlab__record_t) + sizeof(llmlab_usage_t) +
                    2 * sizeof(llmlab_money_t) + MARGIN +
                    (inherited != NULL ? inherited->used : 0);

    measure_text(&size, cut, agent_of(call));
    measure_text(&size, cut, name_of(call));
#define MEASURE(type, member, rolls_up) measure_text(&size, cut, call->member);
    TEXTS(MEASURE)
#undef MEASURE
    return (size + 7) & ~UINT64_C(7);
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

static inline void
set_record(llmlab__record_t *record, const llmlab_call_t *call)
{
    *record = llmlab__record_blank;
    record->kind =
        (uint8_t)((unsigned)call->kind < LLMLAB_SPAN_KINDS ? call->kind : 0);
    record->outcome = LLMLAB_SUCCESS;
    if (call->outcome > LLMLAB_UNSET && call->outcome <= LLMLAB_CANCELLED) {
        record->outcome = (uint8_t)call->outcome;
    } else if (call->error_type != NULL) {
        record->outcome = LLMLAB_ERROR;
    }
    if (call->attempt > 0 && call->attempt <= UINT16_MAX) {
        record->attempt = (uint16_t)call->attempt;
    }
    record->http_status = call->http_status;
    record->ttft_ns = call->ttft_ns;
    record->flags |= call->stream ? LLMLAB__RECORD_STREAM : 0;
    record->flags |= call->batch ? LLMLAB__RECORD_BATCH : 0;
    if (call->usage != NULL) {
        record->usage_source = LLMLAB_USAGE_PROVIDER;
        record->flags |= LLMLAB__RECORD_USAGE_COMPLETE;
    }
    if (call->provider_cost != NULL) {
        record->cost_source = LLMLAB_COST_PROVIDER;
        record->flags |= LLMLAB__RECORD_PROVIDER_COST;
    }
    if (is_call(call)) {
        record->flags |= LLMLAB__RECORD_CALL | LLMLAB__RECORD_PRICE_LATER;
    }
    if (call->start_ns == 0 && call->end_ns == 0) {
        record->start_ns = record->end_ns = llmlab__clock_mono_ns();
    } else {
        record->flags |= LLMLAB__RECORD_REAL_TIME;
        record->start_ns = call->start_ns != 0 ? call->start_ns : call->end_ns;
        record->end_ns = call->end_ns != 0 ? call->end_ns : call->start_ns;
    }
}

static inline uint64_t
tokens_of(const llmlab_usage_t *usage, llmlab_usage_field_t field)
{
    return usage != NULL && (usage->present >> field & 1) != 0
               ? usage->count[field]
               : 0;
}

static inline void
account_for(llmlab__recorder_t *recorder, const llmlab_call_t *call,
            bool sampled, bool counted)
{
    llmlab__count(&recorder->accepted, 1);
    if (__builtin_expect(!sampled, 0)) {
        llmlab__count(&recorder->unsampled, 1);
    }
    if (!counted) {
        return;
    }
    llmlab__count(&recorder->calls, 1);
    llmlab__count(&recorder->input_tokens,
                  tokens_of(call->usage, LLMLAB_USAGE_INPUT_TOKENS));
    llmlab__count(&recorder->output_tokens,
                  tokens_of(call->usage, LLMLAB_USAGE_OUTPUT_TOKENS));
    if (call->provider_cost != NULL) {
        llmlab__count_cost(recorder, *call->provider_cost);
    }
}

/* It was spent all the same, and no worker will see it. */
static void
price_lost(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
           const llmlab_call_t *call)
{
    llmlab__record_t record;
    llmlab_call_facts_t facts;
    llmlab_cost_t cost;

    set_record(&record, call);
    llmlab_call_facts_init(&facts);
    facts.provider = call->provider;
    facts.model = call->model != NULL ? call->model : call->request_model;
    facts.usage = call->usage;
    facts.time_ns = llmlab__record_start_unix(tracer, &record);
    facts.service_tier = call->service_tier;
    facts.region = call->region;
    facts.speed = call->speed;
    facts.batch = call->batch;
    llmlab_cost_compute(&cost, tracer->book, &facts);
    llmlab__record_set_cost(&record, &cost);
    llmlab__count_lost(recorder, &record);
}

static llmlab_status_t
drop(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
     const llmlab_call_t *call, llmlab_drop_t why)
{
    account_for(recorder, call, true, is_call(call));
    if (is_call(call)) {
        price_lost(tracer, recorder, call);
    }
    atomic_fetch_add_explicit(&tracer->dropped[why], 1, memory_order_release);
    return LLMLAB_EFULL;
}

/* Write the record into a claim of size bytes; its size, or 0 when it did not
 * fit. */
static inline uint32_t
encode(llmlab__record_t *record, uint32_t size, llmlab__tracer_t *tracer,
       llmlab__recorder_t *recorder, const llmlab_call_t *call)
{
    static const uint64_t zero;
    unsigned char *start = (unsigned char *)record;
    const unsigned char *limit = start + size - MARGIN;
    unsigned char *at = start + sizeof(*record);
    bool sampled;

    set_record(record, call);
    llmlab__trace_identify(tracer, recorder, call->parent, call->traceparent,
                           record);
    sampled = llmlab__tracer_samples(tracer, record->trace_id);
    record->type = sampled ? LLMLAB__RECORD_SPAN : LLMLAB__RECORD_UNSAMPLED;
    if (call->parent != NULL) {
        at = put_inherited(at, limit, call);
    }
    at = put_texts(at, limit, call, sampled);
    at = put_numbers(at, limit, call);
    if (at == NULL) {
        return 0;
    }
    memcpy(at, &zero, sizeof(zero)); /* what the rounding adds */
    record->items = (uint32_t)(at - start) - (uint32_t)sizeof(*record);
    record->size = ((uint32_t)(at - start) + 7) & ~UINT32_C(7);
    return record->size;
}

static llmlab_status_t
record_call(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
            const llmlab_call_t *call)
{
    uint32_t most =
        atomic_load_explicit(&tracer->recorders, memory_order_relaxed)
            ->block_bytes;
    uint32_t room = most < USUAL_SIZE ? most : USUAL_SIZE;
    bool cut = false;

    for (;;) {
        llmlab__record_t *record = llmlab__tracer_claim(tracer, recorder, room);
        uint64_t needed;
        uint32_t size;

        if (record == NULL) {
            return drop(tracer, recorder, call, LLMLAB_DROP_RING_FULL);
        }
        size = encode(record, room, tracer, recorder, call);
        if (__builtin_expect(size > 0, 1)) {
            record->flags |= cut ? LLMLAB__RECORD_CUT : 0;
            account_for(recorder, call, record->type == LLMLAB__RECORD_SPAN,
                        (record->flags & LLMLAB__RECORD_CALL) != 0);
            llmlab__ring_commit(recorder->ring, size);
            return LLMLAB_OK;
        }
        /* The claim is forgotten: the next one takes its place. */
        needed = measure(call, &cut);
        if (room >= needed || needed > most) {
            return drop(tracer, recorder, call, LLMLAB_DROP_TOO_LARGE);
        }
        room = (uint32_t)needed;
    }
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
