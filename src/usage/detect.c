/* Telling a reply's wire format by its form, where nobody told it: the first
 * key of the text that only one format has decides. */
#include "usage/reader.h"

/* Keys whose value decides. */
enum {
    KEY_NONE = 0,
    KEY_ID,
    KEY_OBJECT,
    KEY_TYPE,
    KEY_OUTPUT,
    KEY_CONTENT,
    KEY_RESPONSE,
    KEY_EMBEDDINGS,
    KEY_VECTOR, /* the first element of embeddings */
    KEY_CREATED,
    KEY_CREATED_AT,
    KEY_FINISH_REASON,
    KEY_MESSAGE
};

typedef struct mark_s {
    const char *key;
    const llmlab__form_t *form; /* NULL: the value decides */
    uint8_t look;
} mark_t;

static const mark_t marks[] = {
    {"id", NULL, KEY_ID},
    {"object", NULL, KEY_OBJECT},
    {"type", NULL, KEY_TYPE},
    {"output", NULL, KEY_OUTPUT},
    {"content", NULL, KEY_CONTENT},
    {"response", NULL, KEY_RESPONSE},
    {"embeddings", NULL, KEY_EMBEDDINGS},
    {"created_at", NULL, KEY_CREATED_AT},
    {"choices", &llmlab__form_openai_chat, 0},
    {"data", &llmlab__form_openai_chat, 0},
    {"created", NULL, KEY_CREATED},
    {"system_fingerprint", &llmlab__form_openai_chat, 0},
    {"x_groq", &llmlab__form_openai_chat, 0},
    {"usage_info", &llmlab__form_openai_chat, 0},
    {"incomplete_details", &llmlab__form_openai_responses, 0},
    {"previous_response_id", &llmlab__form_openai_responses, 0},
    {"parallel_tool_calls", &llmlab__form_openai_responses, 0},
    {"output_index", &llmlab__form_openai_responses, 0},
    {"sequence_number", &llmlab__form_openai_responses, 0},
    {"stop_sequence", &llmlab__form_anthropic, 0},
    {"content_block", &llmlab__form_anthropic, 0},
    {"completion", &llmlab__form_anthropic, 0},
    {"result", &llmlab__form_anthropic, 0},
    {"candidates", &llmlab__form_gemini, 0},
    {"usageMetadata", &llmlab__form_gemini, 0},
    {"promptFeedback", &llmlab__form_gemini, 0},
    {"modelVersion", &llmlab__form_gemini, 0},
    {"responseId", &llmlab__form_gemini, 0},
    {"predictions", &llmlab__form_gemini, 0},
    {"embedding", &llmlab__form_gemini, 0},
    {"interaction", &llmlab__form_gemini_interactions, 0},
    {"interaction_id", &llmlab__form_gemini_interactions, 0},
    {"stopReason", &llmlab__form_bedrock, 0},
    {"metrics", &llmlab__form_bedrock, 0},
    {"inputTextTokenCount", &llmlab__form_bedrock, 0},
    {"outputText", &llmlab__form_bedrock, 0},
    {"generation", &llmlab__form_bedrock, 0},
    {"prompt_token_count", &llmlab__form_bedrock, 0},
    {"messageStart", &llmlab__form_bedrock, 0},
    {"messageStop", &llmlab__form_bedrock, 0},
    {"contentBlockStart", &llmlab__form_bedrock, 0},
    {"contentBlockDelta", &llmlab__form_bedrock, 0},
    {"contentBlockStop", &llmlab__form_bedrock, 0},
    {"contentBlockIndex", &llmlab__form_bedrock, 0},
    {"finish_reason", NULL, KEY_FINISH_REASON},
    {"message", NULL, KEY_MESSAGE},
    {"chat_history", &llmlab__form_cohere, 0},
    {"generation_id", &llmlab__form_cohere, 0},
    {"generations", &llmlab__form_cohere, 0},
    {"is_finished", &llmlab__form_cohere, 0},
    {"response_id", &llmlab__form_cohere, 0},
    {"meta", &llmlab__form_cohere, 0},
    {"done", &llmlab__form_ollama, 0},
    {"done_reason", &llmlab__form_ollama, 0},
    {"eval_count", &llmlab__form_ollama, 0},
    {"prompt_eval_count", &llmlab__form_ollama, 0},
    {"total_duration", &llmlab__form_ollama, 0},
};

/* What a value begins with. */
typedef struct prefix_s {
    uint8_t look;
    const char *text;
    const llmlab__form_t *form;
} prefix_t;

