/* Cohere v2 and v1: chat, generate, embed, rerank. What is billed differs from
 * what was read; billed units rule. */
#include "usage/reader.h"

static const llmlab__node_t billed_nodes[] = {
    LLMLAB__COUNT("input_tokens", IN),
    LLMLAB__COUNT("output_tokens", OUT),
    LLMLAB__COUNT("search_units", SEARCH_UNITS),
    LLMLAB__COUNT("images", IMAGES),
    LLMLAB__COUNT("image_tokens", IN_IMAGE),
    LLMLAB__NODES_END,
};

/* Raw counts: read where nothing says what is billed. */
static const llmlab__node_t token_nodes[] = {
    LLMLAB__COUNT("input_tokens", METRIC_IN),
    LLMLAB__COUNT("output_tokens", METRIC_OUT),
    LLMLAB__NODES_END,
};

static const llmlab__node_t usage_nodes[] = {
    LLMLAB__STRICT("billed_units", billed_nodes),
    LLMLAB__STRICT("tokens", token_nodes),
    LLMLAB__COUNT("cached_tokens", READ),
    LLMLAB__NODES_END,
};

static const llmlab__node_t nothing_nodes[] = {LLMLAB__NODES_END};

static const llmlab__node_t function_nodes[] = {
    LLMLAB__TOKEN("arguments", TEXT),
    LLMLAB__NODES_END,
};

static const llmlab__node_t tool_call_nodes[] = {
    LLMLAB__INSIDE("function", function_nodes),
    LLMLAB__NODES_END,
};

static void
on_tool_calls(llmlab__reader_t *reader, llmlab__moment_t moment,
              llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__ITEM) {
        reader->started = true;
        llmlab__count_tool(&reader->facts, 1);
    }
}

static const llmlab__node_t text_nodes[] = {
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__TOKEN("thinking", TEXT),
    LLMLAB__NODES_END,
};

static void
on_message(llmlab__reader_t *reader, llmlab__moment_t moment,
           llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)text;
    if (moment == LLMLAB__OPEN) {
        llmlab__count_tool(&reader->facts, 0);
    } else if (moment == LLMLAB__VALUE && type == LLMLAB__JSON_STRING) {
        reader->facts.reply.is_error = 1; /* an error's text */
    }
}

static const llmlab__node_t message_nodes[] = {
    LLMLAB__TOKEN("tool_plan", TEXT),
    LLMLAB__INSIDE("content", text_nodes),
    LLMLAB__HOOKED("tool_calls", tool_call_nodes, on_tool_calls),
    LLMLAB__NODES_END,
};

static const llmlab__node_t delta_nodes[] = {
    LLMLAB__VALUE_HOOK("finish_reason", llmlab__on_stop),
    LLMLAB__STRICT("usage", usage_nodes),
    LLMLAB__HOOKED("message", message_nodes, on_message),
    LLMLAB__NODES_END,
};

static void
on_finished(llmlab__reader_t *reader, llmlab__moment_t moment,
            llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)moment;
    (void)text;
    reader->facts.not_ended = type == LLMLAB__JSON_FALSE;
    reader->facts.ended |= type == LLMLAB__JSON_TRUE;
}

static const llmlab__node_t response_nodes[] = {
    LLMLAB__WORD("response_id", ID),
    LLMLAB__VALUE_HOOK("finish_reason", llmlab__on_stop),
    LLMLAB__HOOKED("tool_calls", nothing_nodes, on_tool_calls),
    LLMLAB__STRICT("meta", usage_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t root_nodes[] = {
    LLMLAB__WORD("id", ID),
    LLMLAB__WORD("type", TYPE),
    LLMLAB__VALUE_HOOK("finish_reason", llmlab__on_stop),
    LLMLAB__HOOKED("message", message_nodes, on_message),
    LLMLAB__STRICT("usage", usage_nodes),
    LLMLAB__INSIDE("delta", delta_nodes),
    LLMLAB__WORD("response_id", ID),
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__HOOKED("tool_calls", nothing_nodes, on_tool_calls),
    LLMLAB__STRICT("meta", usage_nodes),
    LLMLAB__VALUE_HOOK("is_finished", on_finished),
    LLMLAB__WORD("event_type", TYPE),
    LLMLAB__INSIDE("response", response_nodes),
    LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error),
    LLMLAB__STRICT("amazon-bedrock-invocationMetrics",
                   llmlab__bedrock_metric_nodes),
    LLMLAB__NODES_END,
};

static void
event(llmlab__facts_t *facts)
{
    facts->ended |= llmlab__word_is(facts->type, "message-end");
    if (llmlab__word_is(facts->type, "tool-call-start")) {
        llmlab__count_tool(facts, 1);
    }
}

static void
finish(llmlab__facts_t *facts)
{
    (void)llmlab__give(facts, LLMLAB_USAGE_INPUT_TOKENS, LLMLAB__IN);
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_TOKENS, LLMLAB__OUT);
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_READ_TOKENS, LLMLAB__READ);
    (void)llmlab__give(facts, LLMLAB_USAGE_QUERIES, LLMLAB__SEARCH_UNITS);
    (void)llmlab__give(facts, LLMLAB_USAGE_INPUT_IMAGES, LLMLAB__IMAGES);
    (void)llmlab__give(facts, LLMLAB_USAGE_INPUT_IMAGE_TOKENS,
                       LLMLAB__IN_IMAGE);
}

const llmlab__form_t llmlab__form_cohere = {
    .name = "chat",
    .root = {.key = "", .nodes = root_nodes},
    .finish = finish,
    .event = event,
};
