/* A score in one crossing. */
#include <string.h>

#include <llmlab/score.h>

#include "base/clock.h"
#include "base/status.h"
#include "bind/client.h"
#include "bind/document.h"
#include "bind/llmlab_bind.h"

static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"trace_id", offsetof(llmlab_score_t, trace_id)},
    {"span_id", offsetof(llmlab_score_t, span_id)},
    {"name", offsetof(llmlab_score_t, name)},
    {"label", offsetof(llmlab_score_t, label)},
    {"source", offsetof(llmlab_score_t, source)},
    {"version", offsetof(llmlab_score_t, version)},
    {"comment", offsetof(llmlab_score_t, comment)},
};

/* A value tells its type: a number, a text (a category), true or false. */
static bool
take_value(llmlab__document_t *document, llmlab_score_t *score)
{
    llmlab__json_text_t number;
    llmlab__string_t text = {NULL, 0};
    bool truth;

    if (llmlab__json_number(&document->json, &number)) {
        score->value = llmlab__json_double(&number);
        return true;
    }
    if (llmlab__json_bool(&document->json, &truth)) {
        score->type = LLMLAB_SCORE_BOOLEAN;
        score->value = truth;
        return true;
    }
    if (!llmlab__document_string(document, &text) || text.data == NULL) {
        return false;
    }
    score->type = LLMLAB_SCORE_CATEGORICAL;
    score->label = (llmlab_text_t){text.data, text.size};
    return true;
}

static bool
take_text(llmlab__document_t *document, llmlab_text_t *out)
{
    llmlab__string_t text = {NULL, 0};

    if (!llmlab__document_string(document, &text)) {
        return false;
    }
    if (text.data != NULL) {
        *out = (llmlab_text_t){text.data, text.size};
    }
    return true;
}

static bool
take_time(llmlab__document_t *document, int64_t *out)
{
    llmlab__string_t text = {NULL, 0};

    return llmlab__document_string(document, &text) &&
           (text.data == NULL ||
            llmlab__time_parse(text.data, text.size, out) == 0);
}

static llmlab_status_t
take_member(llmlab__document_t *document, const llmlab__string_t *key,
            llmlab_score_t *out)
{
    bool ok = false;
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, key->data) == 0) {
            ok =
                take_text(document, (llmlab_text_t *)(void *)((char *)out +
                                                              texts[i].offset));
            goto out;
        }
    }
    if (strcmp(key->data, "value") == 0) {
        ok = take_value(document, out);
    } else if (strcmp(key->data, "at") == 0) {
        ok = take_time(document, &out->at_ns);
    } else if (strcmp(key->data, "at_ns") == 0) {
        ok = llmlab__document_int(document, &out->at_ns);
    } else {
        return llmlab__fail(LLMLAB_EINVAL, "a score has no '%.64s'", key->data);
    }

out:
    if (!ok && document->json.error == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "%.64s: wrong type or value",
                            key->data);
    }
    return LLMLAB_OK;
}

static llmlab_status_t
record_score(llmlab_client_t *client, const char *text, size_t size)
{
    llmlab__document_t document;
    llmlab__string_t key;
    llmlab_score_t score;
    bool has_value = false;
    llmlab_status_t status = llmlab__document_open(&document, text, size);

    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab_score_init(&score);
    while (status == LLMLAB_OK && llmlab__document_next(&document, &key)) {
        has_value = has_value || strcmp(key.data, "value") == 0;
        status = take_member(&document, &key, &score);
    }
    if (status == LLMLAB_OK && !has_value && document.json.error == NULL) {
        status = llmlab__fail(LLMLAB_EINVAL, "value: is missing");
    }
    if (status == LLMLAB_OK && document.json.error == NULL &&
        llmlab__json_at_end(&document.json)) {
        status = llmlab_record_score(client, &score);
    }
    return llmlab__document_close(&document, status);
}

llmlab_bind_status_t
llmlab_bind_score(int client, const char *score, size_t score_size)
{
    llmlab_client_t *pinned;
    llmlab__slot_t *pin;
    llmlab_status_t status = llmlab__bind_client_pin(&pin, &pinned, client);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = record_score(pinned, score, score_size);
    llmlab__handle_free(pin);
    return status;
}
