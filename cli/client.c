#include "cli/client.h"

#include <stdarg.h>
#include <stdio.h>

llmlab_client_t *
cli_client_open(const cli_server_t *server, ...)
{
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    llmlab_status_t status;
    const char *name;
    va_list settings;

    status = llmlab_config_set(config, "url", server->url);
    if (status == LLMLAB_OK) {
        status = llmlab_config_set(config, "project", server->project);
    }
    if (status == LLMLAB_OK && server->key != NULL) {
        status = llmlab_config_set(config, "api_key", server->key);
    }
    if (status == LLMLAB_OK) {
        status = llmlab_config_set(config, "queue.full", "wait");
    }
    va_start(settings, server);
    while (status == LLMLAB_OK &&
           (name = va_arg(settings, const char *)) != NULL) {
        status =
            llmlab_config_set(config, name, va_arg(settings, const char *));
    }
    va_end(settings);
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
