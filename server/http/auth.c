/* Bearer keys. A key's check sum is looked at first, so that a mistyped one
 * costs no look-up; what is stored is its hash. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "base/api_key.h"
#include "base/clock.h"
#include "http/router.h"

static bool
unauthorized(llmlab__request_t *request, const char *detail)
{
    return llmlab__reply_refuse(request, 401, "unauthorized",
                                "A valid key is needed", NULL, "%s", detail);
}

static bool
key_load(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    const char *header = llmlab__request_header(request, "Authorization");
    unsigned char hash[LLMLAB__HASH_SIZE];
    const char *key;
    llmlab_status_t status;

    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0) {
        return unauthorized(request,
                            "send the header Authorization: Bearer KEY");
    }
    key = header + 7;
    if (!llmlab__api_key_check(key, strlen(key))) {
        return unauthorized(request, "this is no key: its check sum is wrong");
    }
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)key,
                       strlen(key), NULL, 0);
    status = ops->key_find(request->reader, hash, &request->key);
    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        return llmlab__reply_failure(request, "cannot look up a key");
    }
    if (status == LLMLAB_ENOTFOUND ||
        sodium_memcmp(hash, request->key.hash, sizeof(hash)) != 0) {
        return unauthorized(request, "the key is not known");
    }
    if (request->key.revoked_ns != 0) {
        return unauthorized(request, "the key is revoked");
    }
    if (request->key.expires_ns != 0 &&
        request->key.expires_ns <= llmlab__clock_real_ns()) {
        return unauthorized(request, "the key has expired");
    }
    (void)snprintf(request->caller.name, sizeof(request->caller.name), "%s",
                   request->key.name);
    return true;
}

static bool
scope_check(llmlab__request_t *request)
{
    llmlab__scope_t scope = request->key.scope;
    llmlab__access_t access = request->route->access;

    if (scope == LLMLAB__SCOPE_ADMIN || access == LLMLAB__ACCESS_ANY ||
        (access == LLMLAB__ACCESS_INGEST && scope == LLMLAB__SCOPE_INGEST) ||
        (access == LLMLAB__ACCESS_READ && scope == LLMLAB__SCOPE_READ)) {
        request->caller.role =
            scope == LLMLAB__SCOPE_ADMIN  ? LLMLAB__ROLE_SERVER
            : scope == LLMLAB__SCOPE_READ ? LLMLAB__ROLE_VIEWER
                                          : LLMLAB__ROLE_NONE;
        request->caller.server_admin = scope == LLMLAB__SCOPE_ADMIN;
        return true;
    }
    return llmlab__reply_refuse(
        request, 403, "forbidden", "The key's scope does not allow this", NULL,
        "this needs a key with the scope %s",
        access == LLMLAB__ACCESS_INGEST ? "ingest or admin"
        : access == LLMLAB__ACCESS_READ ? "read or admin"
                                        : "admin");
}

static bool
project_load(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    const char *name = request->parts[0];
    llmlab_status_t status;

    status = strcmp(name, "-") == 0
                 ? ops->project_get(request->reader, request->key.project,
                                    &request->project)
                 : ops->project_find(request->reader, name, &request->project);
    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        return llmlab__reply_failure(request, "cannot look up a project");
    }
    /* Another's project is as one that does not exist. */
    if (status == LLMLAB_ENOTFOUND ||
        (request->key.scope != LLMLAB__SCOPE_ADMIN &&
         request->project.id != request->key.project)) {
        return llmlab__reply_refuse(request, 404, "no-such-project",
                                    "No such project", NULL,
                                    "the key has no project of this name");
    }
    return true;
}

bool
llmlab__request_authorize(llmlab__request_t *request)
{
    if (request->route->access == LLMLAB__ACCESS_OPEN) {
        return true;
    }
    if (!key_load(request) || !scope_check(request)) {
        return false;
    }
    return strstr(request->route->pattern, "{project}") == NULL ||
           project_load(request);
}
