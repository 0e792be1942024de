/* Gemini's generateContent, its embeddings and batches, and the same on
 * Vertex. Thoughts stand beside the candidates, the tools' prompt beside the
 * prompt; every chunk of a stream repeats cumulative counts. */
#include "usage/reader.h"

/* --- counts by modality --------------------------------------------------- */

typedef struct modality_slots_s {
    llmlab__slot_t audio;
    llmlab__slot_t image;
    llmlab__slot_t video;
} modality_slots_t;

static const modality_slots_t input_slots = {LLMLAB__IN_AUDIO, LLMLAB__IN_IMAGE,
                                             LLMLAB__IN_VIDEO};
static const modality_slots_t output_slots = {
    LLMLAB__OUT_AUDIO, LLMLAB__OUT_IMAGE, LLMLAB__OUT_VIDEO};
static const modality_slots_t cached_slots = {
    LLMLAB__READ_AUDIO, LLMLAB__READ_IMAGE, LLMLAB__READ_VIDEO};

static bool
is_modality(const llmlab__facts_t *facts, const char *upper, const char *lower)
{
    return llmlab__word_is(facts->item_type, upper) ||
           llmlab__word_is(facts->item_type, lower);
}

/* A list replaces the one before it: counts are cumulative. */
static void
take_modality(llmlab__facts_t *facts, llmlab__moment_t moment,
              const modality_slots_t *slots)
{
    uint64_t tokens = llmlab__get(facts, LLMLAB__ITEM_IN);

    switch (moment) {
    case LLMLAB__OPEN:
        if (!facts->adding) {
            llmlab__drop(facts, slots->audio);
            llmlab__drop(facts, slots->image);
            llmlab__drop(facts, slots->video);
        }
        break;
    case LLMLAB__ITEM:
        llmlab__item_begin(facts);
        break;
    case LLMLAB__ITEMED:
        if (!llmlab__has(facts, LLMLAB__ITEM_IN)) {
            break;
        }
        if (is_modality(facts, "AUDIO", "audio")) {
            llmlab__add(facts, slots->audio, tokens);
        } else if (is_modality(facts, "VIDEO", "video")) {
            llmlab__add(facts, slots->video, tokens);
        } else if (is_modality(facts, "IMAGE", "image") ||
                   is_modality(facts, "DOCUMENT", "document")) {
            /* Pages are read, and billed, as images. */
            llmlab__add(facts, slots->image, tokens);
        }
        break;
    default:
        break;
    }
}

static void
on_input(llmlab__reader_t *reader, llmlab__moment_t moment,
         llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    take_modality(&reader->facts, moment, &input_slots);
}

static void
on_output(llmlab__reader_t *reader, llmlab__moment_t moment,
          llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    take_modality(&reader->facts, moment, &output_slots);
}

static void
on_cached(llmlab__reader_t *reader, llmlab__moment_t moment,
          llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    take_modality(&reader->facts, moment, &cached_slots);
}

static const llmlab__node_t modality_nodes[] = {
    LLMLAB__WORD("modality", ITEM_TYPE),
    LLMLAB__COUNT("tokenCount", ITEM_IN),
    LLMLAB__COUNT("tokens", ITEM_IN),
    LLMLAB__NODES_END,
};

/* --- usage ---------------------------------------------------------------- */

/* Vertex tells the tier as a kind of traffic. */
static void
on_traffic(llmlab__reader_t *reader, llmlab__moment_t moment,
           llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    static const char *const tiers[][2] = {
        {"ON_DEMAND", "standard"},
        {"ON_DEMAND_PRIORITY", "priority"},
        {"ON_DEMAND_FLEX", "flex"},
        {"PROVISIONED_THROUGHPUT", "provisioned_throughput"},
    };
    llmlab_reply_t *reply = &reader->facts.reply;

    (void)moment;
    if (type != LLMLAB__JSON_STRING) {
        return;
    }
    reader->facts.is_vertex = true;
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (llmlab__json_text_is(text, tiers[i][0], strlen(tiers[i][0]))) {
            llmlab__copy_text(reply->service_tier, sizeof(reply->service_tier),
                              tiers[i][1]);
            return;
        }
    }
    llmlab__copy_word(reply->service_tier, sizeof(reply->service_tier), text);
}

static const llmlab__node_t usage_nodes[] = {
    LLMLAB__COUNT("promptTokenCount", IN),
    LLMLAB__COUNT("candidatesTokenCount", OUT),
    LLMLAB__COUNT("responseTokenCount", OUT),
    LLMLAB__COUNT("thoughtsTokenCount", REASONING),
    LLMLAB__COUNT("cachedContentTokenCount", READ),
    LLMLAB__COUNT("toolUsePromptTokenCount", TOOL_PROMPT),
    LLMLAB__COUNT("totalTokenCount", TOTAL),
    LLMLAB__HOOKED("promptTokensDetails", modality_nodes, on_input),
    LLMLAB__HOOKED("promptTokenDetails", modality_nodes, on_input),
    LLMLAB__HOOKED("candidatesTokensDetails", modality_nodes, on_output),
    LLMLAB__HOOKED("responseTokensDetails", modality_nodes, on_output),
    LLMLAB__HOOKED("cacheTokensDetails", modality_nodes, on_cached),
    LLMLAB__VALUE_HOOK("trafficType", on_traffic),
    LLMLAB__WORD("serviceTier", TIER),
    LLMLAB__NODES_END,
};

