/* Ollama's own API: chat, generate, embed; NDJSON when it streams. Counts may
 * be missing, which is unknown, not zero. */
#include "usage/reader.h"

static const llmlab__node_t nothing_nodes[] = {LLMLAB__NODES_END};

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

static void
on_message(llmlab__reader_t *reader, llmlab__moment_t moment,
           llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__OPEN) {
        llmlab__count_tool(&reader->facts, 0);
    }
}

static const llmlab__node_t message_nodes[] = {
    LLMLAB__TOKEN("content", TEXT),
    LLMLAB__TOKEN("thinking", TEXT),
    LLMLAB__HOOKED("tool_calls", nothing_nodes, on_tool_calls),
    LLMLAB__NODES_END,
};

static void
on_done(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)moment;
    (void)text;
    reader->facts.not_ended = type == LLMLAB__JSON_FALSE;
    reader->facts.is_stream |= type == LLMLAB__JSON_FALSE;
    reader->facts.ended |= type == LLMLAB__JSON_TRUE;
}

static const llmlab__node_t root_nodes[] = {
    LLMLAB__WORD("model", MODEL),
    LLMLAB__HOOKED("message", message_nodes, on_message),
    LLMLAB__TOKEN("response", TEXT),
    LLMLAB__VALUE_HOOK("done", on_done),
    LLMLAB__VALUE_HOOK("done_reason", llmlab__on_stop),
    LLMLAB__COUNT("prompt_eval_count", IN),
    LLMLAB__COUNT("prompt_eval_cached_count", READ),
    LLMLAB__COUNT("eval_count", OUT),
    LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error),
    LLMLAB__NODES_END,
};

static void
finish(llmlab__facts_t *facts)
{
    (void)llmlab__give(facts, LLMLAB_USAGE_INPUT_TOKENS, LLMLAB__IN);
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_TOKENS, LLMLAB__OUT);
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_READ_TOKENS, LLMLAB__READ);
}

const llmlab__form_t llmlab__form_ollama = {
    .name = "chat",
    .root = {.key = "", .nodes = root_nodes},
    .finish = finish,
};
