/* What a request tells: who is asked, how long the prompt is, and its
 * fingerprint. */
#include "trace/span.h"

#include "usage/request.h"

/* What the reply may leave unsaid. */
static llmlab_status_t
take_facts(llmlab_span_t *span, const void *body, size_t size)
{
    llmlab__request_facts_t facts;

    llmlab__request_facts_read(&facts, body, size);
    span->prompt = facts.prompt;
    if ((span->items.has >> LLMLAB__ITEM_REQUEST_MODEL & 1) != 0) {
        return LLMLAB_OK; /* the caller said it */
    }
    span->dirty = true;
    return llmlab__span_put_text(span, LLMLAB__ITEM_REQUEST_MODEL, facts.model);
}

static llmlab_status_t
put_fingerprint(llmlab_span_t *span, const void *body, size_t size)
{
    const llmlab__tracer_t *tracer = span->tracer;
    llmlab__fingerprint_t print;
    llmlab_status_t status =
        llmlab__fingerprint_read(&print, tracer->fingerprint_key, body, size);

    if (status != LLMLAB_OK) {
        return status;
    }
    status = llmlab__span_put(span, LLMLAB__ITEM_FINGERPRINT, print.whole,
                              sizeof(print.whole));
    if (status == LLMLAB_OK &&
        tracer->fingerprint == LLMLAB__FINGERPRINT_PREFIX) {
        status = llmlab__span_put(
            span, LLMLAB__ITEM_PREFIX, print.prefix,
            (uint16_t)(print.blocks * LLMLAB__FINGERPRINT_BLOCK));
    }
    return status;
}

llmlab_status_t
llmlab_span_set_request(llmlab_span_t *span, const char *provider,
                        const char *api, const void *body, size_t size)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (body == NULL) {
        return LLMLAB_EINVAL;
    }
    if (provider != NULL) {
        span->dirty = true;
        status = llmlab__span_put_text(span, LLMLAB__ITEM_PROVIDER, provider);
    }
    if (status == LLMLAB_OK && api != NULL) {
        status = llmlab__span_put_text(span, LLMLAB__ITEM_API, api);
    }
    if (status == LLMLAB_OK) {
        status = take_facts(span, body, size);
    }
    if (status != LLMLAB_OK || !span->sampled ||
        span->tracer->fingerprint == LLMLAB__FINGERPRINT_OFF) {
        return status;
    }
    return put_fingerprint(span, body, size);
}
