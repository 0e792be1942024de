#include "bind/client.h"

#include <llmlab/span.h>
#include <llmlab/sys/mock.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json_write.h"
#include "base/status.h"
#include "bind/document.h"
#include "bind/llmlab_bind.h"
#include "bind/log.h"
#include "bind/text.h"

/* A client's handle is its place and its generation. */
#define INDEX_BITS  8
#define MAX_CLIENTS ((1 << INDEX_BITS) - 1)
#define GENERATIONS 0x7fffff

enum { FREE = 0, OPENING = 1, OPEN = 2, CLOSING = 3, STATE_BITS = 2 };

typedef struct place_s {
    _Atomic uint32_t word; /* generation of the next or present client, state */
    int handle;            /* for the log, while not FREE */
    llmlab_client_t *client; /* while OPEN and CLOSING */
} place_t;

static place_t places[MAX_CLIENTS];

static int
handle_of(const place_t *place, uint32_t generation)
{
    return (int)((generation + 1) << INDEX_BITS | (uint32_t)(place - places));
}

llmlab_status_t
llmlab__bind_client_get(llmlab_client_t **out, int client)
{
    uint32_t index = (uint32_t)client & ((1U << INDEX_BITS) - 1);
    uint32_t generation = ((uint32_t)client >> INDEX_BITS) - 1;
    uint32_t word;

    *out = NULL;
    if (client == 0) {
        return LLMLAB_EDISABLED;
    }
    if (client < 0 || client >> INDEX_BITS == 0 || index >= MAX_CLIENTS) {
        return llmlab__fail(LLMLAB_EINVAL, "no such client");
    }
    word = atomic_load(&places[index].word);
    if (word == (generation << STATE_BITS | OPEN)) {
        *out = places[index].client;
        return LLMLAB_OK;
    }
    if (generation > word >> STATE_BITS ||
        word == (generation << STATE_BITS | FREE)) {
        return llmlab__fail(LLMLAB_EINVAL, "no such client");
    }
    return llmlab__fail(LLMLAB_ECLOSED, "the client is closed");
}

llmlab_status_t
llmlab__bind_client_pin(llmlab__slot_t **pin, llmlab_client_t **out, int client)
{
    llmlab_status_t status;

    *pin = llmlab__handle_new(LLMLAB__HANDLE_PIN, client);
    if (*pin == NULL) {
        return LLMLAB_ENOMEM;
    }
    status = llmlab__bind_client_get(out, client);
    if (status != LLMLAB_OK) {
        llmlab__handle_free(*pin);
    }
    return status;
}

/* One setting's value, as the text that the property table takes. */
static llmlab_status_t
apply_setting(llmlab_config_t *config, llmlab__document_t *document,
              const llmlab__string_t *name)
{
    llmlab__string_t text = {NULL, 0};
    llmlab__json_text_t number;
    bool flag;

    if (llmlab__json_number(&document->json, &number)) {
        text.data = number.data;
        text.size = number.size;
    } else if (llmlab__json_bool(&document->json, &flag)) {
        text.data = flag ? "true" : "false";
        text.size = flag ? 4 : 5;
    } else if (!llmlab__document_string(document, &text)) {
        if (document->json.error != NULL) {
            return LLMLAB_OK; /* the document's close tells the fault */
        }
        return llmlab__fail(LLMLAB_ECONFIG,
                            "%.64s: not a string, number or boolean",
                            name->data);
    }
    return llmlab_config_set_n(config, name->data, name->size, text.data,
                               text.size);
}

static llmlab_status_t
apply_settings(llmlab_config_t *config, const char *settings, size_t size)
{
    llmlab__document_t document;
    llmlab__string_t name;
    llmlab_status_t status = llmlab__document_open(&document, settings, size);

    if (status != LLMLAB_OK) {
        return status;
    }
    while (status == LLMLAB_OK && llmlab__document_next(&document, &name)) {
        status = apply_setting(config, &document, &name);
    }
    return llmlab__document_close(&document, status);
}

static place_t *
take_place(uint32_t *generation)
{
    place_t *place;

    for (place = places; place < places + MAX_CLIENTS; place++) {
        uint32_t word = atomic_load(&place->word);

        if ((word & 3) == FREE && atomic_compare_exchange_strong(
                                      &place->word, &word, word | OPENING)) {
            *generation = word >> STATE_BITS;
            return place;
        }
    }
    return NULL;
}

static void
give_place_back(place_t *place, uint32_t generation)
{
    uint32_t next = (generation + 1) % GENERATIONS;

    place->client = NULL;
    atomic_store(&place->word, next << STATE_BITS | FREE);
}

