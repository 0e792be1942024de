/* Tokens that stand for a key or a session for some minutes: JWTs signed by
 * Ed25519. One algorithm, one key, known claims; what a token's own header
 * asks for decides nothing. */
#ifndef LLMLAB_SERVICES_JWT_H
#define LLMLAB_SERVICES_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLMLAB__JWT_TEXT    1024
#define LLMLAB__JWT_SECONDS 900

typedef struct llmlab__signer_s {
    unsigned char public_key[32];
    unsigned char secret_key[64];
    char kid[17];      /* hex of the public key's hash */
    char audience[64]; /* this server and no other */
} llmlab__signer_t;

typedef struct llmlab__claims_s {
    int64_t key;     /* 0: it stands for a session */
    int64_t account; /* 0: it stands for a key */
    unsigned char session[32];
    int64_t issued_s;
    int64_t expires_s;
} llmlab__claims_t;

/* From 32 random bytes. */
void llmlab__signer_init(llmlab__signer_t *signer, const unsigned char seed[32],
                         const char *audience);
/* The token, with its NUL. */
void llmlab__jwt_make(const llmlab__signer_t *signer,
                      const llmlab__claims_t *claims,
                      char out[LLMLAB__JWT_TEXT]);
/* False when it is not this server's, or not good at now_s. */
bool llmlab__jwt_read(const llmlab__signer_t *signer, const char *text,
                      int64_t now_s, llmlab__claims_t *out);

#endif
