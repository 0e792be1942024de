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
#define RARE_TEXTS(X)                       \
    X(SERVICE_TIER, service_tier, true)     \
    X(REGION, region, true)                 \
    X(SPEED, speed, true)                   \
    X(SEARCH_CONTEXT, search_context, true) \
    X(USER, user, true)                     \
    X(SESSION, session, true)               \
    X(ERROR_TYPE, error_type, false)        \
    X(ERROR_CODE, error_code, false)

/* Room that is kept behind the limit, so that a text is checked by its size
 * alone and the end may be rounded. */
#define MARGIN 16

/* Bytes in an item beside its text, at most. */
#define AROUND 8

/* Write a text that has room for it. */
static inline unsigned char *
write_text(unsigned char *at, uint8_t type, llmlab_text_t text)
{
    return text.size == 0
               ? at
               : llmlab__item_write(at, type, NULL, 0, text.data, text.size);
}

/* Returns where the next item goes; NULL when there was no room, now or
 * before. */
static unsigned char *
put(unsigned char *at, const unsigned char *limit, uint8_t type,
    llmlab_text_t text)
{
    if (at == NULL || at > limit || text.size > (size_t)(limit - at)) {
        return NULL;
    }
    return write_text(at, type, text);
}

static unsigned char *
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

/* What few calls have. */
static __attribute__((noinline)) unsigned char *
put_rare(unsigned char *at, const unsigned char *limit,
         const llmlab_call_t *call, bool sampled)
{
    at = put_inherited(at, limit, call);
    at = put(at, limit, LLMLAB__ITEM_AGENT, agent_of(call));
#define PUT(type, member, rolls_up)                             \
    if ((rolls_up) || sampled) {                                \
        at = put(at, limit, LLMLAB__ITEM_##type, call->member); \
    }
    RARE_TEXTS(PUT)
#undef PUT
    if (call->provider_cost != NULL) {
        uint64_t words[2] = {call->provider_cost->low,
                             call->provider_cost->high};
        llmlab_text_t bytes = {(const char *)words, sizeof(words)};

        at = put(at, limit, LLMLAB__ITEM_PROVIDER_COST, bytes);
    }
    return at;
}

/* Has it nothing of that, a parent among it? */
static inline bool
is_plain(const llmlab_call_t *call)
{
    size_t sizes = call->agent.size | call->traceparent.size;

#define JOIN(type, member, rolls_up) sizes |= call->member.size;
    RARE_TEXTS(JOIN)
#undef JOIN
    return (sizes | (uintptr_t)call->parent | (uintptr_t)call->provider_cost) ==
               0 &&
           call->kind != LLMLAB_SPAN_AGENT;
}

/* At least what write_usual() writes. */
static inline uint64_t
measure_usual(const llmlab_call_t *call)
{
    uint64_t size = name_of(call).size + AROUND + sizeof(llmlab__item_t) +
                    sizeof(llmlab_usage_t);

#define MEASURE(type, member, rolls_up) size += call->member.size + AROUND;
    USUAL_TEXTS(MEASURE)
#undef MEASURE
    return size;
}

/* The room was made sure of. */
static inline unsigned char *
write_usual(unsigned char *at, const llmlab_call_t *call)
{
    at = write_text(at, LLMLAB__ITEM_NAME, name_of(call));
#define WRITE(type, member, rolls_up) \
    at = write_text(at, LLMLAB__ITEM_##type, call->member);
    USUAL_TEXTS(WRITE)
#undef WRITE
    return at;
}

/* The same for the short record of an unsampled call. */
static __attribute__((noinline)) unsigned char *
write_usual_unsampled(unsigned char *at, const llmlab_call_t *call)
{
#define WRITE(type, member, rolls_up)                           \
    if (rolls_up) {                                             \
        at = write_text(at, LLMLAB__ITEM_##type, call->member); \
    }
    USUAL_TEXTS(WRITE)
#undef WRITE
    return at;
}

static inline unsigned char *
write_usage(unsigned char *at, const llmlab_usage_t *usage)
{
    llmlab__item_t item = {LLMLAB__ITEM_USAGE, 0, 0};

    item.value_size = llmlab__usage_pack(usage, at + sizeof(item));
    memcpy(at, &item, sizeof(item));
    return at + sizeof(item) + item.value_size;
}

/* At least what the record of a call needs. */
static uint64_t
measure(const llmlab_call_t *call)
{
    const llmlab__items_t *inherited = inherited_by(call);
    uint64_t size = sizeof(llmlab__record_t) + measure_usual(call) + MARGIN +
                    (inherited != NULL ? inherited->used : 0) +
                    agent_of(call).size + AROUND + sizeof(llmlab_money_t) +
                    AROUND;

#define MEASURE(type, member, rolls_up) size += call->member.size + AROUND;
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
    bool cut = cut_text(&call->name);

    cut |= cut_text(&call->agent);

#define CUT(type, member, rolls_up) cut |= cut_text(&call->member);
    USUAL_TEXTS(CUT)
    RARE_TEXTS(CUT)
#undef CUT
    return cut;
}

static inline bool
is_call(const llmlab_call_t *call)
{
    return llmlab__kind_is_call(call->kind, call->usage != NULL ||
                                                call->provider_cost != NULL);
}

/* Each member once: all but size, type, ids and items, which come later. */
static inline void
set_record(llmlab__record_t *record, const llmlab_call_t *call, bool plain)
{
    unsigned kind = (unsigned)call->kind;
    unsigned flags = 0;

    record->version = LLMLAB__RECORD_VERSION;
    record->kind = (uint8_t)(kind < LLMLAB_SPAN_KINDS ? kind : 0);
    record->outcome = LLMLAB_SUCCESS;
    if (call->outcome > LLMLAB_UNSET && call->outcome <= LLMLAB_CANCELLED) {
        record->outcome = (uint8_t)call->outcome;
    } else if (!plain && call->error_type.size != 0) {
        record->outcome = LLMLAB_ERROR;
    }
    record->match = 0;
    record->priced = 0;
    record->usage_source = LLMLAB_USAGE_NONE;
    record->cost_source = LLMLAB_COST_NONE;
    record->attempt = (uint16_t)((uint32_t)call->attempt <= UINT16_MAX
                                     ? (uint32_t)call->attempt
                                     : 0);
    record->ttft_ns = call->ttft_ns;
    record->cost[0] = 0;
    record->cost[1] = 0;
    record->http_status = call->http_status;
    if (is_call(call)) {
        flags = LLMLAB__RECORD_CALL | LLMLAB__RECORD_PRICE_LATER;
    }
    if (call->usage != NULL) {
        flags |= LLMLAB__RECORD_USAGE_COMPLETE;
        record->usage_source = LLMLAB_USAGE_PROVIDER;
    }
    if (!plain && call->provider_cost != NULL) {
        flags |= LLMLAB__RECORD_PROVIDER_COST;
        record->cost_source = LLMLAB_COST_PROVIDER;
    }
    if (call->stream) {
        flags |= LLMLAB__RECORD_STREAM;
    }
    if (call->batch) {
        flags |= LLMLAB__RECORD_BATCH;
    }
    if (call->start_ns == 0 && call->end_ns == 0) {
        record->start_ns = record->end_ns = llmlab__clock_mono_ns();
    } else {
        flags |= LLMLAB__RECORD_REAL_TIME;
        record->start_ns = call->start_ns != 0 ? call->start_ns : call->end_ns;
        record->end_ns = call->end_ns != 0 ? call->end_ns : call->start_ns;
    }
    record->flags = (uint16_t)flags;
}

static inline void
account_for(llmlab__recorder_t *recorder, const llmlab_call_t *call,
            bool sampled)
{
    const llmlab_usage_t *usage = call->usage;

    llmlab__count(&recorder->accepted, 1);
    if (__builtin_expect(!sampled, 0)) {
        llmlab__count(&recorder->unsampled, 1);
    }
    if (!is_call(call)) {
        return;
    }
    llmlab__count(&recorder->calls, 1);
    if (usage != NULL) {
        if ((usage->present >> LLMLAB_USAGE_INPUT_TOKENS & 1) != 0) {
            llmlab__count(&recorder->input_tokens,
                          usage->count[LLMLAB_USAGE_INPUT_TOKENS]);
        }
        if ((usage->present >> LLMLAB_USAGE_OUTPUT_TOKENS & 1) != 0) {
            llmlab__count(&recorder->output_tokens,
                          usage->count[LLMLAB_USAGE_OUTPUT_TOKENS]);
        }
    }
    if (__builtin_expect(call->provider_cost != NULL, 0)) {
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
    unsigned book = llmlab__books_take(&tracer->books);
    llmlab_cost_t cost;

    set_record(&record, call, false);
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
    facts.search_context =
        terminate(texts.search_context, sizeof(texts.search_context),
                  call->search_context);
    facts.batch = call->batch;
    llmlab_cost_compute(&cost, llmlab__books_at(&tracer->books, book), &facts);
    llmlab__books_release(&tracer->books, book);
    llmlab__record_set_cost(&record, &cost);
    llmlab__count_lost(recorder, &record);
}

static __attribute__((noinline)) llmlab_status_t
drop(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
     const llmlab_call_t *call, llmlab_drop_t why)
{
    account_for(recorder, call, true);
    if (is_call(call)) {
        price_lost(tracer, recorder, call);
    }
    atomic_fetch_add_explicit(&tracer->dropped[why], 1, memory_order_release);
    return LLMLAB_EFULL;
}

/* Write the record into a claim of room bytes and count it; its size, or 0 when
 * it did not fit. Inlined twice, with what is constant where. */
static inline __attribute__((always_inline)) uint32_t
encode(llmlab__record_t *record, uint32_t room, llmlab__tracer_t *tracer,
       llmlab__recorder_t *recorder, const llmlab_call_t *call, bool plain)
{
    static const llmlab_text_t none;
    static const uint64_t zero;
    unsigned char *start = (unsigned char *)record;
    unsigned char *at = start + sizeof(*record);
    bool sampled;

    if (__builtin_expect(measure_usual(call) > room - MARGIN - sizeof(*record),
                         0)) {
        return 0;
    }
    set_record(record, call, plain);
    llmlab__trace_identify(tracer, recorder, plain ? NULL : call->parent,
                           plain ? none : call->traceparent, record);
    sampled = llmlab__tracer_samples(tracer, record->trace_id);
    if (__builtin_expect(sampled, 1)) {
        record->type = LLMLAB__RECORD_SPAN;
        at = write_usual(at, call);
    } else {
        record->type = LLMLAB__RECORD_UNSAMPLED;
        at = write_usual_unsampled(at, call);
    }
    if (call->usage != NULL) {
        at = write_usage(at, call->usage);
    }
    if (!plain) {
        at = put_rare(at, start + room - MARGIN, call, sampled);
        if (at == NULL) {
            return 0;
        }
    }
    memcpy(at, &zero, sizeof(zero)); /* what the rounding adds */
    record->items = (uint32_t)(at - start) - (uint32_t)sizeof(*record);
    record->size = ((uint32_t)(at - start) + 7) & ~UINT32_C(7);
    account_for(recorder, call, sampled);
    return record->size;
}

static __attribute__((noinline)) uint32_t
encode_any(llmlab__record_t *record, uint32_t room, llmlab__tracer_t *tracer,
           llmlab__recorder_t *recorder, const llmlab_call_t *call)
{
    return encode(record, room, tracer, recorder, call, false);
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
    size = encode_any(record, (uint32_t)room, tracer, recorder, &fitting);
    if (size == 0) {
        return drop(tracer, recorder, call, LLMLAB_DROP_TOO_LARGE);
    }
    record->flags |= cut ? LLMLAB__RECORD_CUT : 0;
    llmlab__ring_commit(recorder->ring, size);
    return LLMLAB_OK;
}

static inline llmlab_status_t
record_call(llmlab__tracer_t *tracer, llmlab__recorder_t *recorder,
            const llmlab_call_t *call)
{
    uint32_t most =
        atomic_load_explicit(&tracer->recorders, memory_order_relaxed)
            ->block_bytes;
    llmlab__record_t *record;
    uint32_t size;

    if (__builtin_expect(most < USUAL_SIZE, 0)) {
        return record_large_call(tracer, recorder, call, most);
    }
    record = llmlab__tracer_claim(tracer, recorder, USUAL_SIZE);
    if (__builtin_expect(record == NULL, 0)) {
        return drop(tracer, recorder, call, LLMLAB_DROP_RING_FULL);
    }
    size = is_plain(call)
               ? encode(record, USUAL_SIZE, tracer, recorder, call, true)
               : encode_any(record, USUAL_SIZE, tracer, recorder, call);
    if (__builtin_expect(size == 0, 0)) {
        /* The claim is forgotten: the next one takes its place. */
        return record_large_call(tracer, recorder, call, most);
    }
    llmlab__ring_commit(recorder->ring, size);
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
