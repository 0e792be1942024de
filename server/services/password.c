#include "services/password.h"

#include <string.h>

#include <sodium.h>

#define PASSES 2
#define MEMORY (UINT64_C(19) * 1024 * 1024)

_Static_assert(LLMLAB__PASSWORD_TEXT >= crypto_pwhash_STRBYTES,
               "a hash must fit");

bool
llmlab__password_hash(const char *password, char out[LLMLAB__PASSWORD_TEXT])
{
    memset(out, 0, LLMLAB__PASSWORD_TEXT);
    return crypto_pwhash_str_alg(out, password, strlen(password), PASSES,
                                 MEMORY, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

bool
llmlab__password_check(const char *hash, const char *password)
{
    char spent[LLMLAB__PASSWORD_TEXT];

    if (hash[0] == '\0') {
        (void)llmlab__password_hash(password, spent);
        return false;
    }
    return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

bool
llmlab__password_is_old(const char *hash)
{
    return crypto_pwhash_str_needs_rehash(hash, PASSES, MEMORY) != 0;
}
