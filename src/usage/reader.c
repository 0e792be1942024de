#include "usage/reader.h"

#include "base/json_bytes.h"
#include "base/status.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

void
llmlab__reader_init(llmlab__reader_t *reader, const char *provider,
                    const char *api, bool measures)
{
    const llmlab__form_t *told = llmlab__detect_api(provider, api);
    llmlab_reply_t *reply = &reader->facts.reply;

    /* The scratch buffers and the saved facts need no clearing. */
    memset(reader, 0, offsetof(llmlab__reader_t, facts));
    memset(&reader->facts, 0, sizeof(reader->facts));
    reader->measures = measures;
    reply->tool_calls = -1;
    if (provider != NULL) {
        llmlab__copy_text(reply->provider, sizeof(reply->provider), provider);
    }
    if (api != NULL) {
        llmlab__copy_text(reply->api, sizeof(reply->api), api);
    }
    llmlab__sse_init(&reader->sse);
    llmlab__eventstream_init(&reader->eventstream);
    llmlab__walk_init(&reader->walk, reader, told);
    llmlab__walk_init(&reader->inner, reader, NULL);
}

/* --- events ------------------------------------------------------------- */

static void
copy_facts(llmlab__facts_t *to, const llmlab__facts_t *from)
{
    memcpy(to, from,
           offsetof(llmlab__facts_t, reply.parts) +
               from->reply.part_count * sizeof(from->reply.parts[0]));
}

void
llmlab__reader_event_begin(llmlab__reader_t *reader)
{
    reader->has_saved =
        reader->framing != LLMLAB__FRAMING_JSON || reader->events > 0;
    if (reader->has_saved) {
        copy_facts(&reader->saved, &reader->facts);
    }
    reader->events++;
    reader->event_failed = false;
    llmlab__walk_begin(&reader->walk);
    llmlab__base64_begin(reader);
}

void
llmlab__reader_event_fail(llmlab__reader_t *reader, const char *text)
{
    llmlab__fault_t *fault = &reader->facts.fault;

    if (reader->event_failed) {
        return;
    }
    reader->event_failed = true;
    if (reader->has_saved) {
        copy_facts(&reader->facts, &reader->saved);
    }
    if (fault->status == LLMLAB_OK) {
        fault->status = LLMLAB_EPARSE;
        fault->text = text;
        fault->key = NULL;
        fault->offset = reader->walk.running ? reader->walk.push.offset : 0;
        fault->event = reader->events;
    }
}

static void
text_done(llmlab__reader_t *reader)
{
    const llmlab__form_t *form = reader->walk.form;

    llmlab__base64_end(reader);
    if (!reader->event_failed && form->event != NULL) {
        form->event(&reader->facts);
    }
}

size_t
llmlab__reader_event_json(llmlab__reader_t *reader, const char *bytes,
                          size_t size)
{
    llmlab__walk_t *walk = &reader->walk;
    size_t taken;

    if (reader->event_failed || llmlab__walk_done(walk)) {
        return 0;
    }
    taken = llmlab__walk_feed(walk, bytes, size);
    if (llmlab__walk_error(walk) != NULL) {
        llmlab__reader_event_fail(reader, llmlab__walk_error(walk));
    } else if (llmlab__walk_done(walk)) {
        text_done(reader);
    }
    return taken;
}

/* Nothing follows. False where the text is cut off. */
static bool
text_ends(llmlab__reader_t *reader)
{
    if (!llmlab__walk_done(&reader->walk)) {
        if (!llmlab__walk_finish(&reader->walk)) {
            return false;
        }
        text_done(reader);
    }
    return true;
}

void
llmlab__reader_event_end(llmlab__reader_t *reader)
{
    if (reader->event_failed || llmlab__walk_is_empty(&reader->walk)) {
        return;
    }
    if (!text_ends(reader)) {
        llmlab__reader_event_fail(reader, "the event's JSON is cut off");
    }
}

/* --- framing ------------------------------------------------------------ */

