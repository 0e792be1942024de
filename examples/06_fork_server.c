/* A server that forks a worker for each request. The client is opened once,
 * before the forks; every child gets a runtime of its own with its first span
 * and sends what it recorded before it leaves. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <llmlab/llmlab.h>

static int
serve(llmlab_client_t *client, const char *traceparent, int request)
{
    llmlab_usage_t usage;
    /* Part of the trace that the parent process began. */
    llmlab_span_t *span = llmlab_span_start_remote(
        client, traceparent, "handle_request", LLMLAB_SPAN_LLM);

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 300);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 40);
    llmlab_span_set_model(span, "mistral", "mistral-small-latest");
    llmlab_span_set_usage(span, &usage);
    llmlab_span_set_int(span, "request", request);
    llmlab_span_end(span);
    return llmlab_client_close(client, 2000) == LLMLAB_OK ? 0 : 1;
}

int
main(void)
{
    llmlab_client_t *client;
    char traceparent[LLMLAB_TRACEPARENT_TEXT];
    llmlab_span_t *run;
    int failed = 0;

    llmlab_client_open(&client, NULL);
    run = llmlab_span_start(client, NULL, "serve", LLMLAB_SPAN_AGENT);
    llmlab_span_traceparent(run, traceparent);
    for (int request = 0; request < 3; request++) {
        pid_t child = fork();

        if (child < 0) {
            return 1;
        }
        if (child == 0) {
            _exit(serve(client, traceparent, request));
        }
    }
    for (int request = 0; request < 3; request++) {
        int status;

        failed |= wait(&status) < 0 || status != 0;
    }
    llmlab_span_end(run);
    llmlab_client_close(client, 2000);
    printf("3 requests served by 3 processes: %s\n",
           failed ? "some failed" : "all traced");
    return failed;
}
