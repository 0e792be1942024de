/* OpenAI Responses, which Azure, xAI, DeepSeek, OpenRouter and Bedrock speak
 * too; also the events of transcriptions and images. */
#include "usage/reader.h"

/* --- the output's items --------------------------------------------------- */

static uint64_t
hash_of(const llmlab__json_text_t *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < text->size; i++) {
        hash = (hash ^ (unsigned char)text->data[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* A code interpreter session is billed once for its container, however often
 * the container is used. */
static void
on_container(llmlab__reader_t *reader, llmlab__moment_t moment,
             llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;
    const size_t room = sizeof(facts->containers) / sizeof(uint64_t);
    uint64_t hash;

    (void)moment;
    if (type != LLMLAB__JSON_STRING) {
        return;
    }
    hash = hash_of(text);
    for (size_t i = 0; i < facts->container_count; i++) {
        if (facts->containers[i] == hash) {
            return;
        }
    }
    if (facts->container_count < room) {
        facts->containers[facts->container_count++] = hash;
    }
    facts->sessions++;
}

static const llmlab__node_t action_nodes[] = {
    LLMLAB__WORD("type", ITEM_NAME),
    LLMLAB__NODES_END,
};

static const llmlab__node_t content_nodes[] = {
    LLMLAB__TOKEN("text", TEXT_AGAIN),
    LLMLAB__NODES_END,
};

static const llmlab__node_t item_nodes[] = {
    LLMLAB__WORD("type", ITEM_TYPE),
    LLMLAB__WORD("status", ITEM_STATUS),
    LLMLAB__INSIDE("action", action_nodes),
    LLMLAB__VALUE_HOOK("container_id", on_container),
    LLMLAB__INSIDE("content", content_nodes),
    LLMLAB__TOKEN("arguments", TEXT_AGAIN),
    LLMLAB__NODES_END,
};

static void
count_item(llmlab__facts_t *facts)
{
    const char *type = facts->item_type;

    if (llmlab__word_is(type, "function_call") ||
        llmlab__word_is(type, "custom_tool_call")) {
        llmlab__count_tool(facts, 1);
    } else if (llmlab__word_is(type, "file_search_call")) {
        facts->file_searches++;
    } else if (llmlab__word_is(type, "web_search_call") &&
               !llmlab__word_is(facts->item_name, "open_page") &&
               !llmlab__word_is(facts->item_name, "find_in_page")) {
        /* Opening a page that a search found is no further search. */
        facts->billable_searches++;
    }
}

static void
forget_items(llmlab__facts_t *facts)
{
    facts->billable_searches = 0;
    facts->file_searches = 0;
    facts->sessions = 0;
    facts->container_count = 0;
    facts->reply.tool_calls = 0;
}

/* The whole output: it replaces what single items of a stream told, unless it
 * is left empty. */
static void
on_output(llmlab__reader_t *reader, llmlab__moment_t moment,
          llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    (void)type;
    (void)text;
    switch (moment) {
    case LLMLAB__OPEN:
        facts->is_final = false;
        llmlab__count_tool(facts, 0);
        break;
    case LLMLAB__ITEM:
        if (!facts->is_final) {
            forget_items(facts);
            facts->is_final = true;
        }
        llmlab__item_begin(facts);
        break;
    case LLMLAB__ITEMED:
        count_item(facts);
        break;
    default:
        break;
    }
}

/* One item of a stream: it comes when it begins and again when it is done. */
static void
on_item(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    (void)type;
    (void)text;
    if (moment == LLMLAB__OPEN) {
        llmlab__item_begin(facts);
    } else if (moment == LLMLAB__CLOSE &&
               llmlab__word_is(facts->item_status, "completed")) {
        count_item(facts);
    }
}

/* --- the response --------------------------------------------------------- */

static void
on_status(llmlab__reader_t *reader, llmlab__moment_t moment,
          llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    if (type != LLMLAB__JSON_STRING) {
        return;
    }
    facts->not_ended = llmlab__json_key_is(text, "in_progress") ||
                       llmlab__json_key_is(text, "queued");
    if (!facts->not_ended) {
        llmlab__on_stop(reader, moment, type, text);
    }
}

static const llmlab__node_t reason_nodes[] = {
    LLMLAB__WORD("reason", REASON),
    LLMLAB__NODES_END,
};

static const llmlab__node_t web_search_nodes[] = {
    LLMLAB__COUNT("num_requests", SEARCHES),
    LLMLAB__NODES_END,
};

static const llmlab__node_t tool_usage_nodes[] = {
    LLMLAB__STRICT("web_search", web_search_nodes),
    LLMLAB__NODES_END,
};

/* The same members stand in a body and in an event's response. */
#define RESPONSE_NODES                                        \
    LLMLAB__WORD("id", ID), LLMLAB__WORD("model", MODEL),     \
        LLMLAB__VALUE_HOOK("created_at", llmlab__on_created), \
        LLMLAB__VALUE_HOOK("status", on_status),              \
        LLMLAB__HOOKED("output", item_nodes, on_output),      \
        LLMLAB__STRICT("usage", llmlab__openai_usage_nodes),  \
        LLMLAB__WORD("service_tier", TIER),                   \
        LLMLAB__INSIDE("incomplete_details", reason_nodes),   \
        LLMLAB__STRICT("tool_usage", tool_usage_nodes),       \
        LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error)

static const llmlab__node_t response_nodes[] = {
    RESPONSE_NODES,
    LLMLAB__NODES_END,
};

static const llmlab__node_t root_nodes[] = {
    LLMLAB__WORD("type", TYPE),
    LLMLAB__TOKEN("delta", TEXT),
    LLMLAB__TOKEN("text", NOTHING), /* transcriptions */
    LLMLAB__INSIDE("response", response_nodes),
    LLMLAB__HOOKED("item", item_nodes, on_item),
    LLMLAB__WORD("code", ERROR_CODE),
    RESPONSE_NODES,
    LLMLAB__STRICT("amazon-bedrock-invocationMetrics",
                   llmlab__bedrock_metric_nodes),
    LLMLAB__NODES_END,
};

static void
event(llmlab__facts_t *facts)
{
    static const char *const ends[] = {
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.done",
        "response.cancelled",
        "transcript.text.done",
        "image_generation.completed",
        "image_edit.completed",
    };

    if (llmlab__word_is(facts->type, "error")) {
        facts->reply.is_error = 1;
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        facts->ended |= llmlab__word_is(facts->type, ends[i]);
    }
}

static void
finish(llmlab__facts_t *facts)
{
    llmlab_reply_t *reply = &facts->reply;
    llmlab_usage_t *usage = &reply->usage;

    llmlab__openai_finish(facts);
    if (facts->reason[0] != '\0') {
        llmlab__copy_text(reply->finish_reason, sizeof(reply->finish_reason),
                          facts->reason);
    }
    /* The provider's own number, where it tells one, before ours. A tool that
     * was not used is not worth a word. */
    if (llmlab__get(facts, LLMLAB__SEARCHES) > 0) {
        (void)llmlab__give(facts, LLMLAB_USAGE_WEB_SEARCH_REQUESTS,
                           LLMLAB__SEARCHES);
    } else if (!llmlab__has(facts, LLMLAB__SEARCHES) &&
               facts->billable_searches > 0) {
        llmlab_usage_set(usage, LLMLAB_USAGE_WEB_SEARCH_REQUESTS,
                         facts->billable_searches);
    }
    if (facts->file_searches > 0) {
        llmlab_usage_set(usage, LLMLAB_USAGE_FILE_SEARCH_CALLS,
                         facts->file_searches);
    }
    if (facts->sessions > 0) {
        llmlab_usage_set(usage, LLMLAB_USAGE_CODE_INTERPRETER_SESSIONS,
                         facts->sessions);
    }
}

const llmlab__form_t llmlab__form_openai_responses = {
    .name = "responses",
    .root = {.key = "", .nodes = root_nodes},
    .finish = finish,
    .event = event,
};
