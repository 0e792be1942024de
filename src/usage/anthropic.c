/* Anthropic Messages: its own, on Vertex, on Bedrock's InvokeModel, on Azure;
 * the older complete API; batch results. Input tokens exclude what the cache
 * gave and took; a stream's counts are cumulative. */
#include "usage/reader.h"

static const llmlab__node_t item_creation_nodes[] = {
    LLMLAB__COUNT("ephemeral_5m_input_tokens", ITEM_5M),
    LLMLAB__COUNT("ephemeral_1h_input_tokens", ITEM_1H),
    LLMLAB__NODES_END,
};

static const llmlab__node_t iteration_nodes[] = {
    LLMLAB__WORD("type", ITEM_TYPE),
    LLMLAB__WORD("model", ITEM_MODEL),
    LLMLAB__COUNT("input_tokens", ITEM_IN),
    LLMLAB__COUNT("output_tokens", ITEM_OUT),
    LLMLAB__COUNT("cache_read_input_tokens", ITEM_READ),
    LLMLAB__COUNT("cache_creation_input_tokens", ITEM_WRITE),
    LLMLAB__STRICT("cache_creation", item_creation_nodes),
    LLMLAB__NODES_END,
};

/* What is not split by its time to live lives five minutes. */
static uint64_t
written_5m(uint64_t written, uint64_t for_5m, uint64_t for_1h)
{
    return written > for_5m + for_1h ? written - for_1h : for_5m;
}

/* Each run of a model that the reply took. Its own counts leave out what
 * compaction of the context used, which is billed all the same, at the same
 * model; and the advisor, which is another model. Where another model had to
 * answer, "fallback_message", the first one's run is a message too. */
static void
on_iteration(llmlab__reader_t *reader, llmlab__moment_t moment,
             llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    (void)type;
    (void)text;
    switch (moment) {
    case LLMLAB__OPEN:
        llmlab__drop(facts, LLMLAB__EXTRA_IN);
        llmlab__drop(facts, LLMLAB__EXTRA_OUT);
        llmlab__drop(facts, LLMLAB__EXTRA_READ);
        llmlab__drop(facts, LLMLAB__EXTRA_5M);
        llmlab__drop(facts, LLMLAB__EXTRA_1H);
        llmlab__parts_clear(facts);
        break;
    case LLMLAB__ITEM:
        llmlab__item_begin(facts);
        break;
    case LLMLAB__ITEMED:
        facts->has_fallback |=
            llmlab__word_is(facts->item_type, "fallback_message");
        llmlab__part_add(facts, false);
        if (!llmlab__word_is(facts->item_type, "compaction")) {
            break;
        }
        llmlab__add(facts, LLMLAB__EXTRA_IN,
                    llmlab__get(facts, LLMLAB__ITEM_IN));
        llmlab__add(facts, LLMLAB__EXTRA_OUT,
                    llmlab__get(facts, LLMLAB__ITEM_OUT));
        llmlab__add(facts, LLMLAB__EXTRA_READ,
                    llmlab__get(facts, LLMLAB__ITEM_READ));
        llmlab__add(facts, LLMLAB__EXTRA_1H,
                    llmlab__get(facts, LLMLAB__ITEM_1H));
        llmlab__add(facts, LLMLAB__EXTRA_5M,
                    written_5m(llmlab__get(facts, LLMLAB__ITEM_WRITE),
                               llmlab__get(facts, LLMLAB__ITEM_5M),
                               llmlab__get(facts, LLMLAB__ITEM_1H)));
        break;
    default:
        break;
    }
}

static const llmlab__node_t creation_nodes[] = {
    LLMLAB__COUNT("ephemeral_5m_input_tokens", WRITE_5M),
    LLMLAB__COUNT("ephemeral_1h_input_tokens", WRITE_1H),
    LLMLAB__NODES_END,
};

static const llmlab__node_t output_nodes[] = {
    LLMLAB__COUNT("thinking_tokens", REASONING),
    LLMLAB__NODES_END,
};