llmlab_bind_client_t
llmlab_bind_open(const char *settings, size_t settings_size)
{
    llmlab_config_t *config = llmlab_config_new();
    place_t *place = NULL;
    uint32_t generation = 0;
    int client;
    llmlab_status_t status;

    if (config == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a client");
    }
    client = apply_settings(config, settings, settings_size);
    if (client != LLMLAB_OK) {
        goto out;
    }
    place = take_place(&generation);
    if (place == NULL) {
        client = llmlab__fail(LLMLAB_EFULL, "%d clients are open", MAX_CLIENTS);
        goto out;
    }
    client = handle_of(place, generation);
    place->handle = client;
    llmlab_config_set_log(config, llmlab__bind_log, &place->handle);
    status = llmlab_client_open(&place->client, config);
    if (status != LLMLAB_OK && status != LLMLAB_EDISABLED) {
        llmlab_client_close(place->client, 0);
        give_place_back(place, generation);
        client = status;
        goto out;
    }
    atomic_store(&place->word, generation << STATE_BITS | OPEN);

out:
    llmlab_config_destroy(config);
    return client;
}

static void
discard(llmlab__slot_t *slot)
{
    if (slot->kind == LLMLAB__HANDLE_SPAN) {
        llmlab_span_discard(slot->object);
    } else if (slot->kind == LLMLAB__HANDLE_KEPT) {
        llmlab__free(slot->object);
    }
}

llmlab_bind_status_t
llmlab_bind_close(int client, int64_t timeout_ms)
{
    llmlab_client_t *closing;
    llmlab__slot_t *pin;
    place_t *place = &places[client & ((1 << INDEX_BITS) - 1)];
    uint32_t generation = ((uint32_t)client >> INDEX_BITS) - 1;
    uint32_t word = generation << STATE_BITS | OPEN;
    llmlab_status_t status = llmlab__bind_client_pin(&pin, &closing, client);

    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab__handle_free(pin);
    if (!atomic_compare_exchange_strong(&place->word, &word,
                                        generation << STATE_BITS | CLOSING)) {
        return llmlab__fail(LLMLAB_ECLOSED, "the client is closed");
    }
    /* Nobody enters any more; wait for those who are in. */
    llmlab__handle_sweep(client, discard);
    status = llmlab_client_close(closing, timeout_ms);
    give_place_back(place, generation);
    return status;
}

int
llmlab_bind_enabled(int client)
{
    llmlab_client_t *pinned;
    llmlab__slot_t *pin;
    int enabled;

    if (llmlab__bind_client_pin(&pin, &pinned, client) != LLMLAB_OK) {
        return 0;
    }
    enabled = llmlab_client_enabled(pinned);
    llmlab__handle_free(pin);
    return enabled;
}

static void
put_count(llmlab__json_out_t *out, const char *quoted, size_t size,
          uint64_t count)
{
    llmlab__json_key_raw(out, quoted, size);
    llmlab__json_put_uint(out, count);
}

#define PUT_COUNT(out, name, count) \
    put_count((out), "\"" name "\":", sizeof(name) + 2, (count))

llmlab_bind_text_t
llmlab_bind_flush(int client, int64_t timeout_ms)
{
    llmlab_flush_result_t result = {0};
    llmlab__json_out_t out;
    llmlab__buf_t buf;
    llmlab_client_t *pinned;
    llmlab__slot_t *pin;
    llmlab_status_t status = llmlab__bind_client_pin(&pin, &pinned, client);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_client_flush(pinned, timeout_ms, &result);
    llmlab__handle_free(pin);

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "status");
    llmlab__json_put_int(&out, status);
    llmlab__json_key(&out, "name");
    llmlab__json_put_text(&out, llmlab_status_name(status));
    PUT_COUNT(&out, "delivered", result.delivered);
    PUT_COUNT(&out, "rejected", result.rejected);
    PUT_COUNT(&out, "dropped", result.dropped);
    PUT_COUNT(&out, "spooled", result.spooled);
    PUT_COUNT(&out, "pending", result.pending);
    llmlab__json_end_object(&out);
    return llmlab__text_of(&buf);
}

/* An owned string of the library as a text. */
static llmlab_bind_text_t
text_of_owned(llmlab_status_t status, char *owned, size_t size)
{
    llmlab_bind_text_t text;

    if (status != LLMLAB_OK) {
        return status;
    }
    text = llmlab__text_copy(owned, size);
    llmlab_free(owned);
    return text;
}

llmlab_bind_text_t
llmlab_bind_stats(int client)
{
    llmlab_client_t *pinned;
    llmlab__slot_t *pin;
    char *owned = NULL;
    size_t size = 0;
    llmlab_status_t status = llmlab__bind_client_pin(&pin, &pinned, client);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_client_stats_json(pinned, &owned, &size);
    llmlab__handle_free(pin);
    return text_of_owned(status, owned, size);
}

llmlab_bind_text_t
llmlab_bind_take_batch(int client)
{
    llmlab_client_t *pinned;
    llmlab__slot_t *pin;
    char *owned = NULL;
    size_t size = 0;
    llmlab_status_t status = llmlab__bind_client_pin(&pin, &pinned, client);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab_mock_take_batch(pinned, &owned, &size);
    llmlab__handle_free(pin);
    return status == LLMLAB_ENOTFOUND ? 0 : text_of_owned(status, owned, size);
}