static const prefix_t prefixes[] = {
    {KEY_ID, "chatcmpl-", &llmlab__form_openai_chat},
    {KEY_ID, "resp_", &llmlab__form_openai_responses},
    {KEY_OBJECT, "response", &llmlab__form_openai_responses},
    {KEY_OBJECT, "interaction", &llmlab__form_gemini_interactions},
    {KEY_OBJECT, "", &llmlab__form_openai_chat},
    {KEY_TYPE, "response.", &llmlab__form_openai_responses},
    {KEY_TYPE, "transcript.", &llmlab__form_openai_responses},
    {KEY_TYPE, "image_", &llmlab__form_openai_responses},
    {KEY_TYPE, "message-", &llmlab__form_cohere},
    {KEY_TYPE, "content-", &llmlab__form_cohere},
    {KEY_TYPE, "tool-", &llmlab__form_cohere},
    {KEY_TYPE, "citation-", &llmlab__form_cohere},
    {KEY_TYPE, "message", &llmlab__form_anthropic},
    {KEY_TYPE, "content_block_", &llmlab__form_anthropic},
    {KEY_TYPE, "ping", &llmlab__form_anthropic},
    {KEY_TYPE, "completion", &llmlab__form_anthropic},
    {KEY_RESPONSE, "", &llmlab__form_ollama},
    {KEY_CREATED_AT, "", &llmlab__form_ollama},
};

static void
decide(llmlab__walk_t *walk, const llmlab__form_t *form)
{
    if (walk->found == NULL) {
        walk->found = form;
    }
}

static llmlab__push_mode_t
on_key(void *context, const llmlab__json_text_t *key)
{
    llmlab__walk_t *walk = context;

    walk->detect_key = KEY_NONE;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const mark_t *mark = &marks[i];

        if (strncmp(mark->key, key->data, key->size) == 0 &&
            mark->key[key->size] == '\0') {
            if (mark->form != NULL) {
                decide(walk, mark->form);
                return LLMLAB__PUSH_SKIP;
            }
            walk->detect_key = mark->look;
            return LLMLAB__PUSH_LOOK;
        }
    }
    return LLMLAB__PUSH_SKIP;
}

static bool
on_enter(void *context, bool object)
{
    llmlab__walk_t *walk = context;
    bool enters = object || walk->detect_level == 0;

    switch (walk->detect_key) {
    case KEY_OUTPUT:
        decide(walk,
               object ? &llmlab__form_bedrock : &llmlab__form_openai_responses);
        return false;
    case KEY_CONTENT:
        decide(walk, &llmlab__form_anthropic);
        return false;
    case KEY_RESPONSE:
        decide(walk, &llmlab__form_openai_responses);
        return false;
    case KEY_EMBEDDINGS:
        /* Lists by type are Cohere's. */
        if (object) {
            decide(walk, &llmlab__form_cohere);
            return false;
        }
        walk->detect_key = KEY_VECTOR;
        return true;
    case KEY_VECTOR:
        /* Objects are Gemini's; bare vectors Cohere's behind an id, and
         * Ollama's behind a model. */
        if (object) {
            decide(walk, &llmlab__form_gemini);
        } else {
            decide(walk, walk->detect_saw_id ? &llmlab__form_cohere
                                             : &llmlab__form_ollama);
        }
        return false;
    case KEY_MESSAGE:
        /* Behind an id alone; others write a model or a type before it. */
        if (object && walk->detect_saw_id) {
            decide(walk, &llmlab__form_cohere);
        }
        return false;
    case KEY_NONE:
        break;
    default:
        return false;
    }
    /* The root, and the first object of a root array. */
    if (enters) {
        walk->detect_level++;
    }
    return enters;
}

static void
on_leave(void *context)
{
    (void)context;
}

static void
on_scalar(void *context, llmlab__json_type_t type,
          const llmlab__json_text_t *text)
{
    llmlab__walk_t *walk = context;

    if (walk->detect_key == KEY_ID) {
        walk->detect_saw_id = true;
    }
    if (walk->detect_key == KEY_CREATED && type == LLMLAB__JSON_NUMBER) {
        decide(walk, &llmlab__form_openai_chat);
    }
    if (type != LLMLAB__JSON_STRING) {
        return;
    }
    /* Of those with a finish reason at the root, only Cohere shouts. */
    if (walk->detect_key == KEY_FINISH_REASON && text->size > 0 &&
        text->data[0] >= 'A' && text->data[0] <= 'Z') {
        decide(walk, &llmlab__form_cohere);
    }
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        const prefix_t *prefix = &prefixes[i];
        size_t size = strlen(prefix->text);

        if (prefix->look == walk->detect_key && text->size >= size &&
            memcmp(text->data, prefix->text, size) == 0) {
            decide(walk, prefix->form);
            return;
        }
    }
}

