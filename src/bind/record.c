/* A finished call in one crossing. */
#include <string.h>
#include <strings.h>

#include <llmlab/span.h>

#include "base/clock.h"
#include "base/status.h"
#include "bind/client.h"
#include "bind/document.h"
#include "bind/kept.h"
#include "bind/llmlab_bind.h"

/* A call with the memory its pointers need. */
typedef struct call_s {
    llmlab_call_t call;
    llmlab_usage_t usage;
    llmlab_money_t cost;
    int64_t parent;
} call_t;

typedef enum type_e { TEXT, TIME, NS, SMALL, FLAG } type_t;

#define MEMBER(name, type, field)                                    \
    {                                                                \
        name, sizeof(name) - 1, type, offsetof(llmlab_call_t, field) \
    }

static const struct {
    const char *name;
    size_t size;
    type_t type;
    size_t offset;
} members[] = {
    MEMBER("name", TEXT, name),
    MEMBER("traceparent", TEXT, traceparent),
    MEMBER("provider", TEXT, provider),
    MEMBER("api", TEXT, api),
    MEMBER("model", TEXT, model),
    MEMBER("request_model", TEXT, request_model),
    MEMBER("response_id", TEXT, response_id),
    MEMBER("finish_reason", TEXT, finish_reason),
    MEMBER("service_tier", TEXT, service_tier),
    MEMBER("region", TEXT, region),
    MEMBER("speed", TEXT, speed),
    MEMBER("search_context", TEXT, search_context),
    MEMBER("agent", TEXT, agent),
    MEMBER("user", TEXT, user),
    MEMBER("session", TEXT, session),
    MEMBER("error_type", TEXT, error_type),
    MEMBER("error_code", TEXT, error_code),
    MEMBER("start", TIME, start_ns),
    MEMBER("end", TIME, end_ns),
    MEMBER("start_ns", NS, start_ns),
    MEMBER("end_ns", NS, end_ns),
    MEMBER("ttft_ns", NS, ttft_ns),
    MEMBER("attempt", SMALL, attempt),
    MEMBER("http_status", SMALL, http_status),
    MEMBER("batch", FLAG, batch),
    MEMBER("stream", FLAG, stream),
};

static bool
take_text(llmlab__document_t *document, void *field)
{
    llmlab__string_t string = {NULL, 0};
    llmlab_text_t text;

    if (!llmlab__document_string(document, &string)) {
        return false;
    }
    text.data = string.data;
    text.size = string.data == NULL ? 0 : string.size;
    memcpy(field, &text, sizeof text);
    return true;
}

static bool
take_time(llmlab__document_t *document, void *field)
{
    llmlab__string_t text = {NULL, 0};
    int64_t ns = 0;

    if (!llmlab__document_string(document, &text) ||
        (text.data != NULL &&
         llmlab__time_parse(text.data, text.size, &ns) != 0)) {
        return false;
    }
    memcpy(field, &ns, sizeof ns);
    return true;
}

static bool
take_small(llmlab__document_t *document, void *field)
{
    int64_t number = 0;
    int32_t small;

    if (!llmlab__document_int(document, &number) || number < INT32_MIN ||
        number > INT32_MAX) {
        return false;
    }
    small = (int32_t)number;
    memcpy(field, &small, sizeof small);
    return true;
}

static bool
take_typed(llmlab__document_t *document, type_t type, void *field)
{
    switch (type) {
    case TEXT:
        return take_text(document, field);
    case TIME:
        return take_time(document, field);
    case NS:
        return llmlab__document_int(document, field);
    case SMALL:
        return take_small(document, field);
    default:
        return llmlab__document_bool(document, field);
    }
}

/* A kind by number, by its name on the wire ("llm_call") or by its
 * enumerator's ("llm"). */
static bool
take_kind(llmlab__document_t *document, llmlab_span_kind_t *out)
{
    static const char *const names[][2] = {
#define NAMES(name, value, wire) [value] = {#name, wire},
        LLMLAB_SPAN_KIND_MAP(NAMES)
#undef NAMES
    };
    llmlab__string_t text = {NULL, 0};
    int64_t number = -1;
    int i;

    if (llmlab__json_peek(&document->json) != LLMLAB__JSON_STRING) {
        if (!llmlab__document_int(document, &number) || number < 0 ||
            number >= LLMLAB_SPAN_KINDS) {
            return false;
        }
        *out = (llmlab_span_kind_t)number;
        return true;
    }
    if (!llmlab__document_string(document, &text)) {
        return false;
    }
    for (i = 0; i < LLMLAB_SPAN_KINDS; i++) {
        if (strcasecmp(names[i][0], text.data) == 0 ||
            strcmp(names[i][1], text.data) == 0) {
            *out = (llmlab_span_kind_t)i;
            return true;
        }
    }
    return false;
}

