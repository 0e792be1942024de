/* Logging in and out, tokens, and passwords. */
#include "http/auth.h"

#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <sodium.h>

#include "api/api.h"
#include "api/auth.h"
#include "api/write.h"
#include "base/clock.h"
#include "http/fields.h"
#include "services/names.h"
#include "services/password.h"
#include "store/admin.h"

#define SECOND_NS INT64_C(1000000000)
#define WINDOW_NS (900 * SECOND_NS)
/* Wrong passwords in a window: of one account from one address, of one
 * account, from one address. */
#define TRIES         10
#define TRIES_ACCOUNT 100
#define TRIES_ADDRESS 100

/* Who has an address of IPv6 has 2^64 of them: they are one. */
static void
address_group(const char *address, char out[48])
{
    struct in6_addr six;

    (void)snprintf(out, 48, "%s", address);
    if (inet_pton(AF_INET6, address, &six) == 1) {
        memset(six.s6_addr + 8, 0, 8);
        (void)inet_ntop(AF_INET6, &six, out, 48);
    }
}

/* Who tries, as the meter counts them. */
typedef struct tries_s {
    int64_t ids[3];
} tries_t;

static int64_t
try_id(const llmlab__request_t *request, const char *kind, const char *email,
       const char *address)
{
    char text[LLMLAB__EMAIL_SIZE + 80];
    unsigned char hash[16];
    int64_t id;
    int size = snprintf(text, sizeof(text), "%s %s %s", kind, email, address);

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)text,
                       (unsigned long long)size, request->server->secret, 32);
    memcpy(&id, hash, sizeof(id));
    return id;
}

static const int64_t quotas[3] = {TRIES, TRIES_ACCOUNT, TRIES_ADDRESS};

/* May one more password be tried? False when the reply is set. */
static bool
tries_check(llmlab__request_t *request, const char *email, tries_t *out)
{
    llmlab__reading_t reading;
    char address[48];

    address_group(request->address, address);
    out->ids[0] = try_id(request, "both", email, address);
    out->ids[1] = try_id(request, "account", email, "");
    out->ids[2] = try_id(request, "address", "", address);
    for (int i = 0; i < 3; i++) {
        if (!llmlab__meter_look(request->server->tries, LLMLAB__METER_LOGIN,
                                out->ids[i], quotas[i], WINDOW_NS, &reading)) {
            long long seconds = reading.reset_ns / SECOND_NS + 1;

            llmlab__reply_header(request, "Retry-After", "%lld", seconds);
            return llmlab__reply_refuse(request, 429, "too-many-tries",
                                        "Too many wrong passwords", NULL,
                                        "again in %lld s", seconds);
        }
    }
    return true;
}

static bool
tries_wrong(llmlab__request_t *request, const tries_t *tries)
{
    for (int i = 0; i < 3; i++) {
        (void)llmlab__meter_take(request->server->tries, LLMLAB__METER_LOGIN,
                                 tries->ids[i], quotas[i], WINDOW_NS, NULL);
    }
    return llmlab__reply_refuse(request, 401, "wrong-password",
                                "E-mail address or password is wrong", NULL,
                                "try again");
}

static void
session_text(llmlab__json_out_t *out, const llmlab__account_t *account)
{
    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, account->id);
    llmlab__json_key(out, "email");
    llmlab__json_put_text(out, account->email);
    llmlab__json_key(out, "name");
    llmlab__json_put_text(out, account->name);
    llmlab__json_key(out, "server_admin");
    llmlab__json_put_bool(out, account->server_admin);
}

/* Within a change: begin a session, in the place of the one that the request
 * has, and reply with it. */
