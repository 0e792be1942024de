/* A trace over several threads: each step names its parent, because a new
 * thread has no current span. */
#include <pthread.h>
#include <stdio.h>

#include <llmlab/llmlab.h>

#define WORKERS 4

typedef struct job_s {
    pthread_t thread;
    llmlab_span_t *parent;
    int number;
} job_t;

static void *
summarize(void *payload)
{
    job_t *job = payload;
    LLMLAB_SPAN_IN(job->parent, "summarize_part", LLMLAB_SPAN_CHAIN);

    llmlab_span_set_int(llmlab_span_current(), "part", job->number);
    {
        /* Current on this thread now, so that steps nest as usual. */
        LLMLAB_SPAN("answer", LLMLAB_SPAN_LLM);
        llmlab_usage_t usage;

        llmlab_usage_init(&usage);
        llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 900);
        llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 120);
        llmlab_span_set_model(llmlab_span_current(), "gemini",
                              "gemini-2.5-flash");
        llmlab_span_set_usage(llmlab_span_current(), &usage);
    }
    return NULL;
}

int
main(void)
{
    llmlab_client_t *client;
    job_t jobs[WORKERS];

    llmlab_client_open(&client, NULL);
    {
        LLMLAB_TRACE(client, "summarize");

        for (int i = 0; i < WORKERS; i++) {
            jobs[i].parent = llmlab_span_current();
            jobs[i].number = i;
            if (pthread_create(&jobs[i].thread, NULL, summarize, &jobs[i]) !=
                0) {
                return 1;
            }
        }
        /* The parent must not end before its children. */
        for (int i = 0; i < WORKERS; i++) {
            pthread_join(jobs[i].thread, NULL);
        }
    }
    llmlab_client_close(client, 2000);
    return 0;
}