/* JSON texts in a row: one is a body, several are NDJSON. */
static void
feed_json(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    const char *p = bytes;
    const char *end = bytes + size;

    while (p < end) {
        if (!reader->text_open) {
            p = llmlab__json_skip_space(p, end);
            if (p == end) {
                return;
            }
            llmlab__reader_event_begin(reader);
            reader->text_open = true;
        }
        p += llmlab__reader_event_json(reader, p, (size_t)(end - p));
        if (reader->event_failed) {
            /* The next line may be well again; a lone body is lost. */
            p = reader->events == 1 ? NULL : memchr(p, '\n', (size_t)(end - p));
            if (p == NULL) {
                return;
            }
            reader->text_open = false;
        } else if (llmlab__walk_done(&reader->walk)) {
            reader->text_open = false;
        }
    }
}

static llmlab__framing_t
framing_of(char first)
{
    switch (first) {
    case '\0':
    case '\1': /* a frame's size: at most 24 MiB */
        return LLMLAB__FRAMING_EVENTSTREAM;
    case ':':
    case 'd': /* data, event, id, retry */
    case 'e':
    case 'i':
    case 'r':
        return LLMLAB__FRAMING_SSE;
    default:
        return LLMLAB__FRAMING_JSON;
    }
}

/* Skip what may stand before a body. Returns what is left. */
static const char *
find_framing(llmlab__reader_t *reader, const char *p, const char *end)
{
    while (p < end && reader->bom_size < 3 &&
           *p == byte_order_mark[reader->bom_size]) {
        reader->bom_size++;
        p++;
    }
    if (p < end) {
        reader->bom_size = 3; /* it stands at the very beginning or nowhere */
    }
    p = llmlab__json_skip_space(p, end);
    if (p < end) {
        reader->framing = framing_of(*p);
    }
    return p;
}

void
llmlab__reader_feed(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    const char *p = bytes;
    const char *end = p;

    if (size == 0) {
        return; /* bytes may be NULL */
    }
    end += size;
    if (reader->framing == LLMLAB__FRAMING_UNKNOWN) {
        p = find_framing(reader, p, end);
        if (reader->framing == LLMLAB__FRAMING_EVENTSTREAM &&
            reader->walk.told == NULL) {
            llmlab__walk_init(&reader->walk, reader, &llmlab__form_bedrock);
        }
    }
    if (p == end) {
        return;
    }
    switch (reader->framing) {
    case LLMLAB__FRAMING_UNKNOWN:
        return;
    case LLMLAB__FRAMING_JSON:
        feed_json(reader, p, (size_t)(end - p));
        return;
    case LLMLAB__FRAMING_SSE:
        llmlab__sse_feed(reader, p, (size_t)(end - p));
        return;
    case LLMLAB__FRAMING_EVENTSTREAM:
        llmlab__eventstream_feed(reader, p, (size_t)(end - p));
        return;
    }
}

void
llmlab__reader_finish(llmlab__reader_t *reader)
{
    if (reader->framing != LLMLAB__FRAMING_JSON || !reader->text_open ||
        reader->event_failed) {
        return;
    }
    if (text_ends(reader)) {
        reader->text_open = false;
    } else if (reader->events == 1) {
        /* Of NDJSON a cut line is a cut stream, no malformed text. */
        llmlab__reader_event_fail(reader, "the text is cut off");
    }
}

/* --- the reply ---------------------------------------------------------- */

/* Bedrock counts every call itself, whatever the vendor's body says: its
 * input excludes what the cache gave and took. */
static void
use_metrics(llmlab__facts_t *facts)
{
    llmlab_usage_t *usage = &facts->reply.usage;

    if (usage->present != 0 || !llmlab__has(facts, LLMLAB__METRIC_IN)) {
        return;
    }
    llmlab__give_sum(facts, LLMLAB_USAGE_INPUT_TOKENS,
                     facts->count[LLMLAB__METRIC_IN],
                     llmlab__get(facts, LLMLAB__METRIC_READ),
                     llmlab__get(facts, LLMLAB__METRIC_WRITE));
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_TOKENS, LLMLAB__METRIC_OUT);
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_READ_TOKENS,
                       LLMLAB__METRIC_READ);
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS,
                       LLMLAB__METRIC_WRITE);
}

static bool
is_complete(const llmlab__reader_t *reader, const llmlab__facts_t *facts)
{
    switch (reader->framing) {
    case LLMLAB__FRAMING_JSON:
        return reader->events > 0 && !reader->text_open && !facts->not_ended;
    case LLMLAB__FRAMING_SSE:
        return facts->ended || llmlab__sse_is_done(&reader->sse);
    case LLMLAB__FRAMING_EVENTSTREAM:
        /* Every vendor's stream ends with Bedrock's own counts. */
        return (facts->ended || llmlab__has(facts, LLMLAB__METRIC_IN)) &&
               llmlab__eventstream_at_rest(&reader->eventstream);
    default:
        return false;
    }
}

