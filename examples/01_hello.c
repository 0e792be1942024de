/* The smallest useful program: one run of an agent with one model call.
 *
 *   LLMLAB_EXPORTER=console ./01_hello        prints the cost of the call
 *   LLMLAB_API_KEY=llmlab_sk_... ./01_hello   sends it to llmlab-server */
#include <stdio.h>
#include <string.h>

#include <llmlab/llmlab.h>

/* Stands for your HTTP call: what OpenAI's chat completions answered. */
static const char *
call_model(const char *prompt)
{
    (void)prompt;
    return "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\","
           "\"model\":\"gpt-4o-mini-2024-07-18\","
           "\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":"
           "{\"role\":\"assistant\",\"content\":\"Paris.\"}}],"
           "\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":80,"
           "\"total_tokens\":1280,"
           "\"prompt_tokens_details\":{\"cached_tokens\":1024}}}";
}

int
main(void)
{
    llmlab_client_t *client;
    const char *reply;

    /* All settings from LLMLAB_* variables. A client that cannot be opened is
     * a disabled one: the program runs on, nothing is recorded. */
    if (llmlab_client_open(&client, NULL) != LLMLAB_OK) {
        fprintf(stderr, "not tracing: %s\n", llmlab_status_detail());
    }
    {
        LLMLAB_TRACE(client, "answer_question");
        LLMLAB_SPAN("answer", LLMLAB_SPAN_LLM);

        reply = call_model("What is the capital of France?");
        llmlab_span_set_response(llmlab_span_current(), "openai",
                                 "chat_completions", reply, strlen(reply));
    }
    llmlab_client_close(client, 2000);
    return 0;
}
