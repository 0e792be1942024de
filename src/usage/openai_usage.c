/* The usage object in OpenAI's style, which most providers write with changes
 * of their own. Chat says prompt and completion, Responses says input and
 * output; nobody writes both. */
#include "base/u128.h"
#include "usage/reader.h"

static const llmlab__node_t cached_nodes[] = {
    LLMLAB__COUNT("audio_tokens", READ_AUDIO),
    LLMLAB__COUNT("image_tokens", READ_IMAGE),
    LLMLAB__NODES_END,
};

static const llmlab__node_t input_nodes[] = {
    LLMLAB__COUNT("cached_tokens", READ),
    LLMLAB__COUNT("cache_write_tokens", WRITE),
    LLMLAB__COUNT("cache_creation_tokens", WRITE_OTHER), /* LiteLLM */
    LLMLAB__COUNT("audio_tokens", IN_AUDIO),
    LLMLAB__COUNT("image_tokens", IN_IMAGE),
    LLMLAB__COUNT("video_tokens", IN_VIDEO),
    LLMLAB__STRICT("cached_tokens_details", cached_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t output_nodes[] = {
    LLMLAB__COUNT("reasoning_tokens", REASONING),
    LLMLAB__COUNT("audio_tokens", OUT_AUDIO),
    LLMLAB__COUNT("image_tokens", OUT_IMAGE),
    LLMLAB__COUNT("video_tokens", OUT_VIDEO),
    LLMLAB__NODES_END,
};

static const llmlab__node_t search_nodes[] = {
    LLMLAB__COUNT("web_search_requests", SEARCHES),
    LLMLAB__NODES_END,
};

static const llmlab__node_t xai_tool_nodes[] = {
    LLMLAB__COUNT("web_search_calls", SEARCHES),
    LLMLAB__NODES_END,
};

/* --- stated charges ------------------------------------------------------ */

static void
on_cost(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab_reply_t *reply = &reader->facts.reply;

    if (moment == LLMLAB__VALUE &&
        llmlab__read_money(&reader->facts, reply->provider_cost, type, text,
                           "cost")) {
        reply->has_provider_cost = 1;
    }
}

static void
on_upstream_cost(llmlab__reader_t *reader, llmlab__moment_t moment,
                 llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab_reply_t *reply = &reader->facts.reply;

    if (moment == LLMLAB__VALUE &&
        llmlab__read_money(&reader->facts, reply->upstream_cost, type, text,
                           "upstream_inference_cost")) {
        reply->has_upstream_cost = 1;
    }
}

static void
on_byok(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)moment;
    (void)text;
    reader->facts.reply.is_byok = type == LLMLAB__JSON_TRUE;
}

/* Perplexity's cost is an object of its parts. */
static void
on_total_cost(llmlab__reader_t *reader, llmlab__moment_t moment,
              llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    reader->facts.is_perplexity = true;
    on_cost(reader, moment, type, text);
}

static const llmlab__node_t cost_nodes[] = {
    LLMLAB__VALUE_HOOK("total_cost", on_total_cost),
    LLMLAB__NODES_END,
};

static const llmlab__node_t cost_detail_nodes[] = {
    LLMLAB__VALUE_HOOK("upstream_inference_cost", on_upstream_cost),
    LLMLAB__NODES_END,
};

const llmlab__node_t llmlab__openai_usage_nodes[] = {
    LLMLAB__COUNT("prompt_tokens", IN),
    LLMLAB__COUNT("input_tokens", IN),
    LLMLAB__COUNT("completion_tokens", OUT),
    LLMLAB__COUNT("output_tokens", OUT),
    LLMLAB__COUNT("total_tokens", TOTAL),
    LLMLAB__STRICT("prompt_tokens_details", input_nodes),
    LLMLAB__STRICT("prompt_token_details", input_nodes),
    LLMLAB__STRICT("input_tokens_details", input_nodes),
    LLMLAB__STRICT("input_token_details", input_nodes),
    LLMLAB__STRICT("completion_tokens_details", output_nodes),
    LLMLAB__STRICT("completion_token_details", output_nodes),
    LLMLAB__STRICT("output_tokens_details", output_nodes),
    LLMLAB__STRICT("output_token_details", output_nodes),
    LLMLAB__COUNT("prompt_cache_hit_tokens", READ_HIT),
    LLMLAB__COUNT("cached_tokens", READ_OTHER),
    LLMLAB__COUNT("num_cached_tokens", READ_OTHER),
    LLMLAB__COUNT("cache_read_input_tokens", READ_OTHER),
    LLMLAB__COUNT("cache_creation_input_tokens", WRITE_OTHER),
    LLMLAB__COUNT("reasoning_tokens", REASONING_OTHER),
    LLMLAB__COUNT("citation_tokens", CITATION),
    LLMLAB__COUNT("num_search_queries", SEARCHES),
    LLMLAB__WORD("search_context_size", SEARCH_CONTEXT),
    LLMLAB__SECONDS("prompt_audio_seconds", AUDIO_MICROSECONDS),
    LLMLAB__SECONDS("seconds", AUDIO_MICROSECONDS),
    LLMLAB__COUNT("image_pixels", PIXELS), /* Voyage */
    LLMLAB__WORD("service_tier", TIER),
    LLMLAB__COUNT("cost_in_usd_ticks", TICKS),
    LLMLAB__HOOKED("cost", cost_nodes, on_cost),
    LLMLAB__VALUE_HOOK("is_byok", on_byok),
    LLMLAB__STRICT("cost_details", cost_detail_nodes),
    LLMLAB__STRICT("server_tool_use", search_nodes),
    LLMLAB__STRICT("server_tool_use_details", search_nodes),
    LLMLAB__STRICT("server_side_tool_usage_details", xai_tool_nodes),
    LLMLAB__NODES_END,
};

_Static_assert(sizeof(llmlab__openai_usage_nodes) /
                       sizeof(llmlab__openai_usage_nodes[0]) <=
                   64,
               "a level remembers 64 keys");

/* --- canonical ----------------------------------------------------------- */

static void
give_cost(llmlab__facts_t *facts)
{
    const llmlab__u128_t femto_per_tick = 100000; /* 1e-10 USD */
    llmlab_reply_t *reply = &facts->reply;

    /* Azure serves Grok with xAI's usage, but bills tokens by its own prices:
     * the ticks, always zero there, are no charge. */
    if (llmlab__has(facts, LLMLAB__TICKS) &&
        !llmlab__is_azure(reply->provider)) {
        llmlab_money_t money =
            llmlab__money_of(femto_per_tick * facts->count[LLMLAB__TICKS]);

        reply->provider_cost[0] = money.low;
        reply->provider_cost[1] = money.high;
        reply->has_provider_cost = 1;
    }
    /* Without a key of one's own the upstream's charge is in the cost. */
    if (!reply->is_byok) {
        reply->has_upstream_cost = 0;
        reply->upstream_cost[0] = 0;
        reply->upstream_cost[1] = 0;
    }
}

/* The first of the slots that is present. */
static llmlab__slot_t
first_of(const llmlab__facts_t *facts, llmlab__slot_t a, llmlab__slot_t b,
         llmlab__slot_t c)
{
    if (llmlab__has(facts, a)) {
        return a;
    }
    return llmlab__has(facts, b) ? b : c;
}

/* Perplexity keeps reasoning outside the completion and out of its total. */
static bool
reasoning_is_always_outside(const llmlab__facts_t *facts)
{
    return facts->is_perplexity ||
           llmlab__word_is(facts->reply.provider, "perplexity");
}

/* A part cannot exceed its whole: more reasoning than output lies outside it,
 * whatever the total says. OpenRouter counts reasoning by another tokenizer
 * than the output it bills, so that its numbers cannot be compared. */
static int
check_reasoning(const llmlab__facts_t *facts, int identity, uint64_t output,
                uint64_t reasoning)
{
    bool is_openrouter = llmlab__word_is(facts->reply.provider, "openrouter") ||
                         (facts->reply.provider[0] == '\0' &&
                          strncmp(facts->reply.response_id, "gen-", 4) == 0);

    return identity == LLMLAB_IDENTITY_INCLUSIVE && reasoning > output &&
                   !is_openrouter
               ? LLMLAB_IDENTITY_REASONING_OUTSIDE
               : identity;
}

static void
give_input(llmlab__facts_t *facts, uint64_t outside)
{
    if (llmlab__has(facts, LLMLAB__IN)) {
        llmlab__give_sum(facts, LLMLAB_USAGE_INPUT_TOKENS,
                         facts->count[LLMLAB__IN], outside, 0);
    } else if (facts->has_data && llmlab__has(facts, LLMLAB__TOTAL) &&
               !llmlab__has(facts, LLMLAB__OUT)) {
        /* Embeddings and rerankings have input only. */
        (void)llmlab__give(facts, LLMLAB_USAGE_INPUT_TOKENS, LLMLAB__TOTAL);
    }
}

static void
give_modalities(llmlab__facts_t *facts)
{
    static const struct {
        llmlab_usage_field_t whole;
        llmlab_usage_field_t cached;
        llmlab__slot_t in;
        llmlab__slot_t read;
    } inputs[] = {
        {LLMLAB_USAGE_INPUT_AUDIO_TOKENS, LLMLAB_USAGE_CACHE_READ_AUDIO_TOKENS,
         LLMLAB__IN_AUDIO, LLMLAB__READ_AUDIO},
        {LLMLAB_USAGE_INPUT_IMAGE_TOKENS, LLMLAB_USAGE_CACHE_READ_IMAGE_TOKENS,
         LLMLAB__IN_IMAGE, LLMLAB__READ_IMAGE},
        {LLMLAB_USAGE_INPUT_VIDEO_TOKENS, LLMLAB_USAGE_CACHE_READ_VIDEO_TOKENS,
         LLMLAB__IN_VIDEO, LLMLAB__READ_VIDEO},
    };

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        uint64_t in = llmlab__get(facts, inputs[i].in);
        uint64_t read = llmlab__get(facts, inputs[i].read);

        (void)llmlab__give(facts, inputs[i].cached, inputs[i].read);
        if (llmlab__has(facts, inputs[i].in)) {
            /* What came from the cache is billed as cached, once. */
            llmlab_usage_set(&facts->reply.usage, inputs[i].whole,
                             in > read ? in - read : 0);
        }
    }
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_AUDIO_TOKENS,
                       LLMLAB__OUT_AUDIO);
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_IMAGE_TOKENS,
                       LLMLAB__OUT_IMAGE);
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_VIDEO_TOKENS,
                       LLMLAB__OUT_VIDEO);
}

