/* Who asks, and what they may. A key's check sum is looked at first, so that a
 * mistyped one costs no look-up; what is stored of keys and sessions is their
 * hash. */
#include "http/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "base/api_key.h"
#include "base/clock.h"
#include "http/cors.h"
#include "http/router.h"
#include "services/jwt.h"
#include "services/new_key.h"
#include "store/admin.h"

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
/* A session ends after this long without a request, and after this long. */
#define IDLE_NS (30 * MINUTE_NS)
#define LIFE_NS (720 * MINUTE_NS)

static bool
unauthorized(llmlab__request_t *request, const char *detail)
{
    return llmlab__reply_refuse(request, 401, "unauthorized",
                                "A valid key is needed", NULL, "%s", detail);
}

/* Is the key good for something? Sets who asks. */
static bool
key_take(llmlab__request_t *request)
{
    const llmlab__key_t *key = &request->key;

    if (key->revoked_ns != 0) {
        return unauthorized(request, "the key is revoked");
    }
    if (key->expires_ns != 0 && key->expires_ns <= llmlab__clock_real_ns()) {
        return unauthorized(request, "the key has expired");
    }
    (void)snprintf(request->caller.name, sizeof(request->caller.name), "%s",
                   key->name);
    request->caller.server_admin = key->scope == LLMLAB__SCOPE_ADMIN;
    return true;
}

static bool
key_load(llmlab__request_t *request, const char *text)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    unsigned char hash[LLMLAB__HASH_SIZE];
    llmlab_status_t status;

    if (!llmlab__api_key_check(text, strlen(text))) {
        return unauthorized(request, "this is no key: its check sum is wrong");
    }
    llmlab__key_hash(text, strlen(text), hash);
    status = ops->key_find(request->reader, hash, &request->key);
    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        return llmlab__reply_failure(request, "cannot look up a key");
    }
    if (status == LLMLAB_ENOTFOUND ||
        sodium_memcmp(hash, request->key.hash, sizeof(hash)) != 0) {
        request->key.id = 0;
        return unauthorized(request, "the key is not known");
    }
    return key_take(request);
}

static bool
account_load(llmlab__request_t *request, int64_t id)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__account_t account;
    llmlab_status_t status = ops->account_get(request->reader, id, &account);

    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        return llmlab__reply_failure(request, "cannot look up an account");
    }
    if (status == LLMLAB_ENOTFOUND || account.disabled_ns != 0) {
        return unauthorized(request, "the account is disabled");
    }
    request->caller.account = id;
    request->caller.server_admin = account.server_admin;
    (void)snprintf(request->caller.name, sizeof(request->caller.name), "%s",
                   account.email);
    return true;
}

/* A number for a session in the meter. */
static int64_t
session_number(const unsigned char hash[LLMLAB__HASH_SIZE])
{
    int64_t number;

    memcpy(&number, hash, sizeof(number));
    return number;
}

static bool
session_load(llmlab__request_t *request,
             const unsigned char hash[LLMLAB__HASH_SIZE])
{
    llmlab__server_t *server = request->server;
    const llmlab__admin_ops_t *ops = server->store->ops->admin;
    int64_t now = llmlab__clock_real_ns();
    llmlab__session_t session;
    llmlab_status_t status = ops->session_get(request->reader, hash, &session);
    int64_t used;

    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        return llmlab__reply_failure(request, "cannot look up a session");
    }
    if (status == LLMLAB_OK) {
        used = llmlab__meter_used(server->meter, LLMLAB__METER_SESSION,
                                  session_number(hash));
        session.seen_ns = used > session.seen_ns ? used : session.seen_ns;
    }
    if (status == LLMLAB_ENOTFOUND || now - session.created_ns > LIFE_NS ||
        now - session.seen_ns > IDLE_NS) {
        return unauthorized(request, "the session has ended: log in");
    }
    memcpy(request->caller.session, hash, LLMLAB__HASH_SIZE);
    request->caller.has_session = true;
    llmlab__meter_use(server->meter, LLMLAB__METER_SESSION,
                      session_number(hash), hash);
    return account_load(request, session.account);
}

