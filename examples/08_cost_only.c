/* Only the price book and the readers: no client, no thread, no network. */
#include <stdio.h>
#include <string.h>

#include <llmlab/llmlab.h>

static const char reply_text[] =
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"42\"}],\"role\":"
    "\"model\"},\"finishReason\":\"STOP\"}],"
    "\"usageMetadata\":{\"promptTokenCount\":55021,"
    "\"candidatesTokenCount\":923,\"thoughtsTokenCount\":785,"
    "\"totalTokenCount\":56729},\"modelVersion\":\"gemini-2.5-pro\"}";

int
main(void)
{
    llmlab_reply_t reply;
    llmlab_call_facts_t facts;
    llmlab_cost_t cost;
    char text[LLMLAB_MONEY_TEXT];
    uint64_t output = 0;

    if (llmlab_usage_read(&reply, "gemini", "generate_content", reply_text,
                          strlen(reply_text)) != LLMLAB_OK) {
        fprintf(stderr, "%s\n", llmlab_status_detail());
        return 1;
    }
    llmlab_usage_get(&reply.usage, LLMLAB_USAGE_OUTPUT_TOKENS, &output);
    printf("%s: %llu tokens of output, thoughts included\n", reply.model,
           (unsigned long long)output);

    llmlab_call_facts_init(&facts);
    facts.provider = reply.provider;
    facts.model = reply.model;
    facts.usage = &reply.usage;
    if (llmlab_cost_compute(&cost, NULL, &facts) != LLMLAB_OK) {
        fprintf(stderr, "no price: %s\n", llmlab_match_name(cost.match));
        return 1;
    }
    llmlab_money_format(cost.amount, text);
    printf("%s USD by the prices of %s for %s (%s)\n", text, cost.table,
           cost.key, llmlab_match_name(cost.match));
    return 0;
}