/* --- content -------------------------------------------------------------- */

static void
on_function_call(llmlab__reader_t *reader, llmlab__moment_t moment,
                 llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__OPEN) {
        reader->started = true;
        llmlab__count_tool(&reader->facts, 1);
    }
}

static const llmlab__node_t nothing_nodes[] = {LLMLAB__NODES_END};

static const llmlab__node_t part_nodes[] = {
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__TOKEN("inlineData", NOTHING),
    LLMLAB__HOOKED("functionCall", nothing_nodes, on_function_call),
    LLMLAB__NODES_END,
};

static const llmlab__node_t content_nodes[] = {
    LLMLAB__INSIDE("parts", part_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t candidate_nodes[] = {
    LLMLAB__INSIDE("content", content_nodes),
    LLMLAB__VALUE_HOOK("finishReason", llmlab__on_stop),
    LLMLAB__NODES_END,
};

static void
on_candidates(llmlab__reader_t *reader, llmlab__moment_t moment,
              llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__ITEM) {
        llmlab__count_tool(&reader->facts, 0);
    }
}

static const llmlab__node_t feedback_nodes[] = {
    LLMLAB__VALUE_HOOK("blockReason", llmlab__on_stop),
    LLMLAB__NODES_END,
};

#define RESPONSE_NODES                                                       \
    LLMLAB__HOOKED("candidates", candidate_nodes, on_candidates),            \
        LLMLAB__STRICT("usageMetadata", usage_nodes),                        \
        LLMLAB__WORD("modelVersion", MODEL), LLMLAB__WORD("responseId", ID), \
        LLMLAB__INSIDE("promptFeedback", feedback_nodes),                    \
        LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error)

/* A batch's answers, one an element. */
static const llmlab__node_t response_nodes[] = {
    RESPONSE_NODES,
    LLMLAB__NODES_END,
};