static bool
token_load(llmlab__request_t *request, const char *text)
{
    llmlab__server_t *server = request->server;
    llmlab__claims_t claims;
    llmlab_status_t status;

    if (!llmlab__jwt_read(&server->signer, text,
                          llmlab__clock_real_ns() / SECOND_NS, &claims)) {
        return unauthorized(request, "the token is not good, or over");
    }
    request->caller.by_token = true;
    if (claims.account != 0) {
        return session_load(request, claims.session) &&
               (request->caller.account == claims.account ||
                unauthorized(request, "the token is not good, or over"));
    }
    status = server->store->ops->admin->key_get(request->reader, 0, claims.key,
                                                &request->key);
    if (status == LLMLAB_ENOTFOUND) {
        return unauthorized(request, "the key is not known");
    }
    return status == LLMLAB_OK
               ? key_take(request)
               : llmlab__reply_failure(request, "cannot look up a key");
}

void
llmlab__session_hash(const char *text, unsigned char out[LLMLAB__HASH_SIZE])
{
    crypto_generichash(out, LLMLAB__HASH_SIZE, (const unsigned char *)text,
                       strlen(text), NULL, 0);
}

void
llmlab__csrf_token(const llmlab__server_t *server,
                   const unsigned char session[LLMLAB__HASH_SIZE],
                   char out[LLMLAB__CSRF_TEXT])
{
    unsigned char token[16];

    crypto_generichash(token, sizeof(token), session, LLMLAB__HASH_SIZE,
                       server->secret, sizeof(server->secret));
    sodium_bin2hex(out, LLMLAB__CSRF_TEXT, token, sizeof(token));
}

static bool
site_check(llmlab__request_t *request)
{
    const char *site = llmlab__request_header(request, "Sec-Fetch-Site");

    return ((site == NULL || strcmp(site, "same-origin") == 0 ||
             strcmp(site, "none") == 0) &&
            llmlab__origin_is_own(request)) ||
           llmlab__reply_refuse(request, 403, "csrf",
                                "This does not come from this server's page",
                                NULL, "only its own pages may do this");
}

/* A browser sends the cookie with whatever a foreign page makes it send: what
 * changes something must come from our own page. */
static bool
csrf_check(llmlab__request_t *request, const char *method)
{
    const char *given = llmlab__request_header(request, "X-CSRF-Token");
    char wanted[LLMLAB__CSRF_TEXT];

    if (strcmp(method, "GET") == 0) {
        return true;
    }
    llmlab__csrf_token(request->server, request->caller.session, wanted);
    if (given == NULL || strlen(given) != sizeof(wanted) - 1 ||
        sodium_memcmp(given, wanted, sizeof(wanted) - 1) != 0) {
        return llmlab__reply_refuse(
            request, 403, "csrf", "This does not come from this server's page",
            "X-CSRF-Token", "send the csrf_token of the log-in");
    }
    return site_check(request);
}

static bool
cookie_read(const llmlab__request_t *request,
            unsigned char out[LLMLAB__HASH_SIZE])
{
    const char *cookie = llmlab__request_cookie(request, LLMLAB__COOKIE);

    if (cookie == NULL) {
        return false;
    }
    llmlab__session_hash(cookie, out);
    return true;
}

static bool
caller_load(llmlab__request_t *request)
{
    const char *header = llmlab__request_header(request, "Authorization");
    unsigned char session[LLMLAB__HASH_SIZE];

    if (header != NULL && strncasecmp(header, "Bearer ", 7) == 0) {
        return strchr(header + 7, '.') != NULL ? token_load(request, header + 7)
                                               : key_load(request, header + 7);
    }
    if (header == NULL && cookie_read(request, session)) {
        return session_load(request, session) &&
               csrf_check(request, request->route->method);
    }
    return unauthorized(request, "send the header Authorization: Bearer KEY");
}

