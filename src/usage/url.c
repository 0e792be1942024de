/* What only a request's URL tells. */
#include <llmlab/usage.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "usage/reader.h"

typedef struct piece_s {
    const char *data;
    size_t size;
} piece_t;

static bool
piece_is(piece_t piece, const char *text)
{
    return piece.size == strlen(text) &&
           memcmp(piece.data, text, piece.size) == 0;
}

static bool
piece_ends(piece_t piece, const char *text)
{
    size_t size = strlen(text);

    return piece.size >= size &&
           memcmp(piece.data + piece.size - size, text, size) == 0;
}

static bool
piece_begins(piece_t piece, const char *text)
{
    size_t size = strlen(text);

    return piece.size >= size && memcmp(piece.data, text, size) == 0;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copy with %XX decoded. Leaves a field that is set, and one that would be
 * cut: half a name is another name. */
static void
set_once(char *field, size_t capacity, piece_t piece)
{
    size_t used = 0;

    if (field[0] != '\0' || piece.size == 0) {
        return;
    }
    for (size_t i = 0; i < piece.size; i++) {
        char c = piece.data[i];

        if (c == '%' && piece.size - i > 2) {
            int high = hex_digit(piece.data[i + 1]);
            int low = hex_digit(piece.data[i + 2]);

            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        if (c == '\0' || used == capacity - 1) {
            field[0] = '\0';
            return;
        }
        field[used++] = c;
    }
    field[used] = '\0';
}

/* The next segment of a path, or false at its end. */
static bool
next_segment(piece_t *path, piece_t *segment)
{
    size_t size = 0;

    while (path->size > 0 && path->data[0] == '/') {
        path->data++;
        path->size--;
    }
    while (size < path->size && path->data[size] != '/') {
        size++;
    }
    segment->data = path->data;
    segment->size = size;
    path->data += size;
    path->size -= size;
    return size > 0;
}

static piece_t
until(piece_t piece, char stop)
{
    const char *at = memchr(piece.data, stop, piece.size);

    if (at != NULL) {
        piece.size = (size_t)(at - piece.data);
    }
    return piece;
}

/* --- hosts ---------------------------------------------------------------- */

typedef struct host_s {
    const char *suffix;
    const char *provider;
} host_t;

static const host_t hosts[] = {
    {"api.openai.com", "openai"},
    {".openai.azure.com", "azure_openai"},
    {".services.ai.azure.com", "azure_ai"},
    {".models.ai.azure.com", "azure_ai"},
    {"api.anthropic.com", "anthropic"},
    {"generativelanguage.googleapis.com", "gemini"},
    {"aiplatform.googleapis.com", "vertex"},
    {"api.mistral.ai", "mistral"},
    {"api.cohere.com", "cohere"},
    {"api.cohere.ai", "cohere"},
    {"api.deepseek.com", "deepseek"},
    {"api.x.ai", "xai"},
    {"api.groq.com", "groq"},
    {"api.together.xyz", "together"},
    {"api.together.ai", "together"},
    {"api.fireworks.ai", "fireworks"},
    {"openrouter.ai", "openrouter"},
    {"api.perplexity.ai", "perplexity"},
    {"api.cerebras.ai", "cerebras"},
    {"api.voyageai.com", "voyageai"},
    {"ai-gateway.vercel.sh", "vercel_gateway"},
    {"api.z.ai", "zai"},
    {"router.huggingface.co", "huggingface"},
};

/* bedrock-runtime.eu-west-1.amazonaws.com, bedrock-mantle.us-east-1.api.aws */
static bool
read_bedrock_host(llmlab_reply_t *reply, piece_t host)
{
    piece_t region;

    if (!piece_begins(host, "bedrock-") ||
        (!piece_ends(host, ".amazonaws.com") &&
         !piece_ends(host, ".amazonaws.com.cn") &&
         !piece_ends(host, ".api.aws"))) {
        return false;
    }
    region = until(host, '.');
    region.data += region.size + 1;
    region.size = host.size - region.size - 1;
    region = until(region, '.');
    set_once(reply->provider, sizeof(reply->provider),
             (piece_t){"bedrock", sizeof("bedrock") - 1});
    set_once(reply->region, sizeof(reply->region), region);
    return true;
}

static void
read_host(llmlab_reply_t *reply, piece_t host)
{
    if (read_bedrock_host(reply, host)) {
        return;
    }
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (piece_ends(host, hosts[i].suffix)) {
            set_once(reply->provider, sizeof(reply->provider),
                     (piece_t){hosts[i].provider, strlen(hosts[i].provider)});
            return;
        }
    }
}

/* --- paths ---------------------------------------------------------------- */

/* Grok on Azure looks like xAI's own until the URL tells; the ticks that it
 * states as zero are no charge (give_cost()). */
static void
correct_grok_on_azure(llmlab_reply_t *reply, piece_t host)
{
    if (piece_ends(host, ".azure.com") && strcmp(reply->provider, "xai") == 0 &&
        reply->has_provider_cost && reply->provider_cost[0] == 0 &&
        reply->provider_cost[1] == 0) {
        reply->has_provider_cost = 0;
        reply->provider[0] = '\0';
    }
}

/* OpenAI's models on Converse count the cache inside the input, though their
 * total adds it again; only the model's name in the URL tells. */
static void
correct_openai_on_converse(llmlab_reply_t *reply)
{
    llmlab_usage_t *usage = &reply->usage;
    uint64_t cache = 0;
    uint64_t part;
    uint64_t input;

    if (reply->identity != LLMLAB_IDENTITY_CACHE_OUTSIDE ||
        strncmp(reply->api, "converse", 8) != 0 ||
        strstr(reply->model, "openai.") == NULL ||
        !llmlab_usage_get(usage, LLMLAB_USAGE_INPUT_TOKENS, &input)) {
        return;
    }
    if (llmlab_usage_get(usage, LLMLAB_USAGE_CACHE_READ_TOKENS, &part)) {
        cache += part;
    }
    if (llmlab_usage_get(usage, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS, &part)) {
        cache += part;
    }
    if (llmlab_usage_get(usage, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS, &part)) {
        cache += part;
    }
    /* What was stated must hold the cache, or the convention has changed. */
    if (input - cache >= cache) {
        llmlab_usage_set(usage, LLMLAB_USAGE_INPUT_TOKENS, input - cache);
        reply->identity = LLMLAB_IDENTITY_INCLUSIVE;
    }
}

/* Bedrock's model/NAME/converse. Its name rules over the one in the vendor's
 * body: it alone tells the region, which has its price. A profile of one's own
 * names no model. */
static void
set_bedrock_model(llmlab_reply_t *reply, piece_t name)
{
    char model[sizeof(reply->model)] = "";

    set_once(model, sizeof(model), name);
    if (model[0] != '\0' &&
        (reply->model[0] == '\0' ||
         (strcmp(reply->provider, "bedrock") == 0 &&
          strstr(model, "application-inference-profile") == NULL))) {
        memcpy(reply->model, model, sizeof(model));
    }
}

static void
read_path(llmlab_reply_t *reply, piece_t path)
{
    piece_t segment;
    piece_t before = {"", 0};

    while (next_segment(&path, &segment)) {
        if (piece_is(before, "model")) {
            set_bedrock_model(reply, segment);
        } else if (piece_is(before, "models") &&
                   memchr(segment.data, ':', segment.size) != NULL) {
            /* Gemini and Vertex: models/NAME:generateContent. */
            set_once(reply->model, sizeof(reply->model), until(segment, ':'));
        } else if (piece_is(before, "deployments")) {
            set_once(reply->model, sizeof(reply->model), segment);
        } else if (piece_is(before, "locations")) {
            set_once(reply->region, sizeof(reply->region), segment);
        }
        before = segment;
    }
}

void
llmlab_reply_set_url(llmlab_reply_t *reply, const char *url, size_t size)
{
    piece_t rest = {url, size};
    piece_t host;

    if (reply == NULL || url == NULL) {
        return;
    }
    for (size_t i = 0; i + 2 < size; i++) {
        if (memcmp(url + i, "://", 3) == 0) {
            rest.data = url + i + 3;
            rest.size = size - i - 3;
            break;
        }
    }
    rest = until(until(rest, '?'), '#');
    host = until(rest, '/');
    rest.data += host.size;
    rest.size -= host.size;
    host = until(host, ':');
    correct_grok_on_azure(reply, host);
    read_host(reply, host);
    read_path(reply, rest);
    correct_openai_on_converse(reply);
}