bool
llmlab__session_begin(llmlab__request_t *request,
                      const llmlab__account_t *account)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    const char *before = llmlab__request_cookie(request, LLMLAB__COOKIE);
    unsigned char random[32];
    char text[2 * sizeof(random) + 1];
    char csrf[LLMLAB__CSRF_TEXT];
    llmlab__session_t session = {.account = account->id};
    llmlab__json_out_t out;
    llmlab_status_t status = LLMLAB_OK;

    if (before != NULL) {
        llmlab__session_hash(before, session.hash);
        status = ops->session_remove(request->changer, session.hash);
    }
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(text, sizeof(text), random, sizeof(random));
    llmlab__session_hash(text, session.hash);
    session.created_ns = session.seen_ns = llmlab__clock_real_ns();
    if ((status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) ||
        ops->session_add(request->changer, &session) != LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot begin a session");
    }
    llmlab__csrf_token(request->server, session.hash, csrf);
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "account");
    llmlab__json_begin_object(&out);
    session_text(&out, account);
    llmlab__json_end_object(&out);
    llmlab__json_key(&out, "csrf_token");
    llmlab__json_put_text(&out, csrf);
    llmlab__json_key(&out, "idle_seconds");
    llmlab__json_put_int(&out, 1800);
    llmlab__json_key(&out, "expires_at");
    llmlab__write_time(&out, session.created_ns + 43200 * SECOND_NS);
    llmlab__json_end_object(&out);
    llmlab__reply_header(
        request, "Set-Cookie",
        LLMLAB__COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Lax", text);
    return true;
}

static void
caller_set(llmlab__request_t *request, const llmlab__account_t *account)
{
    request->caller.account = account->id;
    (void)snprintf(request->caller.name, sizeof(request->caller.name), "%s",
                   account->email);
}

static void
login_commit(llmlab__request_t *request, llmlab__account_t *account,
             const char *new_hash)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__account_t now;

    if (!llmlab__change_begin(request)) {
        return;
    }
    caller_set(request, account);
    /* While the password was hashed, it may have been changed. */
    if (ops->account_get(request->reader, account->id, &now) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read an account");
    } else if (now.disabled_ns != 0 ||
               strcmp(now.password, account->password) != 0) {
        llmlab__reply_refuse(request, 401, "wrong-password",
                             "E-mail address or password is wrong", NULL,
                             "try again");
    } else if (new_hash[0] != '\0' &&
               (memcpy(now.password, new_hash, sizeof(now.password)),
                ops->account_update(request->changer, &now)) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot change an account");
    } else if (llmlab__session_begin(request, &now)) {
        (void)llmlab__change_audit(request, "auth.login", now.email, NULL);
    }
    llmlab__change_end(request);
}

void
llmlab__api_login(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    char email[LLMLAB__EMAIL_SIZE + 1];
    char new_hash[LLMLAB__PASSWORD_TEXT] = "";
    const char *given = NULL;
    const char *password = NULL;
    llmlab__account_t account = {.id = 0};
    tries_t tries;
    llmlab_status_t status = LLMLAB_ENOTFOUND;
    const llmlab__field_t fields[] = {{.name = "email",
                                       .required = true,
                                       .low = 1,
                                       .high = LLMLAB__EMAIL_SIZE,
                                       .out = &given},
                                      {.name = "password",
                                       .required = true,
                                       .low = 1,
                                       .high = LLMLAB__PASSWORD_MAX,
                                       .out = &password}};

    if (!llmlab__request_fields(request, fields, 2)) {
        return;
    }
    if (!llmlab__email_read(given, email)) {
        email[0] = '\0'; /* nobody's; it takes as long */
    }
    if (!tries_check(request, email, &tries)) {
        return;
    }
    if (email[0] != '\0') {
        status =
            store->ops->admin->account_find(request->reader, email, &account);
    }
    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        llmlab__reply_failure(request, "cannot look up an account");
        return;
    }
    if (!llmlab__password_check(
            account.disabled_ns != 0 ? "" : account.password, password)) {
        (void)tries_wrong(request, &tries);
        return;
    }
    llmlab__meter_forget(request->server->tries, LLMLAB__METER_LOGIN,
                         tries.ids[0]);
    if (llmlab__password_is_old(account.password)) {
        (void)llmlab__password_hash(password, new_hash);
    }
    store->ops->release(store, request->reader);
    request->reader = NULL;
    login_commit(request, &account, new_hash);
}

void
llmlab__api_logout(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab_status_t status =
        ops->session_remove(request->changer, request->caller.session);

    if (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) {
        llmlab__reply_failure(request, "cannot end a session");
        return;
    }
    llmlab__reply_nothing(request);
    llmlab__reply_header(request, "Set-Cookie",
                         LLMLAB__COOKIE "=; Path=/; Secure; HttpOnly; "
                                        "SameSite=Lax; Max-Age=0");
    (void)llmlab__change_audit(request, "auth.logout", request->caller.name,
                               NULL);
}

