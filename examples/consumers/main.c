/* What every consumer builds: one priced call, printed by the console
 * exporter. */
#include <stdio.h>

#include <llmlab/llmlab.h>

int
main(void)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client;
    llmlab_usage_t usage;
    llmlab_call_t call;
    llmlab_status_t status;

    status = llmlab_config_set(config, "exporter", "console");
    if (status == LLMLAB_OK) {
        status = llmlab_client_open(&client, config);
    }
    llmlab_config_destroy(config);
    if (status != LLMLAB_OK) {
        fprintf(stderr, "%s\n", llmlab_status_detail());
        return 1;
    }
    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1000);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 100);
    llmlab_call_init(&call);
    call.provider = LLMLAB_TEXT("openai");
    call.model = LLMLAB_TEXT("gpt-4o-mini");
    call.usage = &usage;
    status = llmlab_record_call(client, &call);
    if (llmlab_client_close(client, 5000) != LLMLAB_OK) {
        return 1;
    }
    return status == LLMLAB_OK ? 0 : 1;
}