/* How often the key or the account may ask. */
static bool
limit_check(llmlab__request_t *request)
{
    llmlab__server_t *server = request->server;
    bool is_key = request->caller.account == 0;
    llmlab__meter_kind_t kind =
        is_key ? LLMLAB__METER_KEY : LLMLAB__METER_ACCOUNT;
    int64_t id = is_key ? request->key.id : request->caller.account;
    int64_t quota = is_key && request->key.requests_minute != 0
                        ? request->key.requests_minute
                    : is_key ? server->key_quota
                             : server->account_quota;
    llmlab__reading_t reading;
    bool allowed =
        llmlab__meter_take(server->meter, kind, id, quota, MINUTE_NS, &reading);
    long long reset = (reading.reset_ns + SECOND_NS - 1) / SECOND_NS;

    llmlab__reply_header(request, "RateLimit-Policy", "\"default\";q=%lld;w=60",
                         (long long)quota);
    llmlab__reply_header(request, "RateLimit", "\"default\";r=%lld;t=%lld",
                         (long long)reading.left, reset);
    if (!allowed) {
        llmlab__reply_header(request, "Retry-After", "%lld", reset);
        return llmlab__reply_refuse(request, 429, "too-many-requests",
                                    "Too many requests", NULL,
                                    "%lld a minute are allowed; again in "
                                    "%lld s",
                                    (long long)quota, reset);
    }
    if (is_key) {
        llmlab__meter_use(server->meter, kind, id, NULL);
    }
    return true;
}

static bool
forbidden(llmlab__request_t *request, const char *needed)
{
    return llmlab__reply_refuse(request, 403, "forbidden",
                                "This is not allowed", NULL, "this needs %s",
                                needed);
}

/* What a key's scope allows. Which project is another question. */
static bool
scope_check(llmlab__request_t *request)
{
    llmlab__scope_t scope = request->key.scope;
    llmlab__access_t access = request->route->access;

    switch (access) {
    case LLMLAB__ACCESS_ANY:
        return true;
    case LLMLAB__ACCESS_ACCOUNT:
        return forbidden(request, "an account that has logged in");
    case LLMLAB__ACCESS_INGEST:
    case LLMLAB__ACCESS_SCORE:
        return scope == LLMLAB__SCOPE_INGEST || scope == LLMLAB__SCOPE_ADMIN ||
               forbidden(request, "a key with the scope ingest or admin");
    case LLMLAB__ACCESS_READ:
        return scope == LLMLAB__SCOPE_READ || scope == LLMLAB__SCOPE_ADMIN ||
               forbidden(request, "a key with the scope read or admin");
    default:
        return scope == LLMLAB__SCOPE_ADMIN ||
               forbidden(request, "a key with the scope admin");
    }
}

/* What a role allows in the request's project. */
static bool
role_check(llmlab__request_t *request)
{
    static const struct {
        llmlab__role_t role;
        const char *text;
    } needed[] = {
        [LLMLAB__ACCESS_OPEN] = {LLMLAB__ROLE_NONE, ""},
        [LLMLAB__ACCESS_INGEST] = {LLMLAB__ROLE_SERVER + 1,
                                   "a key with the scope ingest or admin"},
        [LLMLAB__ACCESS_SCORE] = {LLMLAB__ROLE_MEMBER, "the role member"},
        [LLMLAB__ACCESS_READ] = {LLMLAB__ROLE_VIEWER, "the role viewer"},
        [LLMLAB__ACCESS_WRITE] = {LLMLAB__ROLE_MEMBER, "the role member"},
        [LLMLAB__ACCESS_ADMIN] = {LLMLAB__ROLE_ADMIN, "the role admin"},
        [LLMLAB__ACCESS_OWNER] = {LLMLAB__ROLE_OWNER, "the role owner"},
        [LLMLAB__ACCESS_SERVER] = {LLMLAB__ROLE_SERVER,
                                   "an admin of the server"},
        [LLMLAB__ACCESS_ANY] = {LLMLAB__ROLE_NONE, ""},
        [LLMLAB__ACCESS_ACCOUNT] = {LLMLAB__ROLE_NONE, ""}};
    llmlab__access_t access = request->route->access;

    return (int)request->caller.role >= (int)needed[access].role ||
           forbidden(request, needed[access].text);
}

