/* A streamed reply: the reader takes the bytes as they arrive, cut anywhere,
 * in bounded memory, and knows usage, model and time to first token. */
#include <stdio.h>
#include <string.h>

#include <llmlab/llmlab.h>

static const char stream[] =
    "event: message_start\n"
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":"
    "\"message\",\"role\":\"assistant\",\"model\":\"claude-haiku-4-5-20251001\""
    ",\"content\":[],\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\n"
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
    "{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: content_block_delta\n"
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
    "{\"type\":\"text_delta\",\"text\":\"Hello!\"}}\n\n"
    "event: content_block_stop\n"
    "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\n"
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
    "\"end_turn\"},\"usage\":{\"output_tokens\":15}}\n\n"
    "event: message_stop\n"
    "data: {\"type\":\"message_stop\"}\n\n";

int
main(void)
{
    llmlab_usage_stream_t *reader =
        llmlab_usage_stream_new("anthropic", "messages");
    llmlab_client_t *client;
    llmlab_reply_t reply;

    llmlab_client_open(&client, NULL);
    {
        LLMLAB_TRACE(client, "greet");
        LLMLAB_SPAN("answer", LLMLAB_SPAN_LLM);
        llmlab_span_t *span = llmlab_span_current();
        int started = 0;

        /* As your HTTP client's write callback would: 7 bytes at a time. */
        for (size_t i = 0; i < sizeof(stream) - 1; i += 7) {
            size_t left = sizeof(stream) - 1 - i;

            llmlab_usage_stream_feed(reader, stream + i, left < 7 ? left : 7);
            if (!started && llmlab_usage_stream_started(reader)) {
                started = 1;
                llmlab_span_first_token(span);
            }
        }
        llmlab_usage_stream_reply(reader, &reply);
        llmlab_span_set_reply(span, &reply);
        printf("%s, %s, complete: %s\n", reply.model, reply.finish_reason,
               reply.complete ? "yes" : "no");
    }
    llmlab_usage_stream_destroy(reader);
    llmlab_client_close(client, 2000);
    return reply.complete ? 0 : 1;
}
