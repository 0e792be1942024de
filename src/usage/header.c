/* What a reply's headers tell. */
#include <llmlab/usage.h>

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <llmlab/pricing.h>

#include "base/json_scan.h"

/* Leaves a field that is set, and one that would be cut: half a name is
 * another name. */
static void
set_once(char *field, size_t capacity, const char *value)
{
    size_t size = strlen(value);

    if (field[0] == '\0' && size < capacity) {
        memcpy(field, value, size + 1);
    }
}

static int
read_count(const char *value, uint64_t *out)
{
    llmlab__json_text_t text;
    llmlab__json_t json;

    llmlab__json_init(&json, value, strlen(value));
    return llmlab__json_number(&json, &text) && llmlab__json_at_end(&json) &&
           llmlab__json_count(&text, out) == 0;
}

/* Bedrock counts each call in headers too. They come one by one, in any
 * order; the input among them excludes the cache. Where the body has counts of
 * its own, these repeat them. */
static void
add_bedrock_count(llmlab_reply_t *reply, llmlab_usage_field_t field,
                  const char *value)
{
    static const llmlab_usage_field_t cache[] = {
        LLMLAB_USAGE_CACHE_READ_TOKENS, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS};
    llmlab_usage_t *usage = &reply->usage;
    uint64_t input;
    uint64_t count;
    uint64_t part;

    if (!read_count(value, &count)) {
        return;
    }
    if (reply->usage_source == LLMLAB_USAGE_ESTIMATED) {
        llmlab_usage_init(usage);
        reply->usage_source = LLMLAB_USAGE_NONE;
    }
    if ((usage->present != 0 && !reply->usage_in_headers) ||
        llmlab_usage_get(usage, field, NULL)) {
        return;
    }
    if (field == LLMLAB_USAGE_INPUT_TOKENS) {
        for (size_t i = 0; i < sizeof(cache) / sizeof(cache[0]); i++) {
            if (llmlab_usage_get(usage, cache[i], &part)) {
                count += part;
            }
        }
    } else if (field != LLMLAB_USAGE_OUTPUT_TOKENS &&
               llmlab_usage_get(usage, LLMLAB_USAGE_INPUT_TOKENS, &input)) {
        llmlab_usage_set(usage, LLMLAB_USAGE_INPUT_TOKENS, input + count);
    }
    llmlab_usage_set(usage, field, count);
    reply->usage_in_headers = 1;
    reply->usage_source = LLMLAB_USAGE_PROVIDER;
}

static void
set_cost(llmlab_reply_t *reply, const char *value)
{
    llmlab_money_t money;

    if (!reply->has_provider_cost &&
        llmlab_money_parse(&money, value, strlen(value), NULL) == LLMLAB_OK) {
        reply->provider_cost[0] = money.low;
        reply->provider_cost[1] = money.high;
        reply->has_provider_cost = 1;
    }
}

static const struct {
    const char *name;
    llmlab_usage_field_t field;
} bedrock_counts[] = {
    {"x-amzn-bedrock-input-token-count", LLMLAB_USAGE_INPUT_TOKENS},
    {"x-amzn-bedrock-output-token-count", LLMLAB_USAGE_OUTPUT_TOKENS},
    {"x-amzn-bedrock-cache-read-input-token-count",
     LLMLAB_USAGE_CACHE_READ_TOKENS},
    {"x-amzn-bedrock-cache-write-input-token-count",
     LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS},
};

void
llmlab_reply_set_header(llmlab_reply_t *reply, const char *name,
                        const char *value)
{
    if (reply == NULL || name == NULL || value == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof(bedrock_counts) / sizeof(bedrock_counts[0]);
         i++) {
        if (strcasecmp(name, bedrock_counts[i].name) == 0) {
            add_bedrock_count(reply, bedrock_counts[i].field, value);
            return;
        }
    }
    if (strcasecmp(name, "x-litellm-response-cost") == 0) {
        set_cost(reply, value);
    } else if (strcasecmp(name, "x-amzn-requestid") == 0 ||
               strcasecmp(name, "request-id") == 0 ||
               strcasecmp(name, "x-request-id") == 0) {
        set_once(reply->response_id, sizeof(reply->response_id), value);
    } else if (strcasecmp(name, "openai-model") == 0 ||
               strcasecmp(name, "x-ms-served-model") == 0) {
        set_once(reply->model, sizeof(reply->model), value);
    } else if (strcasecmp(name, "x-ms-region") == 0) {
        set_once(reply->region, sizeof(reply->region), value);
    }
}
