/* A finished call in one step: encoded straight into the ring, priced by the
 * worker. */
#include <string.h>

#include "base/clock.h"
#include "trace/identify.h"
#include "trace/span.h"

/* Nearly all calls fit into this; a larger one is measured first. */
#define USUAL_SIZE 1024

static inline llmlab_text_t
name_of(const llmlab_call_t *call)
{
    return call->name.size != 0    ? call->name
           : call->model.size != 0 ? call->model
                                   : call->request_model;
}

static inline llmlab_text_t
agent_of(const llmlab_call_t *call)
{
    return call->agent.size == 0 && call->kind == LLMLAB_SPAN_AGENT
               ? name_of(call)
               : call->agent;
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

/* The texts of a call but name and agent. Most calls state those of the first
 * list, few one of the second: X(item type, member, whether the short record of
 * an unsampled call carries it). */
#define USUAL_TEXTS(X)                    \
    X(PROVIDER, provider, true)           \
    X(API, api, false)                    \
    X(MODEL, model, true)                 \
    X(REQUEST_MODEL, request_model, true) \
    X(RESPONSE_ID, response_id, false)    \
    X(FINISH_REASON, finish_reason, false)
#define RARE_TEXTS(X)                   \
    X(SERVICE_TIER, service_tier, true) \
    X(REGION, region, true)             \
    X(SPEED, speed, true)               \
    X(USER, user, true)                 \
    X(SESSION, session, true)           \
    X(ERROR_TYPE, error_type, false)    \
    X(ERROR_CODE, error_code, false)

/* Room that is kept behind the limit, so that a text is checked by its size
 * alone and the end may be rounded. */
#define MARGIN 16

/* Returns where the next item goes; NULL when there was no room, now or
 * before. */
static inline unsigned char *
put(unsigned char *at, const unsigned char *limit, uint8_t type,
    llmlab_text_t text)
{
    uintptr_t end;

    if (text.size == 0) {
        return at;
    }
    if (__builtin_expect(
            at == NULL ||
                __builtin_add_overflow((uintptr_t)at, text.size, &end) ||
                end > (uintptr_t)limit,
            0)) {
        return NULL;
    }
    return llmlab__item_write(at, type, NULL, 0, text.data, text.size);
}

static __attribute__((noinline)) unsigned char *
put_inherited(unsigned char *at, const unsigned char *limit,
              const llmlab_call_t *call)
{
    const llmlab__items_t *inherited = inherited_by(call);
    llmlab__item_view_t item;
    uint32_t walk = 0;

    while (inherited != NULL && llmlab__items_next(inherited, &walk, &item)) {
        llmlab_text_t text = {(const char *)item.value, item.value_size};

        if ((item.type == LLMLAB__ITEM_AGENT && agent_of(call).size != 0) ||
            (item.type == LLMLAB__ITEM_USER && call->user.size != 0) ||
            (item.type == LLMLAB__ITEM_SESSION && call->session.size != 0)) {
            continue;
        }
        at = put(at, limit, (uint8_t)item.type, text);
    }
    return at;
}

static __attribute__((noinline)) unsigned char *
put_rare_texts(unsigned char *at, const unsigned char *limit,
               const llmlab_call_t *call, bool sampled)
{
    at = put(at, limit, LLMLAB__ITEM_AGENT, agent_of(call));
#define PUT(type, member, rolls_up)                             \
    if ((rolls_up) || sampled) {                                \
        at = put(at, limit, LLMLAB__ITEM_##type, call->member); \
    }
    RARE_TEXTS(PUT)
#undef PUT
    return at;
}

static inline bool
has_rare_text(const llmlab_call_t *call)
{
    size_t sizes = call->agent.size;

#define JOIN(type, member, rolls_up) sizes |= call->member.size;
    RARE_TEXTS(JOIN)
#undef JOIN
    return sizes != 0 || call->kind == LLMLAB_SPAN_AGENT;
}

static inline unsigned char *
put_texts(unsigned char *at, const unsigned char *limit,
          const llmlab_call_t *call, bool sampled)
{
    if (sampled) {
        at = put(at, limit, LLMLAB__ITEM_NAME, name_of(call));
    }
#define PUT(type, member, rolls_up)                             \
    if ((rolls_up) || sampled) {                                \
        at = put(at, limit, LLMLAB__ITEM_##type, call->member); \
    }
    USUAL_TEXTS(PUT)
#undef PUT
    return __builtin_expect(has_rare_text(call), 0)
               ? put_rare_texts(at, limit, call, sampled)
               : at;
}

static inline unsigned char *
put_usage(unsigned char *at, const unsigned char *limit,
          const llmlab_usage_t *usage)
{
    llmlab__item_t item = {LLMLAB__ITEM_USAGE, 0, 0};
    uint16_t size;

    if (__builtin_expect(at == NULL ||
                             (uintptr_t)at + sizeof(*usage) > (uintptr_t)limit,
                         0)) {
        return NULL;
    }
    size = llmlab__usage_pack(usage, at + sizeof(item));
    item.value_size = size;
    memcpy(at, &item, sizeof(item));
    return at + sizeof(item) + size;
}

static inline unsigned char *
put_numbers(unsigned char *at, const unsigned char *limit,
            const llmlab_call_t *call)
{
    if (call->usage != NULL) {
        at = put_usage(at, limit, call->usage);
    }
    if (__builtin_expect(call->provider_cost != NULL, 0)) {
        uint64_t words[2] = {call->provider_cost->low,
                             call->provider_cost->high};
        llmlab_text_t bytes = {(const char *)words, sizeof(words)};

        at = put(at, limit, LLMLAB__ITEM_PROVIDER_COST, bytes);
    }
    return at;
}

/* At least what the record of a call needs. */
static uint64_t
measure(const llmlab_call_t *call)
{
    const llmlab__items_t *inherited = inherited_by(call);
    uint64_t size = sizeof(llmlab__record_t) + sizeof(llmlab_usage_t) +
                    2 * sizeof(llmlab_money_t) + MARGIN +
                    (inherited != NULL ? inherited->used : 0) +
                    agent_of(call).size + name_of(call).size + 16;

#define MEASURE(type, member, rolls_up) size += call->member.size + 8;
    USUAL_TEXTS(MEASURE)
    RARE_TEXTS(MEASURE)
#undef MEASURE
    return (size + 7) & ~UINT64_C(7);
}

static bool
cut_text(llmlab_text_t *text)
{
    if (text->size <= UINT16_MAX) {
        return false;
    }
    text->size = llmlab__text_cut(text->data, UINT16_MAX);
    return true;
}

/* Cut texts to what an item holds; was there one to cut? */
static bool
cut_texts(llmlab_call_t *call)
{
    bool cut = cut_text(&call->name) | cut_text(&call->agent);

#define CUT(type, member, rolls_up) cut |= cut_text(&call->member);
    USUAL_TEXTS(CUT)
    RARE_TEXTS(CUT)
#undef CUT
    return cut;
}

static inline bool
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

static inline uint8_t
outcome_of(const llmlab_call_t *call)
{
    if (call->outcome > LLMLAB_UNSET && call->outcome <= LLMLAB_CANCELLED) {
        return (uint8_t)call->outcome;
    }
    return call->error_type.size != 0 ? LLMLAB_ERROR : LLMLAB_SUCCESS;
}

static inline uint16_t
flags_of(const llmlab_call_t *call)
{
    unsigned flags = 0;

    flags |= call->stream ? LLMLAB__RECORD_STREAM : 0U;
    flags |= call->batch ? LLMLAB__RECORD_BATCH : 0U;
    flags |= call->usage != NULL ? LLMLAB__RECORD_USAGE_COMPLETE : 0U;
    flags |= call->provider_cost != NULL ? LLMLAB__RECORD_PROVIDER_COST : 0U;
    flags |=
        is_call(call) ? LLMLAB__RECORD_CALL | LLMLAB__RECORD_PRICE_LATER : 0U;
    return (uint16_t)flags;
}

/* Each member once: all but size, type, ids and items, which come later. */
static inline void
set_record(llmlab__record_t *record, const llmlab_call_t *call)
{
    unsigned kind = (unsigned)call->kind;
    uint16_t flags = flags_of(call);

    record->version = LLMLAB__RECORD_VERSION;
    record->kind = (uint8_t)(kind < LLMLAB_SPAN_KINDS ? kind : 0);
    record->outcome = outcome_of(call);
    record->match = 0;
    record->priced = 0;
    record->usage_source =
        call->usage != NULL ? LLMLAB_USAGE_PROVIDER : LLMLAB_USAGE_NONE;
    record->cost_source =
        call->provider_cost != NULL ? LLMLAB_COST_PROVIDER : LLMLAB_COST_NONE;
    record->attempt =
        (uint16_t)(call->attempt > 0 && call->attempt <= UINT16_MAX
                       ? call->attempt
                       : 0);
    record->ttft_ns = call->ttft_ns;
    record->cost[0] = 0;
    record->cost[1] = 0;
    record->http_status = call->http_status;
    if (call->start_ns == 0 && call->end_ns == 0) {
        record->start_ns = record->end_ns = llmlab__clock_mono_ns();
    } else {
        flags |= LLMLAB__RECORD_REAL_TIME;
        record->start_ns = call->start_ns != 0 ? call->start_ns : call->end_ns;
        record->end_ns = call->end_ns != 0 ? call->end_ns : call->start_ns;
    }
    record->flags = flags;
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

/* A text as the price book takes it; one that is too long has no price. */
static const char *
terminate(char *out, size_t capacity, llmlab_text_t text)
{
    size_t size = text.size < capacity ? text.size : 0;

    if (size > 0) {
        memcpy(out, text.data, size);
    }
    out[size] = '\0';
    return out;
}

/* It was spent all the same, and no worker will see it. */
static void
price_lost(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
           const llmlab_call_t *call)
{
    llmlab__record_t record;
    llmlab__facts_t texts;
    llmlab_call_facts_t facts;
    llmlab_cost_t cost;

    set_record(&record, call);
    llmlab_call_facts_init(&facts);
    facts.provider =
        terminate(texts.provider, sizeof(texts.provider), call->provider);
    facts.model =
        terminate(texts.model, sizeof(texts.model),
                  call->model.size != 0 ? call->model : call->request_model);
    facts.usage = call->usage;
    facts.time_ns = llmlab__record_start_unix(tracer, &record);
    facts.service_tier = terminate(
        texts.service_tier, sizeof(texts.service_tier), call->service_tier);
    facts.region = terminate(texts.region, sizeof(texts.region), call->region);
    facts.speed = terminate(texts.speed, sizeof(texts.speed), call->speed);
    facts.batch = call->batch;
    llmlab_cost_compute(&cost, tracer->book, &facts);
    llmlab__record_set_cost(&record, &cost);
    llmlab__count_lost(recorder, &record);
}

static __attribute__((noinline)) llmlab_status_t
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
    if (__builtin_expect(call->parent != NULL, 0)) {
        at = put_inherited(at, limit, call);
    }
    at = put_texts(at, limit, call, sampled);
    at = put_numbers(at, limit, call);
    if (__builtin_expect(at == NULL, 0)) {
        return 0;
    }
    memcpy(at, &zero, sizeof(zero)); /* what the rounding adds */
    record->items = (uint32_t)(at - start) - (uint32_t)sizeof(*record);
    record->size = ((uint32_t)(at - start) + 7) & ~UINT32_C(7);
    return record->size;
}

static inline llmlab_status_t
commit(llmlab__recorder_t *recorder, const llmlab__record_t *record,
       uint32_t size, const llmlab_call_t *call)
{
    account_for(recorder, call, record->type == LLMLAB__RECORD_SPAN,
                (record->flags & LLMLAB__RECORD_CALL) != 0);
    llmlab__ring_commit(recorder->ring, size);
    return LLMLAB_OK;
}

/* A call that is larger than usual: measured, its texts cut to what an item
 * holds. */
static __attribute__((noinline)) llmlab_status_t
record_large_call(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
                  const llmlab_call_t *call, uint32_t most)
{
    llmlab_call_t fitting = *call;
    bool cut = cut_texts(&fitting);
    uint64_t room = measure(&fitting);
    llmlab__record_t *record;
    uint32_t size;

    if (room > most) {
        return drop(tracer, recorder, call, LLMLAB_DROP_TOO_LARGE);
    }
    record = llmlab__tracer_claim(tracer, recorder, (uint32_t)room);
    if (record == NULL) {
        return drop(tracer, recorder, call, LLMLAB_DROP_RING_FULL);
    }
    size = encode(record, (uint32_t)room, tracer, recorder, &fitting);
    if (size == 0) {
        return drop(tracer, recorder, call, LLMLAB_DROP_TOO_LARGE);
    }
    record->flags |= cut ? LLMLAB__RECORD_CUT : 0;
    return commit(recorder, record, size, call);
}

static inline llmlab_status_t
record_call(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
            const llmlab_call_t *call)
{
    uint32_t most =
        atomic_load_explicit(&tracer->recorders, memory_order_relaxed)
            ->block_bytes;
    uint32_t room = most < USUAL_SIZE ? most : USUAL_SIZE;
    llmlab__record_t *record = llmlab__tracer_claim(tracer, recorder, room);
    uint32_t size;

    if (__builtin_expect(record == NULL, 0)) {
        return drop(tracer, recorder, call, LLMLAB_DROP_RING_FULL);
    }
    size = encode(record, room, tracer, recorder, call);
    if (__builtin_expect(size == 0, 0)) {
        /* The claim is forgotten: the next one takes its place. */
        return record_large_call(tracer, recorder, call, most);
    }
    return commit(recorder, record, size, call);
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
    if (__builtin_expect(call->struct_size < sizeof(whole), 0)) {
        /* a program built earlier */
        memset(&whole, 0, sizeof(whole));
        memcpy(&whole, call, call->struct_size);
        call = &whole;
    }
    recorder = llmlab__recorder_enter(tracer, &why);
    if (__builtin_expect(recorder == NULL, 0)) {
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
