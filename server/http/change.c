/* Changes by request: one transaction with its audit entries and, where the
 * request has an Idempotency-Key, its answer. So what happened and what is
 * told about it cannot part, whenever the process dies. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "http/router.h"

#define SEAL_SIZE \
    (crypto_secretbox_NONCEBYTES + (size_t)crypto_secretbox_MACBYTES)

static void
hash(unsigned char out[LLMLAB__HASH_SIZE], const unsigned char *secret,
     const char *what, const char *a, const char *b, const void *bytes,
     size_t size)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, secret, secret == NULL ? 0 : 32,
                            LLMLAB__HASH_SIZE);
    /* The NULs keep the parts apart. */
    crypto_generichash_update(&state, (const void *)what, strlen(what) + 1);
    crypto_generichash_update(&state, (const void *)a, strlen(a) + 1);
    crypto_generichash_update(&state, (const void *)b, strlen(b) + 1);
    crypto_generichash_update(&state, bytes, size);
    crypto_generichash_final(&state, out, LLMLAB__HASH_SIZE);
}

void
llmlab__caller_id(const llmlab__request_t *request, char out[32])
{
    bool account = request->caller.account != 0;

    (void)snprintf(
        out, 32, "%s:%lld", account ? "account" : "key",
        (long long)(account ? request->caller.account : request->key.id));
}

static bool
key_is_good(const char *key)
{
    size_t size = strlen(key);

    for (size_t i = 0; i < size; i++) {
        if (key[i] < '!' || key[i] > '~') {
            return false;
        }
    }
    return size >= 1 && size <= 255;
}

/* The first reply to the same request, if it is known. False when the reply is
 * set. */
static bool
replay(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    llmlab__answer_t answer = {.status = 0};
    llmlab_status_t status =
        ops->answer_find(request->changer, request->answer_id, &answer);
    llmlab__buf_t *body = &request->reply.body;
    unsigned char *to;
    size_t size;

    if (status == LLMLAB_ENOTFOUND) {
        return true;
    }
    if (status != LLMLAB_OK || answer.sealed.size < SEAL_SIZE) {
        llmlab__buf_cleanup(&answer.sealed);
        return llmlab__reply_failure(request, "cannot look up an answer");
    }
    if (sodium_memcmp(answer.request, request->request_hash,
                      LLMLAB__HASH_SIZE) != 0) {
        llmlab__buf_cleanup(&answer.sealed);
        return llmlab__reply_refuse(
            request, 422, "idempotency-key-reused",
            "The Idempotency-Key was used before", "Idempotency-Key",
            "it belongs to another request: take a new one");
    }
    size = answer.sealed.size - SEAL_SIZE;
    llmlab__buf_clear(body);
    to = llmlab__buf_reserve(body, size + 1);
    if (to == NULL || crypto_secretbox_open_easy(
                          to, answer.sealed.data + crypto_secretbox_NONCEBYTES,
                          answer.sealed.size - crypto_secretbox_NONCEBYTES,
                          answer.sealed.data, request->answer_key) != 0) {
        llmlab__buf_cleanup(&answer.sealed);
        return llmlab__reply_failure(request, "cannot open an answer");
    }
    body->size = size;
    request->replayed = true;
    request->reply.status = answer.status;
    request->reply.content_type = size > 0 ? "application/json" : NULL;
    llmlab__reply_header(request, "Idempotency-Replayed", "true");
    llmlab__buf_cleanup(&answer.sealed);
    return false;
}

static bool
idempotency_begin(llmlab__request_t *request)
{
    const char *key = llmlab__request_header(request, "Idempotency-Key");
    const unsigned char *secret = request->server->secret;
    char caller[32];

    if (key == NULL || strcmp(request->route->method, "POST") != 0 ||
        (request->route->flags & LLMLAB__ROUTE_CHANGE) == 0) {
        return true;
    }
    if (!key_is_good(key)) {
        return llmlab__reply_refuse(request, 400, "bad-header",
                                    "A header is wrong", "Idempotency-Key",
                                    "1 to 255 visible characters are needed");
    }
    llmlab__caller_id(request, caller);
    hash(request->answer_id, secret, "id", caller, key, NULL, 0);
    hash(request->answer_key, secret, "key", caller, key, NULL, 0);
    hash(request->request_hash, NULL, request->route->method,
         request->route->pattern, request->project.uuid, request->body.data,
         request->body.size);
    /* The rest of the path, within the body's hash. */
    for (int i = 1; i < LLMLAB__PATH_PARTS; i++) {
        unsigned char before[LLMLAB__HASH_SIZE];

        memcpy(before, request->request_hash, sizeof(before));
        hash(request->request_hash, NULL, "part", request->parts[i], "", before,
             sizeof(before));
    }
    request->idempotent = true;
    return replay(request);
}

static bool
answer_keep(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    const llmlab__buf_t *body = &request->reply.body;
    llmlab__answer_t answer = {.status = request->reply.status};
    llmlab_status_t status = LLMLAB_ENOMEM;
    unsigned char *to;

    memcpy(answer.request, request->request_hash, LLMLAB__HASH_SIZE);
    to = llmlab__buf_reserve(&answer.sealed, SEAL_SIZE + body->size);
    if (to != NULL) {
        randombytes_buf(to, crypto_secretbox_NONCEBYTES);
        (void)crypto_secretbox_easy(to + crypto_secretbox_NONCEBYTES,
                                    body->data == NULL ? to : body->data,
                                    body->size, to, request->answer_key);
        answer.sealed.size = SEAL_SIZE + body->size;
        status = ops->answer_add(request->changer, request->answer_id, &answer);
    }
    llmlab__buf_cleanup(&answer.sealed);
    return status == LLMLAB_OK;
}

bool
llmlab__change_begin(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;

    if (store->ops->change_begin(store, &request->changer) != LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot begin a change");
    }
    request->rested = request->reader;
    request->reader = request->changer;
    if (!idempotency_begin(request)) {
        llmlab__change_end(request);
        return false;
    }
    return true;
}

void
llmlab__change_end(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    llmlab__reply_t *reply = &request->reply;
    bool commit = !request->replayed && reply->status != 0 &&
                  reply->status < 400 && !reply->body.failed;

    if (commit && request->idempotent && !answer_keep(request)) {
        llmlab__reply_failure(request, "cannot keep an answer");
        commit = false;
    }
    if (store->ops->change_end(store, request->changer, commit) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot commit a change");
    }
    request->changer = NULL;
    request->reader = request->rested;
}

bool
llmlab__change_audit(llmlab__request_t *request, const char *action,
                     const char *target, const llmlab__buf_t *detail)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    char caller[32];
    llmlab__audit_t entry = {.project = request->project.id,
                             .at_ns = llmlab__clock_real_ns(),
                             .actor = caller,
                             .actor_name = request->caller.name,
                             .address = request->address,
                             .action = action,
                             .target = target};
    llmlab__buf_t object;
    bool good;

    llmlab__caller_id(request, caller);
    llmlab__buf_init(&object);
    llmlab__buf_text(&object, "{");
    if (detail != NULL) {
        llmlab__buf_append(&object, detail->data, detail->size);
    }
    llmlab__buf_append(&object, "}", 2); /* and the NUL */
    entry.detail = (const char *)object.data;
    good = !object.failed && (detail == NULL || !detail->failed) &&
           ops->audit_add(request->changer, &entry) == LLMLAB_OK;
    llmlab__buf_cleanup(&object);
    return good || llmlab__reply_failure(request, "cannot write the audit log");
}
