/* Accounts at providers: their secrets and whether these are good. */
#ifndef LLMLAB_SERVICES_PROVIDER_MANAGER_H
#define LLMLAB_SERVICES_PROVIDER_MANAGER_H

#include "providers/plugin.h"
#include "services/vault.h"

/* Of a credential that people may see: its last four characters, if it is much
 * longer than these. */
#define LLMLAB__HINT_TEXT 8
void llmlab__provider_hint(const char *credential, char out[LLMLAB__HINT_TEXT]);

/* Ask the provider about a sealed credential. out_error is "" when it is
 * good. */
llmlab__provider_status_t
llmlab__provider_verify(const llmlab__vault_t *vault,
                        const llmlab__provider_plugin_t *plugin,
                        const void *sealed, size_t size, const char *settings,
                        char out_error[LLMLAB__PROVIDER_ERROR_TEXT]);

#endif
