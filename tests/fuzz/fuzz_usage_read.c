/* Any bytes as a reply, told or not what it is. */
#include <stdlib.h>
#include <string.h>

#include <llmlab/usage.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const told[][2] = {
    {NULL, NULL},
    {"openai", "chat_completions"},
    {"openai", "responses"},
    {"anthropic", "messages"},
    {"gemini", "stream_generate_content"},
    {"bedrock", "converse_stream"},
    {"bedrock", "invoke_with_response_stream"},
    {"cohere", "chat"},
    {"ollama", "chat"},
    {"perplexity", "chat_completions"},
    {"gemini", "interactions"},
};

static void
check(const llmlab_reply_t *reply, llmlab_status_t status)
{
    uint64_t count;

    if ((status == LLMLAB_EPARSE || status == LLMLAB_EOVERFLOW) &&
        (reply->complete || llmlab_status_detail()[0] == '\0')) {
        abort();
    }
    for (int i = 0; i < LLMLAB_USAGE_FIELDS; i++) {
        if (llmlab_usage_get(&reply->usage, (llmlab_usage_field_t)i, &count) &&
            count > INT64_MAX) {
            abort();
        }
    }
    if (strlen(reply->model) >= sizeof(reply->model) ||
        strlen(reply->response_id) >= sizeof(reply->response_id) ||
        strlen(reply->finish_reason) >= sizeof(reply->finish_reason) ||
        strlen(reply->service_tier) >= sizeof(reply->service_tier) ||
        strlen(reply->error_code) >= sizeof(reply->error_code)) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        llmlab_reply_t reply;
        llmlab_status_t status =
            llmlab_usage_read(&reply, told[i][0], told[i][1], data, size);

        check(&reply, status);
        llmlab_reply_set_url(&reply, (const char *)data, size);
        check(&reply, LLMLAB_OK);
    }
    return 0;
}
