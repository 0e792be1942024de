#include "bind/facts.h"

#include <string.h>

#include "base/clock.h"
#include "base/status.h"

/* Members that are texts. The later names are those of the test vectors and
 * of providers' own fields. */
static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"provider", offsetof(llmlab__facts_t, call.provider)},
    {"model", offsetof(llmlab__facts_t, call.model)},
    {"service_tier", offsetof(llmlab__facts_t, call.service_tier)},
    {"speed", offsetof(llmlab__facts_t, call.speed)},
    {"region", offsetof(llmlab__facts_t, call.region)},
    {"search_context", offsetof(llmlab__facts_t, call.search_context)},
    {"api", offsetof(llmlab__facts_t, api)},
    {"inference_geo", offsetof(llmlab__facts_t, call.region)},
    {"vertex_location", offsetof(llmlab__facts_t, call.region)},
    {"data_residency", offsetof(llmlab__facts_t, call.region)},
    {"search_context_size", offsetof(llmlab__facts_t, call.search_context)},
};

void
llmlab__facts_init(llmlab__facts_t *facts)
{
    memset(facts, 0, sizeof *facts);
    llmlab_call_facts_init(&facts->call);
    facts->call.usage = &facts->usage;
}

static bool
is(const llmlab__string_t *key, const char *name)
{
    return key->size == strlen(name) && memcmp(key->data, name, key->size) == 0;
}

static bool
take_time(llmlab__facts_t *facts, llmlab__document_t *document)
{
    llmlab__string_t text = {NULL, 0};

    if (llmlab__json_peek(&document->json) == LLMLAB__JSON_NUMBER) {
        return llmlab__document_int(document, &facts->call.time_ns);
    }
    return llmlab__document_string(document, &text) &&
           (text.data == NULL || llmlab__time_parse(text.data, text.size,
                                                    &facts->call.time_ns) == 0);
}

static bool
take_text(llmlab__facts_t *facts, llmlab__document_t *document, size_t offset)
{
    llmlab__string_t text = {NULL, 0};

    if (!llmlab__document_string(document, &text)) {
        return false;
    }
    if (text.data != NULL) {
        memcpy((char *)facts + offset, &text.data, sizeof text.data);
    }
    return true;
}

llmlab_status_t
llmlab__facts_take(llmlab__facts_t *facts, llmlab__document_t *document,
                   const llmlab__string_t *key)
{
    bool ok = true;
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (is(key, texts[i].name)) {
            ok = take_text(facts, document, texts[i].offset);
            goto out;
        }
    }
    if (is(key, "usage")) {
        return llmlab__document_usage(document, &facts->usage);
    }
    if (is(key, "at") || is(key, "at_utc")) {
        ok = take_time(facts, document);
    } else if (is(key, "batch")) {
        ok = llmlab__document_bool(document, &facts->call.batch);
    } else if (is(key, "url")) {
        ok = llmlab__document_string(document, &facts->url);
    } else {
        llmlab__json_skip(&document->json);
    }

out:
    if (!ok && document->json.error == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "%.64s: wrong type or value",
                            key->data);
    }
    return LLMLAB_OK;
}
