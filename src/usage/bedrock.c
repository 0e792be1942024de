/* Bedrock: Converse, ConverseStream, agents, and the bodies of InvokeModel
 * that Amazon's and Meta's models write. Other vendors' bodies are read by
 * their own formats. Input tokens exclude the cache. */
#include "usage/reader.h"

const llmlab__node_t llmlab__bedrock_metric_nodes[] = {
    LLMLAB__COUNT("inputTokenCount", METRIC_IN),
    LLMLAB__COUNT("outputTokenCount", METRIC_OUT),
    LLMLAB__COUNT("cacheReadInputTokenCount", METRIC_READ),
    LLMLAB__COUNT("cacheWriteInputTokenCount", METRIC_WRITE),
    LLMLAB__NODES_END,
};

/* --- usage ---------------------------------------------------------------- */

static const llmlab__node_t cache_nodes[] = {
    LLMLAB__WORD("ttl", ITEM_TYPE),
    LLMLAB__COUNT("inputTokens", ITEM_IN),
    LLMLAB__NODES_END,
};

static void
on_cache(llmlab__reader_t *reader, llmlab__moment_t moment,
         llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    (void)type;
    (void)text;
    switch (moment) {
    case LLMLAB__OPEN:
        llmlab__drop(facts, LLMLAB__WRITE_5M);
        llmlab__drop(facts, LLMLAB__WRITE_1H);
        break;
    case LLMLAB__ITEM:
        llmlab__item_begin(facts);
        break;
    case LLMLAB__ITEMED:
        llmlab__add(facts,
                    llmlab__word_is(facts->item_type, "1h") ? LLMLAB__WRITE_1H
                                                            : LLMLAB__WRITE_5M,
                    llmlab__get(facts, LLMLAB__ITEM_IN));
        break;
    default:
        break;
    }
}

static const llmlab__node_t usage_nodes[] = {
    LLMLAB__COUNT("inputTokens", IN),
    LLMLAB__COUNT("outputTokens", OUT),
    LLMLAB__COUNT("totalTokens", TOTAL),
    LLMLAB__COUNT("cacheReadInputTokens", READ),
    LLMLAB__COUNT("cacheReadInputTokenCount", READ_OTHER),
    LLMLAB__COUNT("cacheWriteInputTokens", WRITE),
    LLMLAB__COUNT("cacheWriteInputTokenCount", WRITE_OTHER),
    LLMLAB__HOOKED("cacheDetails", cache_nodes, on_cache),
    LLMLAB__NODES_END,
};

/* --- content -------------------------------------------------------------- */

static void
on_tool_use(llmlab__reader_t *reader, llmlab__moment_t moment,
            llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__OPEN) {
        reader->started = true;
        llmlab__count_tool(&reader->facts, 1);
    }
}

static void
on_content(llmlab__reader_t *reader, llmlab__moment_t moment,
           llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__OPEN) {
        llmlab__count_tool(&reader->facts, 0);
    }
}

static const llmlab__node_t nothing_nodes[] = {LLMLAB__NODES_END};

static const llmlab__node_t text_nodes[] = {
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__NODES_END,
};