static const llmlab__node_t tool_nodes[] = {
    LLMLAB__COUNT("web_search_requests", SEARCHES),
    LLMLAB__COUNT("web_fetch_requests", FETCHES),
    LLMLAB__NODES_END,
};

static void
on_geo(llmlab__reader_t *reader, llmlab__moment_t moment,
       llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab_reply_t *reply = &reader->facts.reply;

    (void)moment;
    if (type == LLMLAB__JSON_STRING &&
        !llmlab__json_key_is(text, "not_available")) {
        llmlab__copy_word(reply->region, sizeof(reply->region), text);
    }
}

static const llmlab__node_t usage_nodes[] = {
    LLMLAB__COUNT("input_tokens", IN),
    LLMLAB__COUNT("output_tokens", OUT),
    LLMLAB__COUNT("cache_read_input_tokens", READ),
    LLMLAB__COUNT("cache_creation_input_tokens", WRITE),
    LLMLAB__STRICT("cache_creation", creation_nodes),
    LLMLAB__STRICT("output_tokens_details", output_nodes),
    LLMLAB__STRICT("server_tool_use", tool_nodes),
    LLMLAB__HOOKED("iterations", iteration_nodes, on_iteration),
    LLMLAB__WORD("service_tier", TIER),
    LLMLAB__WORD("speed", SPEED),
    LLMLAB__VALUE_HOOK("inference_geo", on_geo),
    LLMLAB__NODES_END,
};

/* --- content -------------------------------------------------------------- */

static const llmlab__node_t block_nodes[] = {
    LLMLAB__WORD("type", ITEM_TYPE),
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__TOKEN("thinking", TEXT),
    LLMLAB__NODES_END,
};

static void
on_block(llmlab__reader_t *reader, llmlab__moment_t moment,
         llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    (void)type;
    (void)text;
    switch (moment) {
    case LLMLAB__OPEN: /* an array, or the block of a stream's event */
        llmlab__count_tool(facts, 0);
        llmlab__item_begin(facts);
        break;
    case LLMLAB__ITEM:
        llmlab__item_begin(facts);
        break;
    case LLMLAB__ITEMED:
    case LLMLAB__CLOSE:
        if (llmlab__word_is(facts->item_type, "tool_use")) {
            llmlab__count_tool(facts, 1);
        }
        llmlab__item_begin(facts);
        break;
    default:
        break;
    }
}

static const llmlab__node_t delta_nodes[] = {
    LLMLAB__VALUE_HOOK("stop_reason", llmlab__on_stop),
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__TOKEN("thinking", TEXT),
    LLMLAB__TOKEN("partial_json", TEXT),
    LLMLAB__TOKEN("content", TEXT), /* of a compaction */
    LLMLAB__NODES_END,
};

#define MESSAGE_NODES                                       \
    LLMLAB__WORD("id", ID), LLMLAB__WORD("model", MODEL),   \
        LLMLAB__VALUE_HOOK("stop_reason", llmlab__on_stop), \
        LLMLAB__HOOKED("content", block_nodes, on_block),   \
        LLMLAB__STRICT("usage", usage_nodes)

static const llmlab__node_t message_nodes[] = {
    MESSAGE_NODES,
    LLMLAB__NODES_END,
};

static const llmlab__node_t result_nodes[] = {
    LLMLAB__INSIDE("message", message_nodes),
    LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error),
    LLMLAB__NODES_END,
};

static const llmlab__node_t root_nodes[] = {
    LLMLAB__WORD("type", TYPE),
    LLMLAB__INSIDE("message", message_nodes),
    LLMLAB__INSIDE("delta", delta_nodes),
    LLMLAB__HOOKED("content_block", block_nodes, on_block),
    MESSAGE_NODES,
    LLMLAB__TOKEN("completion", TEXT),
    LLMLAB__HOOKED("result", result_nodes, llmlab__on_several),
    LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error),
    LLMLAB__STRICT("amazon-bedrock-invocationMetrics",
                   llmlab__bedrock_metric_nodes),
    LLMLAB__NODES_END,
};

