/* Secrets at rest. The master key is a file that only its owner may read; the
 * database holds nothing but what is sealed with it. */
#ifndef LLMLAB_SERVICES_VAULT_H
#define LLMLAB_SERVICES_VAULT_H

#include "services/jwt.h"
#include "store/admin.h"

typedef struct llmlab__vault_s {
    unsigned char key[32];
} llmlab__vault_t;

/* Read the key; make it while nothing is sealed with one. Refused, with the
 * detail: others may read the file; it is missing, or another store's, and
 * something is sealed. */
llmlab_status_t llmlab__vault_open(llmlab__vault_t *out, llmlab__store_t *store,
                                   const char *path);
void llmlab__vault_close(llmlab__vault_t *vault);
/* Append nonce and secretbox of bytes to out. */
void llmlab__vault_seal(const llmlab__vault_t *vault, const void *bytes,
                        size_t size, llmlab__buf_t *out);
/* Append what was sealed to out, which the caller wipes. False when it was
 * not sealed with this key. */
bool llmlab__vault_unseal(const llmlab__vault_t *vault, const void *sealed,
                          size_t size, llmlab__buf_t *out);
/* The key that signs tokens, made at its first use. */
llmlab_status_t llmlab__vault_signer(const llmlab__vault_t *vault,
                                     llmlab__store_t *store,
                                     llmlab__signer_t *out);
/* Take a new master key: every secret is sealed anew, in one change, and no
 * server must run. Tokens signed before are void. */
llmlab_status_t llmlab__vault_rekey(llmlab__store_t *store, const char *path,
                                    unsigned *out_count);

#endif
