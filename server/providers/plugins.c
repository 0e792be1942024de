#include "providers/plugin.h"

#include <stddef.h>
#include <string.h>

#include "base/json_dom.h"

/* Keys that call models cannot read bills: told before one is stored. */
static const char *
openai_fault(const char *credential)
{
    return strncmp(credential, "sk-admin-", 9) == 0
               ? NULL
               : "an admin key (sk-admin-...) is needed: keys of projects may "
                 "not read costs";
}

static const char *
anthropic_fault(const char *credential)
{
    return strncmp(credential, "sk-ant-admin", 12) == 0
               ? NULL
               : "an admin key (sk-ant-admin...) is needed: keys of workspaces "
                 "may not read costs";
}

static const char *
google_fault(const char *credential)
{
    cJSON *account = NULL;
    const char *type = NULL;
    bool good = false;

    if (llmlab__json_dom_parse(&account, credential, strlen(credential), 8) ==
        LLMLAB_OK) {
        type = llmlab__json_dom_string(llmlab__json_dom_get(account, "type"));
        good = type != NULL && strcmp(type, "service_account") == 0;
    }
    cJSON_Delete(account);
    return good ? NULL
                : "the JSON key file of a service account is needed, as a "
                  "text";
}

static const char *
no_fault(const char *credential)
{
    (void)credential;
    return NULL;
}

static const char *const openai_settings[] = {"organization", NULL};
static const char *const anthropic_settings[] = {NULL};
static const char *const azure_settings[] = {"tenant_id", "client_id", "scope",
                                             "service_names", NULL};
static const char *const google_settings[] = {"billing_table", NULL};
static const char *const aws_settings[] = {"access_key_id", "region", NULL};
static const char *const openrouter_settings[] = {NULL};

const llmlab__provider_plugin_t llmlab__provider_plugins[] = {
    {"openai", openai_settings, openai_fault, NULL},
    {"anthropic", anthropic_settings, anthropic_fault, NULL},
    {"azure", azure_settings, no_fault, NULL},
    {"google", google_settings, google_fault, NULL},
    {"aws", aws_settings, no_fault, NULL},
    {"openrouter", openrouter_settings, no_fault, NULL},
    {0}};

const llmlab__provider_plugin_t *
llmlab__provider_plugin(const char *name)
{
    for (const llmlab__provider_plugin_t *plugin = llmlab__provider_plugins;
         plugin->name != NULL; plugin++) {
        if (strcmp(plugin->name, name) == 0) {
            return plugin;
        }
    }
    return NULL;
}
