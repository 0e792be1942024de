/* Passwords: Argon2id with 19 MiB, so that a few hashes at a time fit a small
 * machine. Slow by purpose: never within a change. */
#ifndef LLMLAB_SERVICES_PASSWORD_H
#define LLMLAB_SERVICES_PASSWORD_H

#include <stdbool.h>

#include "store/admin.h"

#define LLMLAB__PASSWORD_MIN 12
#define LLMLAB__PASSWORD_MAX 128

/* False when memory runs out. */
bool llmlab__password_hash(const char *password,
                           char out[LLMLAB__PASSWORD_TEXT]);
/* hash "": there is none, and the answer, no, takes as long as any. */
bool llmlab__password_check(const char *hash, const char *password);
/* Was it made with other parameters than those of today? */
bool llmlab__password_is_old(const char *hash);

#endif
