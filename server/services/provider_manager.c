#include "services/provider_manager.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define HINT_SIZE  4
#define SHORT_SIZE 16 /* four of a shorter one are too much of it */

void
llmlab__provider_hint(const char *credential, char out[LLMLAB__HINT_TEXT])
{
    size_t size = strlen(credential);
    const char *from = credential + (size < HINT_SIZE ? 0 : size - HINT_SIZE);

    out[0] = '\0';
    /* A part of a character is none. */
    if (size >= SHORT_SIZE) {
        for (const char *at = from; *at != '\0'; at++) {
            if (*at < ' ' || *at > '~') {
                return;
            }
        }
        (void)snprintf(out, LLMLAB__HINT_TEXT, "%s", from);
    }
}

llmlab__provider_status_t
llmlab__provider_verify(const llmlab__vault_t *vault,
                        const llmlab__provider_plugin_t *plugin,
                        const void *sealed, size_t size, const char *settings,
                        char out_error[LLMLAB__PROVIDER_ERROR_TEXT])
{
    llmlab__provider_status_t status = LLMLAB__PROVIDER_ERROR;
    llmlab__buf_t credential;

    out_error[0] = '\0';
    llmlab__buf_init(&credential);
    if (!llmlab__vault_unseal(vault, sealed, size, &credential)) {
        (void)snprintf(out_error, LLMLAB__PROVIDER_ERROR_TEXT,
                       "its secret cannot be opened: set it again");
    } else {
        llmlab__buf_append(&credential, "", 1);
        if (!credential.failed && plugin->verify((const char *)credential.data,
                                                 settings, out_error)) {
            status = LLMLAB__PROVIDER_VERIFIED;
            out_error[0] = '\0';
        } else if (out_error[0] == '\0') {
            (void)snprintf(out_error, LLMLAB__PROVIDER_ERROR_TEXT,
                           "the provider refuses the credential");
        }
    }
    if (credential.data != NULL) {
        sodium_memzero(credential.data, credential.capacity);
    }
    llmlab__buf_cleanup(&credential);
    return status;
}