static void
event(llmlab__facts_t *facts)
{
    if (llmlab__word_is(facts->type, "message_stop") ||
        (facts->stopped && llmlab__word_is(facts->type, "completion"))) {
        facts->ended = true;
    } else if (llmlab__word_is(facts->type, "error")) {
        facts->reply.is_error = 1;
    }
}

/* --- canonical ------------------------------------------------------------ */

static void
give_writes(llmlab__facts_t *facts)
{
    uint64_t for_5m = llmlab__get(facts, LLMLAB__WRITE_5M);
    uint64_t for_1h = llmlab__get(facts, LLMLAB__WRITE_1H);
    bool has_split = llmlab__has(facts, LLMLAB__WRITE_5M) ||
                     llmlab__has(facts, LLMLAB__WRITE_1H);

    if (!has_split && !llmlab__has(facts, LLMLAB__WRITE)) {
        return;
    }
    for_5m = written_5m(llmlab__get(facts, LLMLAB__WRITE), for_5m, for_1h);
    llmlab__give_sum(facts, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS, for_5m,
                     llmlab__get(facts, LLMLAB__EXTRA_5M), 0);
    if (has_split || llmlab__get(facts, LLMLAB__EXTRA_1H) > 0) {
        llmlab__give_sum(facts, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS, for_1h,
                         llmlab__get(facts, LLMLAB__EXTRA_1H), 0);
    }
}

static void
give_input(llmlab__facts_t *facts)
{
    static const llmlab__slot_t parts[] = {
        LLMLAB__READ,     LLMLAB__EXTRA_IN, LLMLAB__EXTRA_READ,
        LLMLAB__EXTRA_5M, LLMLAB__EXTRA_1H,
    };
    llmlab_usage_t *usage = &facts->reply.usage;
    uint64_t split = llmlab__get(facts, LLMLAB__WRITE_5M) +
                     llmlab__get(facts, LLMLAB__WRITE_1H);
    uint64_t written = llmlab__get(facts, LLMLAB__WRITE);

    if (!llmlab__has(facts, LLMLAB__IN)) {
        return;
    }
    llmlab__give_sum(facts, LLMLAB_USAGE_INPUT_TOKENS, facts->count[LLMLAB__IN],
                     written > split ? written : split, 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        llmlab__give_sum(facts, LLMLAB_USAGE_INPUT_TOKENS,
                         usage->count[LLMLAB_USAGE_INPUT_TOKENS],
                         llmlab__get(facts, parts[i]), 0);
    }
}

static void
finish(llmlab__facts_t *facts)
{
    give_input(facts);
    if (llmlab__has(facts, LLMLAB__OUT)) {
        llmlab__give_sum(facts, LLMLAB_USAGE_OUTPUT_TOKENS,
                         facts->count[LLMLAB__OUT],
                         llmlab__get(facts, LLMLAB__EXTRA_OUT), 0);
    }
    if (llmlab__has(facts, LLMLAB__READ)) {
        llmlab__give_sum(facts, LLMLAB_USAGE_CACHE_READ_TOKENS,
                         facts->count[LLMLAB__READ],
                         llmlab__get(facts, LLMLAB__EXTRA_READ), 0);
    }
    give_writes(facts);
    (void)llmlab__give(facts, LLMLAB_USAGE_REASONING_TOKENS, LLMLAB__REASONING);
    (void)llmlab__give(facts, LLMLAB_USAGE_WEB_SEARCH_REQUESTS,
                       LLMLAB__SEARCHES);
    (void)llmlab__give(facts, LLMLAB_USAGE_WEB_FETCH_REQUESTS, LLMLAB__FETCHES);
}

const llmlab__form_t llmlab__form_anthropic = {
    .name = "messages",
    .root = {.key = "", .nodes = root_nodes},
    .finish = finish,
    .event = event,
};