static const llmlab__node_t inlined_nodes[] = {
    LLMLAB__INSIDE("response", response_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t inlined_list_nodes[] = {
    LLMLAB__HOOKED("inlinedResponses", inlined_nodes, llmlab__on_several),
    LLMLAB__NODES_END,
};

static const llmlab__node_t batch_nodes[] = {
    LLMLAB__INSIDE("inlinedResponses", inlined_list_nodes),
    LLMLAB__NODES_END,
};

/* Vertex's predict: one vector a text. */
static const llmlab__node_t statistics_nodes[] = {
    LLMLAB__COUNT("token_count", IN),
    LLMLAB__NODES_END,
};

static const llmlab__node_t vector_nodes[] = {
    LLMLAB__STRICT("statistics", statistics_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t prediction_nodes[] = {
    LLMLAB__INSIDE("embeddings", vector_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t metadata_nodes[] = {
    LLMLAB__COUNT("billableCharacterCount", CHARACTERS),
    LLMLAB__NODES_END,
};

/* Without alt=sse a stream is one array of its chunks. */
static void
on_root(llmlab__reader_t *reader, llmlab__moment_t moment,
        llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    (void)type;
    (void)text;
    if (moment == LLMLAB__ITEM) {
        reader->facts.is_stream = true;
    }
}

static const llmlab__node_t root_nodes[] = {
    RESPONSE_NODES,
    LLMLAB__INSIDE("response", batch_nodes),
    LLMLAB__HOOKED("predictions", prediction_nodes, llmlab__on_several),
    LLMLAB__INSIDE("metadata", metadata_nodes),
    LLMLAB__NODES_END,
};

/* --- canonical ------------------------------------------------------------ */

static void
give_modality(llmlab__facts_t *facts, llmlab_usage_field_t whole,
              llmlab_usage_field_t cached, llmlab__slot_t in,
              llmlab__slot_t read)
{
    uint64_t tokens = llmlab__get(facts, in);
    uint64_t from_cache = llmlab__get(facts, read);

    (void)llmlab__give(facts, cached, read);
    if (llmlab__has(facts, in)) {
        /* What came from the cache is billed as cached, once. */
        llmlab_usage_set(&facts->reply.usage, whole,
                         tokens > from_cache ? tokens - from_cache : 0);
    }
}

static void
finish(llmlab__facts_t *facts)
{
    uint64_t prompt = llmlab__get(facts, LLMLAB__IN);
    uint64_t tools = llmlab__get(facts, LLMLAB__TOOL_PROMPT);
    uint64_t answer = llmlab__get(facts, LLMLAB__OUT);
    uint64_t thoughts = llmlab__get(facts, LLMLAB__REASONING);

    if (llmlab__has(facts, LLMLAB__IN)) {
        llmlab__give_sum(facts, LLMLAB_USAGE_INPUT_TOKENS, prompt, tools, 0);
        if (llmlab__has(facts, LLMLAB__TOTAL)) {
            facts->reply.identity =
                llmlab__identity(prompt + tools, answer + thoughts,
                                 facts->count[LLMLAB__TOTAL], 0, 0);
        }
    }
    if (llmlab__has(facts, LLMLAB__OUT) ||
        llmlab__has(facts, LLMLAB__REASONING)) {
        llmlab__give_sum(facts, LLMLAB_USAGE_OUTPUT_TOKENS, answer, thoughts,
                         0);
    }
    (void)llmlab__give(facts, LLMLAB_USAGE_CACHE_READ_TOKENS, LLMLAB__READ);
    (void)llmlab__give(facts, LLMLAB_USAGE_REASONING_TOKENS, LLMLAB__REASONING);
    (void)llmlab__give(facts, LLMLAB_USAGE_INPUT_CHARACTERS,
                       LLMLAB__CHARACTERS);
    give_modality(facts, LLMLAB_USAGE_INPUT_AUDIO_TOKENS,
                  LLMLAB_USAGE_CACHE_READ_AUDIO_TOKENS, LLMLAB__IN_AUDIO,
                  LLMLAB__READ_AUDIO);
    give_modality(facts, LLMLAB_USAGE_INPUT_IMAGE_TOKENS,
                  LLMLAB_USAGE_CACHE_READ_IMAGE_TOKENS, LLMLAB__IN_IMAGE,
                  LLMLAB__READ_IMAGE);
    give_modality(facts, LLMLAB_USAGE_INPUT_VIDEO_TOKENS,
                  LLMLAB_USAGE_CACHE_READ_VIDEO_TOKENS, LLMLAB__IN_VIDEO,
                  LLMLAB__READ_VIDEO);
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_AUDIO_TOKENS,
                       LLMLAB__OUT_AUDIO);
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_IMAGE_TOKENS,
                       LLMLAB__OUT_IMAGE);
    (void)llmlab__give(facts, LLMLAB_USAGE_OUTPUT_VIDEO_TOKENS,
                       LLMLAB__OUT_VIDEO);
}

/* The last chunk has the finish reason and the final counts. */
static void
event(llmlab__facts_t *facts)
{
    facts->ended |= facts->stopped;
}

const llmlab__form_t llmlab__form_gemini = {
    .name = "generate_content",
    .root = {.key = "", .nodes = root_nodes, .hook = on_root},
    .finish = finish,
    .event = event,
};

/* --- the Interactions API ------------------------------------------------- */

static const llmlab__node_t interaction_usage_nodes[] = {
    LLMLAB__COUNT("total_input_tokens", IN),
    LLMLAB__COUNT("total_output_tokens", OUT),
    LLMLAB__COUNT("total_thought_tokens", REASONING),
    LLMLAB__COUNT("total_cached_tokens", READ),
    LLMLAB__COUNT("total_tool_use_tokens", TOOL_PROMPT),
    LLMLAB__COUNT("total_tokens", TOTAL),
    LLMLAB__HOOKED("input_tokens_by_modality", modality_nodes, on_input),
    LLMLAB__HOOKED("output_tokens_by_modality", modality_nodes, on_output),
    LLMLAB__HOOKED("cached_tokens_by_modality", modality_nodes, on_cached),
    LLMLAB__NODES_END,
};

static void
on_status(llmlab__reader_t *reader, llmlab__moment_t moment,
          llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &reader->facts;

    if (type != LLMLAB__JSON_STRING) {
        return;
    }
    facts->not_ended = llmlab__json_key_is(text, "in_progress");
    if (!facts->not_ended) {
        llmlab__on_stop(reader, moment, type, text);
    }
}

#define INTERACTION_NODES                                 \
    LLMLAB__WORD("id", ID), LLMLAB__WORD("model", MODEL), \
        LLMLAB__VALUE_HOOK("status", on_status),          \
        LLMLAB__WORD("service_tier", TIER),               \
        LLMLAB__STRICT("usage", interaction_usage_nodes), \
        LLMLAB__HOOKED("error", llmlab__error_nodes, llmlab__on_error)

static const llmlab__node_t interaction_nodes[] = {
    INTERACTION_NODES,
    LLMLAB__NODES_END,
};

static const llmlab__node_t interaction_metadata_nodes[] = {
    LLMLAB__STRICT("usage", interaction_usage_nodes),
    LLMLAB__NODES_END,
};

static const llmlab__node_t interaction_delta_nodes[] = {
    LLMLAB__TOKEN("text", TEXT),
    LLMLAB__NODES_END,
};

static const llmlab__node_t interaction_root_nodes[] = {
    INTERACTION_NODES,
    LLMLAB__INSIDE("interaction", interaction_nodes),
    LLMLAB__INSIDE("metadata", interaction_metadata_nodes),
    LLMLAB__INSIDE("delta", interaction_delta_nodes),
    LLMLAB__NODES_END,
};

const llmlab__form_t llmlab__form_gemini_interactions = {
    .name = "interactions",
    .root = {.key = "", .nodes = interaction_root_nodes},
    .finish = finish,
    .event = event,
};
