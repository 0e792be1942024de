/* An agent with steps of several kinds. The macros are declarations: each span
 * ends when its block is left, by return, break and continue too. */
#include <stdio.h>

#include <llmlab/llmlab.h>

static int
search(const char *query)
{
    LLMLAB_SPAN("search", LLMLAB_SPAN_TOOL);

    llmlab_span_set_string(llmlab_span_current(), "query.language", "en");
    if (query[0] == '\0') {
        llmlab_span_set_error(llmlab_span_current(), "empty_query", NULL, 0);
        return -1; /* the span ends here, as failed */
    }
    llmlab_span_set_int(llmlab_span_current(), "hits", 3);
    return 3;
}

static void
answer(int attempt)
{
    LLMLAB_SPAN("answer", LLMLAB_SPAN_LLM);
    llmlab_span_t *span = llmlab_span_current();
    llmlab_usage_t usage;

    llmlab_span_set_attempt(span, attempt);
    llmlab_span_set_model(span, "anthropic", "claude-sonnet-4-5-20250929");
    if (attempt == 1) {
        llmlab_span_set_error(span, "overloaded", "overloaded_error", 529);
        return;
    }
    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 2300);
    llmlab_usage_set(&usage, LLMLAB_USAGE_CACHE_READ_TOKENS, 2048);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 190);
    llmlab_span_set_usage(span, &usage);
}

int
main(void)
{
    llmlab_client_t *client;
    llmlab_stats_t stats;

    llmlab_client_open(&client, NULL);
    {
        LLMLAB_TRACE(client, "research");

        /* Steps started from here on carry these too. */
        llmlab_span_set_user(llmlab_span_current(), "u-17", 4);
        llmlab_span_add_tag(llmlab_span_current(), "production", 10);
        search("");
        search("lock-free queues");
        for (int attempt = 1; attempt <= 2; attempt++) {
            answer(attempt);
        }
    }
    llmlab_client_flush(client, 2000, NULL);
    llmlab_stats_init(&stats);
    llmlab_client_stats(client, &stats);
    printf("%llu spans recorded, %llu of them model calls\n",
           (unsigned long long)stats.accepted, (unsigned long long)stats.calls);
    llmlab_client_close(client, 2000);
    return 0;
}
