/* A call that is already over, recorded in one step: for programs that keep
 * their own times, and for importing logs. */
#include <stdio.h>
#include <time.h>

#include <llmlab/llmlab.h>

int
main(void)
{
    llmlab_client_t *client;
    llmlab_call_t call;
    llmlab_usage_t usage;
    llmlab_status_t status;

    llmlab_client_open(&client, NULL);

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 4200);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 350);
    llmlab_usage_set(&usage, LLMLAB_USAGE_REASONING_TOKENS, 256);

    llmlab_call_init(&call);
    call.provider = LLMLAB_TEXT("openai");
    call.model = LLMLAB_TEXT("o4-mini-2025-04-16");
    call.usage = &usage;
    call.end_ns = (int64_t)time(NULL) * 1000000000;
    call.start_ns = call.end_ns - 1834000000; /* it took 1.834 s */
    call.agent = LLMLAB_TEXT("summarizer");
    call.user = LLMLAB_TEXT("u-17");
    call.service_tier = LLMLAB_TEXT("default");
    call.finish_reason = LLMLAB_TEXT("stop");
    status = llmlab_record_call(client, &call);
    printf("recorded: %s\n", llmlab_status_text(status));

    llmlab_client_close(client, 2000);
    return 0;
}