static bool
no_such_project(llmlab__request_t *request)
{
    return llmlab__reply_refuse(request, 404, "no-such-project",
                                "No such project", NULL,
                                "there is no project of this name for you");
}

/* The role of who asks in the project; none: it is not theirs. */
static bool
role_load(llmlab__request_t *request, bool *out_theirs)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__caller_t *caller = &request->caller;
    llmlab__member_t member;
    llmlab_status_t status;

    *out_theirs = true;
    if (caller->server_admin) {
        caller->role = LLMLAB__ROLE_SERVER;
        return true;
    }
    if (caller->account == 0) {
        *out_theirs = request->project.id == request->key.project;
        caller->role = request->key.scope == LLMLAB__SCOPE_READ
                           ? LLMLAB__ROLE_VIEWER
                           : LLMLAB__ROLE_NONE;
        return true;
    }
    status = ops->member_get(request->reader, request->project.id,
                             caller->account, &member);
    *out_theirs = status == LLMLAB_OK;
    caller->role = status == LLMLAB_OK ? member.role : LLMLAB__ROLE_NONE;
    return status == LLMLAB_OK || status == LLMLAB_ENOTFOUND ||
           llmlab__reply_failure(request, "cannot look up a member");
}

static bool
project_load(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    const char *name = request->parts[0];
    bool own = strcmp(name, "-") == 0;
    llmlab_status_t status;
    bool theirs;

    if (own && request->caller.account != 0) {
        return no_such_project(request); /* an account has none of its own */
    }
    status = own ? ops->project_get(request->reader, request->key.project,
                                    &request->project)
                 : ops->project_find(request->reader, name, &request->project);
    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        return llmlab__reply_failure(request, "cannot look up a project");
    }
    /* Another's project is as one that does not exist. */
    if (status == LLMLAB_ENOTFOUND) {
        return no_such_project(request);
    }
    if (!role_load(request, &theirs)) {
        return false;
    }
    if (!theirs) {
        memset(&request->project, 0, sizeof(request->project));
        return no_such_project(request);
    }
    /* Who sends batches follows no redirect with its key. */
    if (request->project.renamed &&
        request->route->access != LLMLAB__ACCESS_INGEST) {
        return llmlab__reply_moved(request, request->project.slug);
    }
    if (request->project.archived_ns != 0 &&
        request->route->access == LLMLAB__ACCESS_INGEST) {
        return llmlab__reply_refuse(request, 403, "project-archived",
                                    "The project is archived", NULL,
                                    "it takes no more calls");
    }
    return true;
}

bool
llmlab__request_authorize(llmlab__request_t *request)
{
    const llmlab__route_t *route = request->route;
    bool account;

    if (route->access == LLMLAB__ACCESS_OPEN) {
        /* Nobody is to be logged in by a foreign page. */
        return (route->flags & LLMLAB__ROUTE_JSON) == 0 || site_check(request);
    }
    if (!caller_load(request) || !limit_check(request)) {
        return false;
    }
    account = request->caller.account != 0;
    if (!account && !scope_check(request)) {
        return false;
    }
    if (strstr(route->pattern, "{project}") != NULL) {
        return project_load(request) && (!account || role_check(request));
    }
    request->caller.role =
        request->caller.server_admin ? LLMLAB__ROLE_SERVER : LLMLAB__ROLE_NONE;
    /* Without a project there is no role to look at but the server's. */
    return !account || route->access == LLMLAB__ACCESS_READ ||
           role_check(request);
}