void
llmlab__openai_finish(llmlab__facts_t *facts)
{
    llmlab__slot_t read =
        first_of(facts, LLMLAB__READ_HIT, LLMLAB__READ, LLMLAB__READ_OTHER);
    llmlab__slot_t write =
        first_of(facts, LLMLAB__WRITE, LLMLAB__WRITE_OTHER, LLMLAB__WRITE);
    llmlab__slot_t reasoning = first_of(
        facts, LLMLAB__REASONING, LLMLAB__REASONING_OTHER, LLMLAB__REASONING);
    uint64_t cache_outside = 0;
    uint64_t reasoning_outside = 0;
    uint64_t cache = llmlab__get(facts, read) + llmlab__get(facts, write);

    if (llmlab__has(facts, LLMLAB__TOTAL) && llmlab__has(facts, LLMLAB__IN)) {
        uint64_t output = llmlab__get(facts, LLMLAB__OUT);
        uint64_t thought = llmlab__get(facts, reasoning);

        facts->reply.identity = check_reasoning(
            facts,
            llmlab__identity(facts->count[LLMLAB__IN], output,
                             facts->count[LLMLAB__TOTAL], thought, cache),
            output, thought);
    }
    if (facts->reply.identity == LLMLAB_IDENTITY_REASONING_OUTSIDE ||
        reasoning_is_always_outside(facts)) {
        reasoning_outside = llmlab__get(facts, reasoning);
    }
    if (facts->reply.identity == LLMLAB_IDENTITY_CACHE_OUTSIDE) {
        cache_outside = cache;
    }
    give_input(facts, cache_outside);
    if (llmlab__has(facts, LLMLAB__OUT)) {
        llmlab__give_sum(facts, LLMLAB_USAGE_OUTPUT_TOKENS,
                         facts->count[LLMLAB__OUT], reasoning_outside, 0);
    }
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_READ_TOKENS, read);
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_WRITE_TOKENS, write);
    (void)llmlab__give(facts, LLMLAB_USAGE_REASONING_TOKENS, reasoning);
    (void)llmlab__give(facts, LLMLAB_USAGE_CITATION_TOKENS, LLMLAB__CITATION);
    (void)llmlab__give(facts, LLMLAB_USAGE_AUDIO_SECONDS,
                       LLMLAB__AUDIO_MICROSECONDS);
    (void)llmlab__give(facts, LLMLAB_USAGE_PAGES, LLMLAB__PAGES);
    (void)llmlab__give(facts, LLMLAB_USAGE_IMAGE_PIXELS, LLMLAB__PIXELS);
    give_modalities(facts);
    give_cost(facts);
}
