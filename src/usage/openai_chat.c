/* OpenAI Chat Completions, completions, embeddings and all that speak it:
 * Azure, Mistral, DeepSeek, xAI, Groq, Together, Fireworks, OpenRouter,
 * Perplexity, vLLM, Voyage, gateways. */
#include "usage/reader.h"

static const llmlab__node_t function_nodes[] = {
    LLMLAB__WORD("name", ITEM_NAME),
    LLMLAB__TOKEN("arguments", TEXT),
    LLMLAB__NODES_END,
};

/* A call's parts carry its name once, at its beginning. */
static void
on_tool_call(llmlab__reader_t *reader, llmlab__moment_t moment,
             llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    (void)type;
    (void)text;
    if (moment == LLMLAB__ITEM) {
        facts->item_name[0] = '\0';
        reader->started = true;
    } else if (moment == LLMLAB__ITEMED && facts->item_name[0] != '\0') {
        llmlab__count_tool(facts, 1);
    }
}

static const llmlab__node_t tool_call_nodes[] = {
    LLMLAB__INSIDE("function", function_nodes),
    LLMLAB__NODES_END,
};

/* Mistral writes its thoughts so. */
static const llmlab__node_t thought_nodes[] = {
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__NODES_END,
};

static const llmlab__node_t value_nodes[] = {
    LLMLAB__TOKEN("value", TEXT), /* assistants */
    LLMLAB__NODES_END,
};

static const llmlab__node_t part_text_nodes[] = {
    LLMLAB__TOKENS("text", TEXT, value_nodes),
    LLMLAB__TOKENS("thinking", TEXT, thought_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t message_nodes[] = {
    LLMLAB__TOKENS("content", TEXT, part_text_nodes),
    LLMLAB__TOKEN("reasoning_content", THOUGHT),
    LLMLAB__TOKEN("reasoning", THOUGHT_AGAIN),
    LLMLAB__TOKEN("refusal", TEXT),
    LLMLAB__HOOKED("tool_calls", tool_call_nodes, on_tool_call),
    LLMLAB__NODES_END,
};

static void
on_choice(llmlab__reader_t *reader, llmlab__moment_t moment,
          llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__ITEM) {
        llmlab__count_tool(&reader->facts, 0);
    }
}

static const llmlab__node_t choice_nodes[] = {
    LLMLAB__INSIDE("delta", message_nodes),
    LLMLAB__INSIDE("message", message_nodes),
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__VALUE_HOOK("finish_reason", llmlab__on_stop),
    LLMLAB__NODES_END,
};

static void
on_usage(llmlab__reader_t *reader, llmlab__moment_t moment,
         llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)text;
    if (moment == LLMLAB__OPEN) {
        reader->facts.has_usage = true;
    } else if (moment == LLMLAB__VALUE && type != LLMLAB__JSON_NULL) {
        llmlab__fault(&reader->facts, LLMLAB_EPARSE, "not an object", "usage");
    }
}

static void
on_groq(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    reader->facts.is_groq |= moment == LLMLAB__OPEN;
}

static void
on_data(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    reader->facts.has_data |= moment == LLMLAB__OPEN;
}

static const llmlab__node_t nothing_nodes[] = {LLMLAB__NODES_END};

/* Groq's compound systems: what each of their models used, of which the
 * usage is the sum. */
static const llmlab__node_t part_input_nodes[] = {
    LLMLAB__COUNT("cached_tokens", ITEM_READ),
    LLMLAB__NODES_END,
};

static const llmlab__node_t part_output_nodes[] = {
    LLMLAB__COUNT("reasoning_tokens", ITEM_REASONING),
    LLMLAB__NODES_END,
};

static const llmlab__node_t part_usage_nodes[] = {
    LLMLAB__COUNT("prompt_tokens", ITEM_IN),
    LLMLAB__COUNT("completion_tokens", ITEM_OUT),
    LLMLAB__STRICT("prompt_tokens_details", part_input_nodes),
    LLMLAB__STRICT("completion_tokens_details", part_output_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t part_nodes[] = {
    LLMLAB__WORD("model", ITEM_MODEL),
    LLMLAB__STRICT("usage", part_usage_nodes),
    LLMLAB__NODES_END,
};

static void
on_part(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    (void)type;
    (void)text;
    if (moment == LLMLAB__OPEN) {
        llmlab__parts_clear(facts);
    } else if (moment == LLMLAB__ITEM) {
        llmlab__item_begin(facts);
    } else if (moment == LLMLAB__ITEMED) {
        llmlab__part_add(facts, true);
    }
}

static const llmlab__node_t breakdown_nodes[] = {
    LLMLAB__HOOKED("models", part_nodes, on_part),
    LLMLAB__NODES_END,
};

static const llmlab__node_t groq_nodes[] = {
    LLMLAB__HOOKED("usage", llmlab__openai_usage_nodes, on_usage),
    LLMLAB__INSIDE("usage_breakdown", breakdown_nodes),
    LLMLAB__WORD("id", ID),
    LLMLAB__NODES_END,
};

/* Mistral's OCR. */
static const llmlab__node_t usage_info_nodes[] = {
    LLMLAB__COUNT("pages_processed", PAGES),
    LLMLAB__NODES_END,
};

static const llmlab__node_t root_nodes[] = {
    LLMLAB__WORD("id", ID),
    LLMLAB__WORD("model", MODEL),
    LLMLAB__VALUE_HOOK("created", llmlab__on_created),
    LLMLAB__HOOKED("choices", choice_nodes, on_choice),
    LLMLAB__HOOKED("usage", llmlab__openai_usage_nodes, on_usage),
    LLMLAB__WORD("service_tier", TIER),
    LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error),
    LLMLAB__TOKEN("text", NOTHING),         /* transcriptions */
    LLMLAB__INSIDE("delta", message_nodes), /* assistants */
    LLMLAB__VALUE_HOOK("message", llmlab__on_bare_message),
    LLMLAB__VALUE_HOOK("detail", llmlab__on_bare_message),
    LLMLAB__HOOKED("x_groq", groq_nodes, on_groq),
    LLMLAB__INSIDE("usage_breakdown", breakdown_nodes),
    LLMLAB__HOOKED("data", nothing_nodes, on_data),
    LLMLAB__HOOKED("results", nothing_nodes, on_data),
    LLMLAB__STRICT("usage_info", usage_info_nodes),
    LLMLAB__STRICT("amazon-bedrock-invocationMetrics",
                   llmlab__bedrock_metric_nodes),
    LLMLAB__NODES_END,
};

/* Some servers send no [DONE]; usage is the last thing that comes. */
static void
event(llmlab__facts_t *facts)
{
    facts->ended |= facts->stopped && facts->has_usage;
}

static void
finish(llmlab__facts_t *facts)
{
    llmlab__openai_finish(facts);
    (void)llmlab__give(facts, LLMLAB_USAGE_WEB_SEARCH_REQUESTS,
                       LLMLAB__SEARCHES);
}

const llmlab__form_t llmlab__form_openai_chat = {
    .name = "chat_completions",
    .root = {.key = "", .nodes = root_nodes},
    .finish = finish,
    .event = event,
};
