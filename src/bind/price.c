/* Plain functions: cost, usage and resolve, JSON in and out. */
#include <string.h>

#include <llmlab/pricing.h>
#include <llmlab/tokens.h>
#include <llmlab/usage.h>

#include "bind/cstrings.h"
#include "bind/document.h"
#include "bind/facts.h"
#include "bind/llmlab_bind.h"
#include "bind/report.h"
#include "bind/text.h"

llmlab_bind_text_t
llmlab_bind_cost(const char *json, size_t json_size)
{
    llmlab__document_t document;
    llmlab__facts_t facts;
    llmlab__string_t key;
    llmlab_cost_t cost;
    llmlab_status_t status = llmlab__document_open(&document, json, json_size);

    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab__facts_init(&facts);
    while (status == LLMLAB_OK && llmlab__document_next(&document, &key)) {
        status = llmlab__facts_take(&facts, &document, &key);
    }
    if (status == LLMLAB_OK && document.json.error == NULL) {
        status = llmlab_cost_compute(&cost, NULL, &facts.call);
        if (status == LLMLAB_EUNPRICED || status == LLMLAB_ENOUSAGE) {
            status = LLMLAB_OK;
        }
    }
    status = llmlab__document_close(&document, status);
    return status == LLMLAB_OK ? llmlab__report_cost(&cost) : status;
}

/* An object of headers; a value that is no string is ignored. */
static void
take_headers(llmlab__document_t *document, llmlab_reply_t *reply)
{
    llmlab__string_t name;

    if (!llmlab__json_enter_object(&document->json)) {
        llmlab__json_skip(&document->json);
        return;
    }
    while (llmlab__document_next(document, &name)) {
        llmlab__string_t value = {NULL, 0};

        if (!llmlab__document_string(document, &value)) {
            llmlab__json_skip(&document->json);
        } else if (value.data != NULL) {
            llmlab_reply_set_header(reply, name.data, value.data);
        }
    }
}

llmlab_bind_text_t
llmlab_bind_usage(const char *facts, size_t facts_size, const char *body,
                  size_t body_size)
{
    llmlab__document_t document;
    llmlab__facts_t known;
    llmlab__string_t key;
    llmlab__json_t headers;
    bool has_headers = false;
    llmlab_reply_t reply;
    llmlab_status_t read;
    llmlab_bind_text_t result = 0;
    llmlab_status_t status =
        llmlab__document_open(&document, facts, facts_size);

    if (status != LLMLAB_OK) {
        return status;
    }
    llmlab__facts_init(&known);
    while (status == LLMLAB_OK && llmlab__document_next(&document, &key)) {
        if (strcmp(key.data, "headers") == 0) {
            /* Applied after the body, which knows better. */
            headers = document.json;
            has_headers = true;
            llmlab__json_skip(&document.json);
        } else {
            status = llmlab__facts_take(&known, &document, &key);
        }
    }
    if (status == LLMLAB_OK && document.json.error == NULL) {
        read = llmlab_usage_read(&reply, known.call.provider, known.api, body,
                                 body_size);
        if (known.url.data != NULL) {
            llmlab_reply_set_url(&reply, known.url.data, known.url.size);
        }
        if (has_headers) {
            llmlab__json_t end = document.json;

            document.json = headers;
            take_headers(&document, &reply);
            document.json = end;
        }
        if (read == LLMLAB_EINVAL) {
            status = read;
        } else {
            result = llmlab__report_reply(&reply, read, &known.call);
        }
    }
    status = llmlab__document_close(&document, status);
    return status == LLMLAB_OK ? result : status;
}

int64_t
llmlab_bind_tokens_estimate(const char *provider, size_t provider_size,
                            const char *text, size_t text_size)
{
    llmlab__cstrings_t strings;
    uint64_t count;

    llmlab__cstrings_init(&strings);
    count = llmlab_tokens_estimate(
        llmlab__cstring(&strings, provider, provider_size), text, text_size);
    llmlab__cstrings_cleanup(&strings);
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

llmlab_bind_text_t
llmlab_bind_resolve(const char *provider, size_t provider_size,
                    const char *model, size_t model_size)
{
    llmlab__cstrings_t strings;
    llmlab__json_out_t out;
    llmlab__buf_t buf;
    const char *key = NULL;
    llmlab_match_t match;

    llmlab__cstrings_init(&strings);
    match = llmlab_pricing_resolve(
        NULL, llmlab__cstring(&strings, provider, provider_size),
        llmlab__cstring(&strings, model, model_size), &key);
    llmlab__cstrings_cleanup(&strings);

    llmlab__buf_init(&buf);
    llmlab__json_out_init(&out, &buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "status");
    llmlab__json_put_text(&out, llmlab_match_name(match));
    llmlab__json_key(&out, "key");
    llmlab__json_put_text(&out, key);
    llmlab__json_key(&out, "table");
    llmlab__json_put_text(&out, llmlab_pricing_version());
    llmlab__json_end_object(&out);
    return llmlab__text_of(&buf);
}