static bool
take_outcome(llmlab__document_t *document, llmlab_outcome_t *out)
{
    static const char *const names[] = {"unset", "success", "error",
                                        "cancelled"};
    llmlab__string_t text = {NULL, 0};
    int64_t number = -1;
    int i;

    if (llmlab__json_peek(&document->json) != LLMLAB__JSON_STRING) {
        if (!llmlab__document_int(document, &number) || number < LLMLAB_UNSET ||
            number > LLMLAB_CANCELLED) {
            return false;
        }
        *out = (llmlab_outcome_t)number;
        return true;
    }
    if (!llmlab__document_string(document, &text)) {
        return false;
    }
    for (i = LLMLAB_UNSET; i <= LLMLAB_CANCELLED; i++) {
        if (strcmp(names[i], text.data) == 0) {
            *out = (llmlab_outcome_t)i;
            return true;
        }
    }
    return false;
}

static bool
take_cost(llmlab__document_t *document, call_t *out)
{
    llmlab__json_text_t number;
    llmlab__string_t text = {NULL, 0};

    if (llmlab__json_number(&document->json, &number)) {
        text.data = number.data;
        text.size = number.size;
    } else if (!llmlab__document_string(document, &text)) {
        return false;
    }
    if (text.data == NULL) {
        return true;
    }
    out->call.provider_cost = &out->cost;
    return llmlab_money_parse(&out->cost, text.data, text.size, NULL) ==
           LLMLAB_OK;
}

static llmlab_status_t
take_member(llmlab__document_t *document, const llmlab__string_t *key,
            call_t *out)
{
    bool ok = false;
    size_t i;

    for (i = 0; i < sizeof members / sizeof *members; i++) {
        if (members[i].size == key->size &&
            memcmp(members[i].name, key->data, key->size) == 0) {
            ok = take_typed(document, members[i].type,
                            (char *)&out->call + members[i].offset);
            goto out;
        }
    }
    if (strcmp(key->data, "usage") == 0) {
        out->call.usage = &out->usage;
        return llmlab__document_usage(document, &out->usage);
    }
    if (strcmp(key->data, "kind") == 0) {
        ok = take_kind(document, &out->call.kind);
    } else if (strcmp(key->data, "outcome") == 0) {
        ok = take_outcome(document, &out->call.outcome);
    } else if (strcmp(key->data, "provider_cost") == 0) {
        ok = take_cost(document, out);
    } else if (strcmp(key->data, "parent") == 0) {
        ok = llmlab__document_int(document, &out->parent);
    } else {
        return llmlab__fail(LLMLAB_EINVAL, "a call has no '%.64s'", key->data);
    }

out:
    if (!ok && document->json.error == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "%.64s: wrong type or value",
                            key->data);
    }
    return LLMLAB_OK;
}

/* Record it below the parent that it names, which is held meanwhile. */
static llmlab_status_t
record_below(llmlab_client_t *client, int client_handle, call_t *call)
{
    llmlab__slot_t *parent;
    llmlab_status_t status = llmlab__handle_hold(
        &parent, call->parent, LLMLAB__HANDLE_SPAN | LLMLAB__HANDLE_KEPT);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (atomic_load_explicit(&parent->client, memory_order_relaxed) !=
        client_handle) {
        status =
            llmlab__fail(LLMLAB_EINVAL, "the parent span is of another client");
    } else {
        if (parent->kind == LLMLAB__HANDLE_SPAN) {
            call->call.parent = parent->object;
        } else {
            const llmlab__kept_t *kept = parent->object;

            call->call.traceparent = llmlab_text_of(kept->traceparent);
        }
        status = llmlab_record_call(client, &call->call);
    }
    llmlab__handle_let_go(parent);
    return status;
}

static llmlab_status_t
record(llmlab_client_t *client, int client_handle, const char *text,
       size_t size)
{
    llmlab__document_t document;
    llmlab__string_t key;
    call_t call;
    llmlab_status_t status = llmlab__document_open(&document, text, size);

    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab_call_init(&call.call);
    llmlab_usage_init(&call.usage);
    call.parent = 0;
    while (status == LLMLAB_OK && llmlab__document_next(&document, &key)) {
        status = take_member(&document, &key, &call);
    }
    if (status == LLMLAB_OK && document.json.error == NULL &&
        llmlab__json_at_end(&document.json)) {
        status = call.parent == 0 ? llmlab_record_call(client, &call.call)
                                  : record_below(client, client_handle, &call);
    }
    return llmlab__document_close(&document, status);
}

llmlab_bind_status_t
llmlab_bind_record(int client, const char *call, size_t call_size)
{
    llmlab_client_t *pinned;
    llmlab__slot_t *pin;
    llmlab_status_t status = llmlab__bind_client_pin(&pin, &pinned, client);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = record(pinned, client, call, call_size);
    llmlab__handle_free(pin);
    return status;
}