static void
on_piece(void *context, const char *bytes, size_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
}

static const llmlab__push_handler_t handler = {on_key, on_enter, on_leave,
                                               on_scalar, on_piece};

void
llmlab__detect_begin(llmlab__walk_t *walk)
{
    walk->detect_key = KEY_NONE;
    walk->detect_level = 0;
    walk->detect_saw_id = false;
    walk->prefix_size = 0;
    llmlab__push_init(&walk->detect, &handler, walk);
}

/* --- what the caller says ------------------------------------------------ */

typedef struct told_s {
    const char *provider; /* NULL: any */
    const char *api;      /* NULL: any */
    const llmlab__form_t *form;
} told_t;

static const told_t told[] = {
    {"cohere", "chat", &llmlab__form_cohere},
    {"cohere", "embeddings", &llmlab__form_cohere},
    {"cohere", "rerank", &llmlab__form_cohere},
    {"cohere", "generate", &llmlab__form_cohere},
    {"ollama", "chat", &llmlab__form_ollama},
    {"ollama", "generate", &llmlab__form_ollama},
    {"anthropic", "batches", &llmlab__form_anthropic},
    {"gemini", "batches", &llmlab__form_gemini},
    {NULL, "chat_completions", &llmlab__form_openai_chat},
    {NULL, "completions", &llmlab__form_openai_chat},
    {NULL, "responses", &llmlab__form_openai_responses},
    {NULL, "messages", &llmlab__form_anthropic},
    {NULL, "generate_content", &llmlab__form_gemini},
    {NULL, "stream_generate_content", &llmlab__form_gemini},
    {NULL, "interactions", &llmlab__form_gemini_interactions},
    {NULL, "converse", &llmlab__form_bedrock},
    {NULL, "converse_stream", &llmlab__form_bedrock},
};

const llmlab__form_t *
llmlab__detect_api(const char *provider, const char *api)
{
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        if (told[i].provider != NULL &&
            (provider == NULL || strcmp(provider, told[i].provider) != 0)) {
            continue;
        }
        if (api != NULL && strcmp(api, told[i].api) == 0) {
            return told[i].form;
        }
    }
    return NULL;
}

static bool
begins(const char *word, const char *prefix)
{
    return strncmp(word, prefix, strlen(prefix)) == 0;
}

/* Models that OpenAI alone sells under these names. Azure does too, at the
 * same list prices. */
static bool
is_openai_model(const char *model)
{
    static const char *const names[] = {
        "gpt-3",           "gpt-4", "gpt-5", "gpt-6", "chatgpt-",
        "text-embedding-", "o1",    "o3",    "o4-",   "ft:gpt-"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (begins(model, names[i])) {
            return true;
        }
    }
    return false;
}

const char *
llmlab__detect_provider(const llmlab__facts_t *facts,
                        const llmlab__form_t *form)
{
    const llmlab_reply_t *reply = &facts->reply;

    if (form == &llmlab__form_anthropic) {
        if (begins(reply->response_id, "msg_bdrk_")) {
            return "bedrock";
        }
        return begins(reply->response_id, "msg_vrtx_") ? "vertex" : "anthropic";
    }
    if (form == &llmlab__form_gemini) {
        return facts->is_vertex ? "vertex" : "gemini";
    }
    if (form == &llmlab__form_gemini_interactions) {
        return "gemini";
    }
    if (form == &llmlab__form_bedrock) {
        return "bedrock";
    }
    if (form == &llmlab__form_cohere) {
        return "cohere";
    }
    if (form == &llmlab__form_ollama) {
        return "ollama";
    }
    if (llmlab__has(facts, LLMLAB__TICKS)) {
        return "xai";
    }
    if (llmlab__has(facts, LLMLAB__READ_HIT)) {
        return "deepseek";
    }
    if (facts->is_groq) {
        return "groq";
    }
    if (facts->is_perplexity) {
        return "perplexity";
    }
    if (begins(reply->response_id, "gen-") && reply->has_provider_cost) {
        return "openrouter";
    }
    return is_openai_model(reply->model) ? "openai" : "";
}
