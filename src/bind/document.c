#include "bind/document.h"

#include <llmlab/pricing.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/u128.h"

llmlab_status_t
llmlab__document_open(llmlab__document_t *document, const char *text,
                      size_t size)
{
    document->heap = NULL;
    document->room = document->local;
    if (text == NULL || size == 0) {
        text = "{}";
        size = 2;
    }
    /* Decoded strings are no longer than their source, and the quotes leave
     * room for the NUL. */
    if (size > sizeof document->local) {
        document->heap = llmlab__alloc(size);
        if (document->heap == NULL) {
            return llmlab__fail(LLMLAB_ENOMEM, "no memory for a document");
        }
        document->room = document->heap;
    }
    llmlab__json_init(&document->json, text, size);
    if (!llmlab__json_enter_object(&document->json)) {
        llmlab__free(document->heap);
        document->heap = NULL;
        return llmlab__fail(LLMLAB_EPARSE, "the document is no JSON object");
    }
    return LLMLAB_OK;
}

static void
decode(llmlab__document_t *document, const llmlab__json_text_t *text,
       llmlab__string_t *out)
{
    size_t size = llmlab__json_unescape(text, document->room, text->size + 1);

    out->data = document->room;
    out->size = size < text->size ? size : text->size;
    document->room += out->size + 1;
}

bool
llmlab__document_next(llmlab__document_t *document, llmlab__string_t *key)
{
    llmlab__json_text_t text;

    if (!llmlab__json_next_key(&document->json, &text)) {
        return false;
    }
    decode(document, &text, key);
    return true;
}

llmlab_status_t
llmlab__document_close(llmlab__document_t *document, llmlab_status_t status)
{
    llmlab__json_t *json = &document->json;

    if (status == LLMLAB_OK &&
        (json->error != NULL || !llmlab__json_at_end(json))) {
        status = llmlab__fail(
            LLMLAB_EPARSE, "at byte %zu: %s", llmlab__json_offset(json),
            json->error != NULL ? json->error : "text after the object");
    }
    llmlab__free(document->heap);
    document->heap = NULL;
    return status;
}

bool
llmlab__document_string(llmlab__document_t *document, llmlab__string_t *out)
{
    llmlab__json_text_t text;

    if (llmlab__json_string(&document->json, &text)) {
        decode(document, &text, out);
        return true;
    }
    return llmlab__json_null(&document->json);
}

bool
llmlab__document_int(llmlab__document_t *document, int64_t *out)
{
    llmlab__json_t before = document->json;
    llmlab__json_text_t text;

    if (llmlab__json_number(&document->json, &text) ||
        llmlab__json_string(&document->json, &text)) {
        llmlab__json_t digits;
        llmlab__json_text_t number;

        llmlab__json_init(&digits, text.data, text.size);
        if (llmlab__json_number(&digits, &number) &&
            llmlab__json_at_end(&digits) &&
            llmlab__json_int(&number, out) == 0) {
            return true;
        }
        document->json = before;
        return false;
    }
    return llmlab__json_null(&document->json);
}

bool
llmlab__document_bool(llmlab__document_t *document, int *out)
{
    bool value;
    int64_t number = *out;

    if (llmlab__json_bool(&document->json, &value)) {
        *out = value;
        return true;
    }
    if (!llmlab__document_int(document, &number)) {
        return false;
    }
    *out = number != 0;
    return true;
}

static bool
is_seconds(llmlab_usage_field_t field)
{
    return field == LLMLAB_USAGE_AUDIO_SECONDS ||
           field == LLMLAB_USAGE_OUTPUT_VIDEO_SECONDS;
}

/* Seconds are decimals outside and microseconds inside: the parser of exact
 * money does it, a femto-second being to a micro-second what a femto-USD is to
 * a micro-USD. */
static bool
read_seconds(const llmlab__json_text_t *number, uint64_t *out)
{
    llmlab_money_t femto;
    llmlab__u128_t micro;

    if (llmlab_money_parse(&femto, number->data, number->size, NULL) !=
        LLMLAB_OK) {
        return false;
    }
    micro = llmlab__u128_div_even(llmlab__u128_of(femto), 1000000000);
    if (micro > INT64_MAX) {
        return false;
    }
    *out = (uint64_t)micro;
    return true;
}

static llmlab_status_t
read_count(llmlab__document_t *document, llmlab_usage_field_t field,
           llmlab_usage_t *out)
{
    llmlab__json_text_t number;
    uint64_t count;

    if (llmlab__json_null(&document->json)) {
        return LLMLAB_OK;
    }
    if (!llmlab__json_number(&document->json, &number) ||
        !(is_seconds(field) ? read_seconds(&number, &count)
                            : llmlab__json_count(&number, &count) == 0)) {
        return llmlab__fail(LLMLAB_EINVAL, "%s is no count",
                            llmlab_usage_field_name(field));
    }
    llmlab_usage_set(out, field, count);
    return LLMLAB_OK;
}

/* The members of the usage object that was entered. */
static llmlab_status_t
read_counts(llmlab__document_t *document, llmlab_usage_t *out)
{
    llmlab_status_t status = LLMLAB_OK;
    llmlab__string_t key;

    while (status == LLMLAB_OK && llmlab__document_next(document, &key)) {
        llmlab_usage_field_t field =
            llmlab_usage_field_find(key.data, key.size);

        if (field == LLMLAB_USAGE_FIELDS) {
            return llmlab__fail(LLMLAB_EINVAL, "unknown usage field '%.64s'",
                                key.data);
        }
        status = read_count(document, field, out);
    }
    return status;
}

llmlab_status_t
llmlab__document_usage(llmlab__document_t *document, llmlab_usage_t *out)
{
    if (llmlab__json_null(&document->json)) {
        return LLMLAB_OK;
    }
    if (!llmlab__json_enter_object(&document->json)) {
        return llmlab__fail(LLMLAB_EINVAL, "usage is no object");
    }
    return read_counts(document, out);
}

llmlab_status_t
llmlab__usage_parse(llmlab_usage_t *out, const char *text, size_t size)
{
    llmlab__document_t document;
    llmlab_status_t status = llmlab__document_open(&document, text, size);

    llmlab_usage_init(out);
    if (status != LLMLAB_OK) {
        return status;
    }
    status = read_counts(&document, out);
    return llmlab__document_close(&document, status);
}
