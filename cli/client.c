#include "cli/client.h"

#include <stdio.h>

static llmlab_status_t
configure(llmlab_config_t *config, const cli_server_t *server,
          const char *const *settings)
{
    const char *const common[] = {
        "url",        server->url, "project", server->project,
        "queue.full", "wait",      NULL};
    llmlab_status_t status = LLMLAB_OK;

    for (size_t i = 0; status == LLMLAB_OK && common[i] != NULL; i += 2) {
        status = llmlab_config_set(config, common[i], common[i + 1]);
    }
    if (status == LLMLAB_OK && server->key != NULL) {
        status = llmlab_config_set(config, "api_key", server->key);
    }
    for (size_t i = 0; status == LLMLAB_OK && settings[i] != NULL; i += 2) {
        status = llmlab_config_set(config, settings[i], settings[i + 1]);
    }
    return status;
}

llmlab_client_t *
cli_client_open(const cli_server_t *server, const char *const *settings)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    llmlab_status_t status = configure(config, server, settings);

    if (status == LLMLAB_OK) {
        status = llmlab_client_open(&client, config);
    }
    llmlab_config_destroy(config);
    if (status != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s: %s\n", llmlab_status_text(status),
                llmlab_status_detail());
        llmlab_client_close(client, 0);
        return NULL;
    }
    return client;
}