/* A token for some minutes, of the key or session that asks. */
void
llmlab__api_token(llmlab__request_t *request)
{
    int64_t now = llmlab__clock_real_ns() / SECOND_NS;
    llmlab__claims_t claims = {.issued_s = now,
                               .expires_s = now + LLMLAB__JWT_SECONDS};
    char token[LLMLAB__JWT_TEXT];
    llmlab__json_out_t out;

    if (request->caller.by_token) {
        llmlab__reply_refuse(request, 403, "forbidden",
                             "A token cannot renew itself", NULL,
                             "ask with the key, or log in");
        return;
    }
    claims.account = request->caller.account;
    if (claims.account == 0) {
        claims.key = request->key.id;
    } else {
        memcpy(claims.session, request->caller.session, sizeof(claims.session));
    }
    llmlab__jwt_make(&request->server->signer, &claims, token);
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "access_token");
    llmlab__json_put_text(&out, token);
    llmlab__json_key(&out, "token_type");
    llmlab__json_put_text(&out, "Bearer");
    llmlab__json_key(&out, "expires_in");
    llmlab__json_put_int(&out, LLMLAB__JWT_SECONDS);
    llmlab__json_end_object(&out);
    sodium_memzero(token, sizeof(token));
}

static void
password_commit(llmlab__request_t *request, const llmlab__account_t *before,
                const char *hash)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__account_t account;

    if (!llmlab__change_begin(request)) {
        return;
    }
    if (ops->account_get(request->reader, before->id, &account) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read an account");
    } else if (strcmp(account.password, before->password) != 0) {
        llmlab__reply_refuse(request, 409, "changed-meanwhile",
                             "It was changed meanwhile", NULL, "log in again");
    } else {
        memcpy(account.password, hash, sizeof(account.password));
        if (ops->account_update(request->changer, &account) != LLMLAB_OK ||
            ops->sessions_remove(request->changer, account.id) != LLMLAB_OK) {
            llmlab__reply_failure(request, "cannot change an account");
        } else if (llmlab__session_begin(request, &account)) {
            (void)llmlab__change_audit(request, "auth.password", account.email,
                                       NULL);
        }
    }
    llmlab__change_end(request);
}

/* Ends every session of the account; the one that asks gets a new one. */
void
llmlab__api_password(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    char hash[LLMLAB__PASSWORD_TEXT];
    const char *current = NULL;
    const char *password = NULL;
    llmlab__account_t account;
    tries_t tries;
    const llmlab__field_t fields[] = {{.name = "current_password",
                                       .required = true,
                                       .low = 1,
                                       .high = LLMLAB__PASSWORD_MAX,
                                       .out = &current},
                                      {.name = "new_password",
                                       .required = true,
                                       .low = LLMLAB__PASSWORD_MIN,
                                       .high = LLMLAB__PASSWORD_MAX,
                                       .out = &password}};

    if (request->caller.by_token) {
        llmlab__reply_refuse(request, 403, "forbidden",
                             "A token cannot change a password", NULL,
                             "log in");
        return;
    }
    if (!llmlab__request_fields(request, fields, 2) ||
        !tries_check(request, request->caller.name, &tries)) {
        return;
    }
    if (store->ops->admin->account_get(request->reader, request->caller.account,
                                       &account) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read an account");
        return;
    }
    if (!llmlab__password_check(account.password, current)) {
        (void)tries_wrong(request, &tries);
        return;
    }
    if (!llmlab__password_hash(password, hash)) {
        llmlab__reply_refuse(request, 503, "busy", "No memory", NULL,
                             "try again");
        return;
    }
    store->ops->release(store, request->reader);
    request->reader = NULL;
    password_commit(request, &account, hash);
}

/* Who am I? */
void
llmlab__api_me(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__account_t account;
    char csrf[LLMLAB__CSRF_TEXT];
    llmlab__json_out_t out;

    if (ops->account_get(request->reader, request->caller.account, &account) !=
        LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read an account");
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    session_text(&out, &account);
    if (!request->caller.by_token) {
        llmlab__csrf_token(request->server, request->caller.session, csrf);
        llmlab__json_key(&out, "csrf_token");
        llmlab__json_put_text(&out, csrf);
    }
    llmlab__json_end_object(&out);
}
