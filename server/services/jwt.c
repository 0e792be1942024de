#include "services/jwt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/json_dom.h"

#define VARIANT   sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SKEW_S    60
#define PART_SIZE 512

static const char issuer[] = "llmlab-server";

void
llmlab__signer_init(llmlab__signer_t *signer, const unsigned char seed[32],
                    const char *audience)
{
    unsigned char hash[16];

    (void)crypto_sign_seed_keypair(signer->public_key, signer->secret_key,
                                   seed);
    crypto_generichash(hash, sizeof(hash), signer->public_key,
                       sizeof(signer->public_key), NULL, 0);
    sodium_bin2hex(signer->kid, sizeof(signer->kid), hash, 8);
    (void)snprintf(signer->audience, sizeof(signer->audience), "%s", audience);
}

/* Append a part to the token. */
static void
put(char *out, const void *bytes, size_t size)
{
    size_t used = strlen(out);

    sodium_bin2base64(out + used, LLMLAB__JWT_TEXT - used, bytes, size,
                      VARIANT);
}

void
llmlab__jwt_make(const llmlab__signer_t *signer, const llmlab__claims_t *claims,
                 char out[LLMLAB__JWT_TEXT])
{
    unsigned char signature[crypto_sign_BYTES];
    char part[PART_SIZE];
    char session[65] = "";
    int size;

    out[0] = '\0';
    size = snprintf(part, sizeof(part),
                    "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                    signer->kid);
    put(out, part, (size_t)size);
    strcat(out, ".");
    if (claims->key == 0) {
        sodium_bin2hex(session, sizeof(session), claims->session,
                       sizeof(claims->session));
    }
    size =
        snprintf(part, sizeof(part),
                 "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s:%" PRId64
                 "\",\"sid\":\"%s\",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}",
                 issuer, signer->audience, claims->key != 0 ? "key" : "account",
                 claims->key != 0 ? claims->key : claims->account, session,
                 claims->issued_s, claims->expires_s);
    put(out, part, (size_t)size);
    (void)crypto_sign_detached(signature, NULL, (const unsigned char *)out,
                               strlen(out), signer->secret_key);
    strcat(out, ".");
    put(out, signature, sizeof(signature));
}

static bool
part_read(const char *text, size_t size, char *out, size_t capacity,
          size_t *out_size)
{
    return sodium_base642bin((unsigned char *)out, capacity, text, size, NULL,
                             out_size, NULL, VARIANT) == 0;
}

static bool
text_is(const cJSON *object, const char *name, const char *wanted)
{
    const char *text =
        llmlab__json_dom_string(llmlab__json_dom_get(object, name));

    return text != NULL && strcmp(text, wanted) == 0;
}

/* The header must be the one that we write: nothing in it is obeyed. */
static bool
header_check(const llmlab__signer_t *signer, const char *text, size_t size)
{
    cJSON *header = NULL;
    bool good = llmlab__json_dom_parse(&header, text, size, 4) == LLMLAB_OK &&
                cJSON_IsObject(header) && cJSON_GetArraySize(header) == 3 &&
                text_is(header, "alg", "EdDSA") &&
                text_is(header, "typ", "JWT") &&
                text_is(header, "kid", signer->kid);

    cJSON_Delete(header);
    return good;
}

static bool
subject_read(const cJSON *claims, llmlab__claims_t *out)
{
    const char *subject =
        llmlab__json_dom_string(llmlab__json_dom_get(claims, "sub"));
    const char *session =
        llmlab__json_dom_string(llmlab__json_dom_get(claims, "sid"));
    size_t size = 0;

    if (subject == NULL || session == NULL) {
        return false;
    }
    if (sscanf(subject, "key:%" SCNd64, &out->key) == 1) {
        return out->key > 0;
    }
    return sscanf(subject, "account:%" SCNd64, &out->account) == 1 &&
           out->account > 0 &&
           sodium_hex2bin(out->session, sizeof(out->session), session,
                          strlen(session), NULL, &size, NULL) == 0 &&
           size == sizeof(out->session);
}

static bool
claims_read(const llmlab__signer_t *signer, const char *text, size_t size,
            int64_t now_s, llmlab__claims_t *out)
{
    cJSON *claims = NULL;
    bool good = llmlab__json_dom_parse(&claims, text, size, 4) == LLMLAB_OK &&
                cJSON_IsObject(claims) && text_is(claims, "iss", issuer) &&
                text_is(claims, "aud", signer->audience) &&
                llmlab__json_dom_int(llmlab__json_dom_get(claims, "iat"),
                                     &out->issued_s) &&
                llmlab__json_dom_int(llmlab__json_dom_get(claims, "exp"),
                                     &out->expires_s) &&
                out->issued_s <= now_s + SKEW_S && now_s < out->expires_s &&
                out->expires_s - out->issued_s <= LLMLAB__JWT_SECONDS &&
                subject_read(claims, out);

    cJSON_Delete(claims);
    return good;
}

bool
llmlab__jwt_read(const llmlab__signer_t *signer, const char *text,
                 int64_t now_s, llmlab__claims_t *out)
{
    const char *first = strchr(text, '.');
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');
    char part[PART_SIZE];
    unsigned char signature[crypto_sign_BYTES];
    size_t size;

    memset(out, 0, sizeof(*out));
    if (second == NULL || strlen(text) >= LLMLAB__JWT_TEXT ||
        !part_read(text, (size_t)(first - text), part, sizeof(part), &size) ||
        !header_check(signer, part, size) ||
        !part_read(second + 1, strlen(second + 1), (char *)signature,
                   sizeof(signature), &size) ||
        size != sizeof(signature) ||
        crypto_sign_verify_detached(signature, (const unsigned char *)text,
                                    (unsigned long long)(second - text),
                                    signer->public_key) != 0) {
        return false;
    }
    return part_read(first + 1, (size_t)(second - first - 1), part,
                     sizeof(part), &size) &&
           claims_read(signer, part, size, now_s, out);
}
