/* The providers whose bills can be read, a plug-in each. */
#ifndef LLMLAB_PROVIDERS_PLUGIN_H
#define LLMLAB_PROVIDERS_PLUGIN_H

#include <stdbool.h>

#define LLMLAB__PROVIDER_ERROR_TEXT 512

typedef struct llmlab__provider_plugin_s {
    const char *name;
    /* Members that the settings may have, all texts; NULL ends them. */
    const char *const *settings;
    /* What is wrong with the credential's form, for people; NULL: nothing. */
    const char *(*form_fault)(const char *credential);
    /* Ask the provider whether the credential is good; may take seconds. False
     * with the reason, which must not repeat the credential. NULL: this version
     * cannot ask it. */
    bool (*verify)(const char *credential, const char *settings,
                   char error[LLMLAB__PROVIDER_ERROR_TEXT]);
} llmlab__provider_plugin_t;

/* Ends with a plug-in without a name. */
extern const llmlab__provider_plugin_t llmlab__provider_plugins[];

/* NULL: there is none of this name. */
const llmlab__provider_plugin_t *llmlab__provider_plugin(const char *name);

#endif