static const llmlab__node_t thought_nodes[] = {
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__INSIDE("reasoningText", text_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t block_nodes[] = {
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__TOKENS("reasoningContent", TEXT, thought_nodes),
    LLMLAB__HOOKED("toolUse", nothing_nodes, on_tool_use),
    LLMLAB__NODES_END,
};

static const llmlab__node_t message_nodes[] = {
    LLMLAB__HOOKED("content", block_nodes, on_content),
    LLMLAB__NODES_END,
};

static const llmlab__node_t output_nodes[] = {
    LLMLAB__INSIDE("message", message_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t tool_input_nodes[] = {
    LLMLAB__TOKEN("input", TEXT),
    LLMLAB__NODES_END,
};

static const llmlab__node_t delta_nodes[] = {
    LLMLAB__INSIDE("toolUse", tool_input_nodes),
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__TOKENS("reasoningContent", TEXT, thought_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t start_nodes[] = {
    LLMLAB__HOOKED("toolUse", nothing_nodes, on_tool_use),
    LLMLAB__NODES_END,
};

static void
on_stop(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__count_tool(&reader->facts, 0);
    llmlab__on_stop(reader, moment, type, text);
}

static const llmlab__node_t tier_nodes[] = {
    LLMLAB__WORD("type", TIER),
    LLMLAB__NODES_END,
};

static void
on_tier(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab_reply_t *reply = &reader->facts.reply;

    if (moment == LLMLAB__VALUE && type == LLMLAB__JSON_STRING) {
        llmlab__copy_word(reply->service_tier, sizeof(reply->service_tier),
                          text);
    }
}

/* The last event of ConverseStream tells usage and latency. */
static void
on_metrics(llmlab__reader_t *reader, llmlab__moment_t moment,
           llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    reader->facts.ended |= moment == LLMLAB__OPEN;
}

/* --- agents --------------------------------------------------------------- */

static const llmlab__node_t step_metadata_nodes[] = {
    LLMLAB__HOOKED("usage", usage_nodes, llmlab__on_several),
    LLMLAB__NODES_END,
};

static const llmlab__node_t step_output_nodes[] = {
    LLMLAB__INSIDE("metadata", step_metadata_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t step_input_nodes[] = {
    LLMLAB__WORD("foundationModel", MODEL),
    LLMLAB__NODES_END,
};

static const llmlab__node_t step_nodes[] = {
    LLMLAB__INSIDE("modelInvocationInput", step_input_nodes),
    LLMLAB__INSIDE("modelInvocationOutput", step_output_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t agent_trace_nodes[] = {
    LLMLAB__INSIDE("preProcessingTrace", step_nodes),
    LLMLAB__INSIDE("orchestrationTrace", step_nodes),
    LLMLAB__INSIDE("postProcessingTrace", step_nodes),
    LLMLAB__INSIDE("routingClassifierTrace", step_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t trace_nodes[] = {
    LLMLAB__INSIDE("trace", agent_trace_nodes),
    LLMLAB__NODES_END,
};

/* --- InvokeModel: Nova's events, Titan, Llama -------------------------------
 */

static const llmlab__node_t metadata_nodes[] = {
    LLMLAB__STRICT("usage", usage_nodes),
    LLMLAB__HOOKED("metrics", nothing_nodes, on_metrics),
    LLMLAB__NODES_END,
};

static const llmlab__node_t stop_nodes[] = {
    LLMLAB__VALUE_HOOK("stopReason", on_stop),
    LLMLAB__NODES_END,
};

static const llmlab__node_t block_start_nodes[] = {
    LLMLAB__INSIDE("start", start_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t block_delta_nodes[] = {
    LLMLAB__INSIDE("delta", delta_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t result_nodes[] = {
    LLMLAB__COUNT("tokenCount", OUT),
    LLMLAB__VALUE_HOOK("completionReason", llmlab__on_stop),
    LLMLAB__NODES_END,
};

static const llmlab__node_t root_nodes[] = {
    LLMLAB__STRICT("usage", usage_nodes),
    LLMLAB__VALUE_HOOK("stopReason", on_stop),
    LLMLAB__INSIDE("output", output_nodes),
    LLMLAB__HOOKED("metrics", nothing_nodes, on_metrics),
    LLMLAB__INSIDE("start", start_nodes),
    LLMLAB__INSIDE("delta", delta_nodes),
    LLMLAB__HOOKED("serviceTier", tier_nodes, on_tier),
    {LLMLAB__KEY("bytes"), .kind = LLMLAB__NODE_BASE64},
    LLMLAB__VALUE_HOOK("message", llmlab__on_bare_message),
    LLMLAB__INSIDE("trace", trace_nodes),
    LLMLAB__INSIDE("metadata", metadata_nodes),
    LLMLAB__INSIDE("messageStop", stop_nodes),
    LLMLAB__INSIDE("contentBlockStart", block_start_nodes),
    LLMLAB__INSIDE("contentBlockDelta", block_delta_nodes),
    LLMLAB__COUNT("inputTextTokenCount", IN),
    LLMLAB__HOOKED("results", result_nodes, llmlab__on_several),
    LLMLAB__COUNT("totalOutputTextTokenCount", OUT),
    LLMLAB__TOKEN("outputText", TEXT),
    LLMLAB__VALUE_HOOK("completionReason", llmlab__on_stop),
    LLMLAB__COUNT("prompt_token_count", IN),
    LLMLAB__COUNT("generation_token_count", OUT),
    LLMLAB__TOKEN("generation", TEXT),
    LLMLAB__VALUE_HOOK("stop_reason", llmlab__on_stop),
    LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error),
    LLMLAB__STRICT("amazon-bedrock-invocationMetrics",
                   llmlab__bedrock_metric_nodes),
    LLMLAB__NODES_END,
};

/* --- canonical ------------------------------------------------------------ */

static void
give_writes(llmlab__facts_t *facts, llmlab__slot_t write)
{
    uint64_t for_1h = llmlab__get(facts, LLMLAB__WRITE_1H);
    uint64_t for_5m = llmlab__get(facts, LLMLAB__WRITE_5M);
    uint64_t written = llmlab__get(facts, write);

    if (!llmlab__has(facts, write)) {
        return;
    }
    /* What is not split by its time to live lives five minutes. */
    if (written > for_5m + for_1h) {
        for_5m = written - for_1h;
    }
    llmlab_usage_set(&facts->reply.usage, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS,
                     for_5m);
    if (llmlab__has(facts, LLMLAB__WRITE_1H)) {
        (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS,
                           LLMLAB__WRITE_1H);
    }
}

static void
finish(llmlab__facts_t *facts)
{
    llmlab__slot_t read_slot =
        llmlab__has(facts, LLMLAB__READ) ? LLMLAB__READ : LLMLAB__READ_OTHER;
    llmlab__slot_t write_slot =
        llmlab__has(facts, LLMLAB__WRITE) ? LLMLAB__WRITE : LLMLAB__WRITE_OTHER;
    uint64_t read = llmlab__get(facts, read_slot);
    uint64_t write = llmlab__get(facts, write_slot);

    if (llmlab__has(facts, LLMLAB__IN)) {
        if (llmlab__has(facts, LLMLAB__TOTAL)) {
            facts->reply.identity = llmlab__identity(
                facts->count[LLMLAB__IN], llmlab__get(facts, LLMLAB__OUT),
                facts->count[LLMLAB__TOTAL], 0, read + write);
        }
        if (facts->reply.identity == LLMLAB_IDENTITY_INCLUSIVE) {
            (void)llmlab__give(facts, LLMLAB_USAGE_INPUT_TOKENS, LLMLAB__IN);
        } else {
            llmlab__give_sum(facts, LLMLAB_USAGE_INPUT_TOKENS,
                             facts->count[LLMLAB__IN], read, write);
        }
    }
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_TOKENS, LLMLAB__OUT);
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_READ_TOKENS, read_slot);
    give_writes(facts, write_slot);
}

const llmlab__form_t llmlab__form_bedrock = {
    .name = "converse",
    .root = {.key = "", .nodes = root_nodes},
    .finish = finish,
};
