/* llmlab-test: link=llmlab_server_core
 *
 * The handlers that change something, with any body: each answers below 500,
 * and what is refused changes nothing. The first byte picks the route. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "http/body.h"
#include "http/client_address.h"
#include "http/router.h"
#include "services/names.h"
#include "services/new_key.h"
#include "store/admin.h"

static llmlab__server_t server;
static llmlab__project_t project = {.slug = "fuzz", .name = "fuzz"};
static const llmlab__route_t *routes[64];
static unsigned route_count;
static char path[64];

static void
check(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "%s: %s\n", what, llmlab_status_detail());
        abort();
    }
}

static void
clean_up(void)
{
    char other[80];

    server.store->ops->close(server.store);
    (void)unlink(path);
    (void)snprintf(other, sizeof(other), "%s-wal", path);
    (void)unlink(other);
    (void)snprintf(other, sizeof(other), "%s-shm", path);
    (void)unlink(other);
}

/* A project with a key, a member, an invitation and a provider account, each
 * with the id 1. */
static void
store_fill(void)
{
    const llmlab__admin_ops_t *ops = server.store->ops->admin;
    llmlab__key_t key = {.scope = LLMLAB__SCOPE_READ, .name = "k"};
    llmlab__account_t account = {.email = "a@example.org"};
    llmlab__member_t member = {.role = LLMLAB__ROLE_OWNER};
    llmlab__ticket_t ticket = {.kind = LLMLAB__TICKET_INVITATION,
                               .email = "b@example.org",
                               .role = LLMLAB__ROLE_VIEWER,
                               .expires_ns = INT64_MAX};
    llmlab__provider_t provider = {.provider = "aws",
                                   .name = "p",
                                   .settings = "{}",
                                   .secret = "",
                                   .hint = "",
                                   .error_message = ""};
    char text[LLMLAB__API_KEY_SIZE + 1];
    llmlab__reader_t *changer;

    check(server.store->ops->change_begin(server.store, &changer) == LLMLAB_OK,
          "begin");
    check(ops->project_add(changer, &project) == LLMLAB_OK, "project");
    llmlab__new_key(&key, text);
    key.project = ticket.project = member.project = provider.project =
        project.id;
    check(ops->key_add(changer, &key) == LLMLAB_OK, "key");
    check(ops->account_add(changer, &account) == LLMLAB_OK, "account");
    member.account = account;
    check(ops->member_add(changer, &member) == LLMLAB_OK, "member");
    check(ops->ticket_add(changer, &ticket) == LLMLAB_OK, "ticket");
    check(ops->provider_add(changer, &provider) == LLMLAB_OK, "provider");
    check(server.store->ops->change_end(server.store, changer, true) ==
              LLMLAB_OK,
          "end");
}

static bool
is_ours(const llmlab__route_t *route)
{
    static const char *const parts[] = {
        "/keys",     "/members", "/providers", "/invitations",
        "/accounts", "/auth/",   "/scores"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(route->pattern, parts[i]) != NULL) {
            return true;
        }
    }
    return strcmp(route->pattern, "/v1/projects") == 0 ||
           strcmp(route->pattern, "/v1/projects/{project}") == 0;
}

static void
set_up(void)
{
    check(sodium_init() >= 0, "sodium");
    (void)snprintf(path, sizeof(path), "/tmp/llmlab-fuzz-admin-%ld.db",
                   (long)getpid());
    check(llmlab__store_sqlite_open(&server.store, path) == LLMLAB_OK, "open");
    (void)atexit(clean_up);
    llmlab__limits_init(&server.limits);
    store_fill();
    for (unsigned i = 0; i < llmlab__route_count; i++) {
        const llmlab__route_t *route = &llmlab__routes[i];

        /* Those that hash a password take too long, those that make a job need
         * a scheduler. */
        if ((route->flags & LLMLAB__ROUTE_CHANGE) != 0 && is_ours(route) &&
            route_count < 64) {
            routes[route_count++] = route;
        }
    }
}

static void
request_run(const llmlab__route_t *route, const uint8_t *data, size_t size)
{
    static llmlab__request_t request;

    memset(&request, 0, sizeof(request));
    llmlab__buf_init(&request.reply.body);
    llmlab__buf_init(&request.body);
    request.server = &server;
    request.route = route;
    request.project = project;
    request.caller.server_admin = true;
    request.caller.role = LLMLAB__ROLE_SERVER;
    request.parts[0] = strstr(route->pattern, "{project}") ? "fuzz" : "1";
    request.parts[1] = "1";
    request.parts[2] = "1";
    llmlab__buf_append(&request.body, data, size);
    if (llmlab__body_end(&request) && llmlab__change_begin(&request)) {
        route->handle(&request);
        /* What each finds is what was there at the beginning. */
        (void)server.store->ops->change_end(server.store, request.changer,
                                            false);
    }
    check(request.reply.status != 0 && request.reply.status < 500,
          route->pattern);
    cJSON_Delete(request.json);
    llmlab__buf_cleanup(&request.body);
    llmlab__buf_cleanup(&request.reply.body);
}

static void
texts_read(const uint8_t *data, size_t size)
{
    static const unsigned char seed[32] = {1};
    llmlab__signer_t signer;
    llmlab__claims_t claims;
    llmlab__network_t network;
    char out[LLMLAB__CLIENT_ADDRESS_TEXT];
    char email[LLMLAB__EMAIL_SIZE + 1];
    char *text = malloc(size + 1);

    check(text != NULL, "malloc");
    memcpy(text, data, size);
    text[size] = '\0';
    llmlab__signer_init(&signer, seed, "fuzz");
    check(!llmlab__jwt_read(&signer, text, 1000, &claims), "a forged token");
    (void)llmlab__network_parse("0.0.0.0/0", &network);
    llmlab__client_address(NULL, text, &network, 1, out);
    (void)llmlab__network_parse(text, &network);
    (void)llmlab__slug_check(text);
    (void)llmlab__email_read(text, email);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (route_count == 0) {
        set_up();
    }
    if (size > 0) {
        request_run(routes[data[0] % route_count], data + 1, size - 1);
        texts_read(data + 1, size - 1);
    }
    return 0;
}
