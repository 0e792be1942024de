#include "cli/server.h"

#include <stdlib.h>
#include <string.h>

#include <llmlab/config.h>

static const char *
first_text(const char *a, const char *b, const char *fallback)
{
    if (a != NULL && a[0] != '\0') {
        return a;
    }
    return b != NULL && b[0] != '\0' ? b : fallback;
}

static const char *
setting_default(const char *name)
{
    const llmlab_setting_t *setting;

    for (size_t i = 0; (setting = llmlab_setting_at(i)) != NULL; i++) {
        if (strcmp(setting->name, name) == 0) {
            return setting->default_value;
        }
    }
    return "";
}

void
cli_server_url(cli_server_t *server, const cli_args_t *args)
{
    const char *url =
        first_text(cli_args_get(args, "url"), getenv("LLMLAB_URL"), NULL);

    server->has_url = url != NULL;
    server->url = url != NULL ? url : setting_default("url");
}

void
cli_server_init(cli_server_t *server, const cli_args_t *args)
{
    cli_server_url(server, args);
    server->key =
        first_text(cli_args_get(args, "key"), getenv("LLMLAB_API_KEY"), NULL);
    server->project = first_text(cli_args_get(args, "project"),
                                 getenv("LLMLAB_PROJECT"), "-");
}