static llmlab_status_t
fail_with(const llmlab__fault_t *fault)
{
    if (fault->key != NULL) {
        return llmlab__fail(fault->status, "%s: %s", fault->key, fault->text);
    }
    if (fault->offset == UINT64_MAX) {
        return llmlab__fail(fault->status, "%s", fault->text);
    }
    return llmlab__fail(fault->status, "%s (byte %llu of event %llu)",
                        fault->text, (unsigned long long)fault->offset,
                        (unsigned long long)fault->event);
}

llmlab_status_t
llmlab__reader_status(const llmlab__reader_t *reader)
{
    const llmlab__fault_t *fault = &reader->facts.fault;

    return fault->status == LLMLAB_OK ? LLMLAB_OK : fail_with(fault);
}

/* A call of a tool: its name, and the signs around it. */
#define TOOL_CALL_TOKENS 12

static uint64_t
longer(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Nobody counted: what was said is measured. What was not seen, such as a
 * hidden chain of thought or the prompt, is not in it. */
static void
estimate(llmlab__facts_t *facts, bool measures)
{
    llmlab_reply_t *reply = &facts->reply;
    uint64_t count[LLMLAB__SAID];
    uint64_t sum;

    for (size_t i = 0; i < LLMLAB__SAID; i++) {
        count[i] = llmlab_tokens_count(&facts->said[i].tokens, reply->provider);
    }
    sum =
        longer(count[LLMLAB__SAID_TEXT], count[LLMLAB__SAID_TEXT_AGAIN]) +
        longer(count[LLMLAB__SAID_THOUGHT], count[LLMLAB__SAID_THOUGHT_AGAIN]);
    if (reply->tool_calls > 0) {
        sum += (uint64_t)reply->tool_calls * TOOL_CALL_TOKENS;
    }
    if (measures && sum > 0) {
        llmlab_usage_set(&reply->usage, LLMLAB_USAGE_OUTPUT_TOKENS, sum);
        reply->usage_source = LLMLAB_USAGE_ESTIMATED;
    }
}

llmlab_status_t
llmlab__reader_reply(const llmlab__reader_t *reader, llmlab_reply_t *out)
{
    const llmlab__form_t *form = reader->walk.form;
    llmlab__facts_t facts = reader->facts;
    llmlab_reply_t *reply = &facts.reply;

    if (reader->inner_form != NULL) {
        form = reader->inner_form;
    }
    if (form == NULL) {
        form = &llmlab__form_openai_chat;
    }
    form->finish(&facts);
    use_metrics(&facts);
    llmlab__parts_finish(&facts);
    reply->is_stream = reader->framing > LLMLAB__FRAMING_JSON ||
                       reader->events > 1 || facts.is_stream;
    reply->complete =
        facts.fault.status == LLMLAB_OK && is_complete(reader, &facts);
    reply->usage_source =
        reply->usage.present != 0 ? LLMLAB_USAGE_PROVIDER : LLMLAB_USAGE_NONE;
    if (reply->provider[0] == '\0') {
        llmlab__copy_text(reply->provider, sizeof(reply->provider),
                          llmlab__detect_provider(&facts, form));
    }
    reply->is_batch = llmlab__word_is(reply->service_tier, "batch") ||
                      llmlab__word_is(reply->api, "batches") ||
                      llmlab__word_is(reply->api, "batch_generate_content");
    if (reply->usage_source == LLMLAB_USAGE_NONE) {
        estimate(&facts, reader->measures);
    }
    if (reply->api[0] == '\0' && reader->events > 0) {
        llmlab__copy_text(reply->api, sizeof(reply->api), form->name);
    }
    *out = *reply;
    if (facts.fault.status != LLMLAB_OK) {
        return fail_with(&facts.fault);
    }
    if (reply->usage_source != LLMLAB_USAGE_PROVIDER &&
        !reply->has_provider_cost) {
        return llmlab__fail(LLMLAB_ENOUSAGE, "%s",
                            reply->is_error ? "the reply is an error"
                                            : "the reply states no usage");
    }
    return LLMLAB_OK;
}
