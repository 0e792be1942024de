/* Accounts at providers whose bills are to be read. A credential goes in and
 * never comes out again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "api/api.h"
#include "api/write.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "http/fields.h"
#include "http/page.h"
#include "services/provider_manager.h"
#include "store/admin.h"

#define CREDENTIAL_MAX 65536
#define SETTING_MAX    1024

static const char *const status_names[] = {"unverified", "verified", "error"};

static void
provider_members(llmlab__json_out_t *out, const llmlab__provider_t *provider)
{
    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, provider->id);
    llmlab__json_key(out, "provider");
    llmlab__json_put_text(out, provider->provider);
    llmlab__json_key(out, "name");
    llmlab__json_put_text(out, provider->name);
    llmlab__json_key(out, "settings");
    llmlab__json_put_raw(out, provider->settings, strlen(provider->settings));
    llmlab__json_key(out, "credential_hint");
    llmlab__json_put_text(out, provider->hint);
    llmlab__json_key(out, "status");
    llmlab__json_put_text(out, status_names[provider->status]);
    llmlab__json_key(out, "error_message");
    if (provider->error_message[0] == '\0') {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_text(out, provider->error_message);
    }
    llmlab__json_key(out, "verified_at");
    llmlab__write_time_or_null(out, provider->verified_ns);
    llmlab__json_key(out, "created_at");
    llmlab__write_time(out, provider->created_ns);
}

static bool
on_row(void *payload, const llmlab__provider_t *provider)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, provider->id)) {
        return false;
    }
    provider_members(&page->out, provider);
    llmlab__json_end_object(&page->out);
    return true;
}

void
llmlab__api_providers_list(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__page_t page;

    if (!llmlab__page_read(request, "providers", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (ops->providers(request->reader, request->project.id, page.after,
                       page.limit + 1, on_row, &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list provider accounts");
        return;
    }
    llmlab__page_end(request, &page);
}

/* A provider account in memory of its own. */
typedef struct held_s {
    llmlab__provider_t row;
    char *texts[5];
    llmlab__buf_t secret;
    bool failed;
} held_t;

static const char *
hold(held_t *held, int place, const char *text)
{
    held->texts[place] = llmlab__strndup(text, strlen(text));
    held->failed = held->failed || held->texts[place] == NULL;
    return held->texts[place];
}

static bool
on_held(void *payload, const llmlab__provider_t *provider)
{
    held_t *held = payload;

    held->row = *provider;
    held->row.provider = hold(held, 0, provider->provider);
    held->row.name = hold(held, 1, provider->name);
    held->row.settings = hold(held, 2, provider->settings);
    held->row.hint = hold(held, 3, provider->hint);
    held->row.error_message = hold(held, 4, provider->error_message);
    llmlab__buf_append(&held->secret, provider->secret, provider->secret_size);
    held->row.secret = held->secret.data;
    held->failed = held->failed || held->secret.failed;
    return false;
}

static void
held_cleanup(held_t *held)
{
    for (size_t i = 0; i < sizeof(held->texts) / sizeof(held->texts[0]); i++) {
        llmlab__free(held->texts[i]);
    }
    llmlab__buf_cleanup(&held->secret);
}

/* The one that the path names. False when the reply is set. Clean up in either
 * case. */
static bool
provider_load(llmlab__request_t *request, held_t *out)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab_status_t status = LLMLAB_ENOTFOUND;
    int64_t id;

    memset(out, 0, sizeof(*out));
    llmlab__buf_init(&out->secret);
    if (llmlab__request_id(request, 1, &id)) {
        status = ops->provider_get(request->reader, request->project.id, id,
                                   on_held, out);
    }
    if (status == LLMLAB_ENOTFOUND) {
        return llmlab__reply_refuse(
            request, 404, "no-such-provider-account",
            "No such provider account", NULL,
            "the project has no provider account of this id");
    }
    return (status == LLMLAB_OK && !out->failed) ||
           llmlab__reply_failure(request, "cannot read a provider account");
}

static void
provider_reply(llmlab__request_t *request, const llmlab__provider_t *provider)
{
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    provider_members(&out, provider);
    llmlab__json_end_object(&out);
    llmlab__reply_version(request, provider->version);
}

void
llmlab__api_provider_get(llmlab__request_t *request)
{
    held_t held;

    if (provider_load(request, &held)) {
        provider_reply(request, &held.row);
    }
    held_cleanup(&held);
}

/* Nothing that could be the secret: what it is called, and what is known of
 * it. */
static bool
provider_audit(llmlab__request_t *request, const char *action,
               const llmlab__provider_t *provider)
{
    char target[24];
    llmlab__json_out_t out;
    llmlab__buf_t detail;
    bool good;

    (void)snprintf(target, sizeof(target), "%" PRId64, provider->id);
    llmlab__buf_init(&detail);
    llmlab__json_out_init(&out, &detail);
    llmlab__json_key(&out, "provider");
    llmlab__json_put_text(&out, provider->provider);
    llmlab__json_key(&out, "name");
    llmlab__json_put_text(&out, provider->name);
    llmlab__json_key(&out, "credential_hint");
    llmlab__json_put_text(&out, provider->hint);
    llmlab__json_key(&out, "status");
    llmlab__json_put_text(&out, status_names[provider->status]);
    good = llmlab__change_audit(request, action, target, &detail);
    llmlab__buf_cleanup(&detail);
    return good;
}

static bool
setting_bad(llmlab__request_t *request, const char *name, const char *why)
{
    return llmlab__reply_refuse(request, 400, "bad-field",
                                "A field of the body is wrong", name,
                                "settings: %.64s: %s", name, why);
}

/* Texts that the plug-in knows, written anew into out. */
static bool
settings_read(llmlab__request_t *request,
              const llmlab__provider_plugin_t *plugin, const cJSON *settings,
              llmlab__buf_t *text)
{
    const cJSON *item;
    llmlab__json_out_t out;

    llmlab__json_out_init(&out, text);
    llmlab__json_begin_object(&out);
    cJSON_ArrayForEach(item, settings)
    {
        const char *value = llmlab__json_dom_string(item);
        size_t i = 0;

        while (plugin->settings[i] != NULL &&
               strcmp(plugin->settings[i], item->string) != 0) {
            i++;
        }
        if (plugin->settings[i] == NULL) {
            return setting_bad(request, item->string,
                               "this provider has no such setting");
        }
        if (value == NULL || strlen(value) > SETTING_MAX) {
            return setting_bad(request, item->string,
                               "a text of at most 1024 bytes is needed");
        }
        llmlab__json_key_n(&out, item->string, strlen(item->string));
        llmlab__json_put_text(&out, value);
    }
    llmlab__json_end_object(&out);
    llmlab__buf_append(text, "", 1);
    return !text->failed ||
           llmlab__reply_failure(request, "no memory for settings");
}

/* Seal the credential, if its form can be good. */
static bool
credential_take(llmlab__request_t *request,
                const llmlab__provider_plugin_t *plugin, const char *credential,
                llmlab__buf_t *sealed, char hint[LLMLAB__HINT_TEXT])
{
    const char *fault = plugin->form_fault(credential);

    if (fault != NULL) {
        return llmlab__reply_refuse(request, 400, "bad-field",
                                    "A field of the body is wrong",
                                    "credential", "credential: %s", fault);
    }
    llmlab__buf_clear(sealed);
    llmlab__vault_seal(&request->server->vault, credential, strlen(credential),
                       sealed);
    llmlab__provider_hint(credential, hint);
    return !sealed->failed ||
           llmlab__reply_failure(request, "no memory for a credential");
}

static bool
store_result(llmlab__request_t *request, llmlab_status_t status)
{
    return status == LLMLAB_OK ||
           (status == LLMLAB_EINVAL
                ? llmlab__reply_refuse(
                      request, 409, "name-taken",
                      "Another account has this name", "name",
                      "the project has an account of this name at the provider")
                : llmlab__reply_failure(request,
                                        "cannot store a provider account"));
}

/* Their names, for a table of fields. */
static const llmlab__provider_plugin_t *
plugin_check(llmlab__request_t *request, const char *name)
{
    const llmlab__provider_plugin_t *plugin = llmlab__provider_plugin(name);
    char list[128] = "";

    for (const llmlab__provider_plugin_t *known = llmlab__provider_plugins;
         plugin == NULL && known->name != NULL; known++) {
        (void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
                       *list == '\0' ? "" : ", ", known->name);
    }
    if (plugin == NULL) {
        llmlab__reply_refuse(request, 400, "bad-field",
                             "A field of the body is wrong", "provider",
                             "provider: it is one of %s", list);
    }
    return plugin;
}

void
llmlab__api_provider_create(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__provider_t provider = {.project = request->project.id,
                                   .error_message = ""};
    const char *credential = NULL;
    const cJSON *settings = NULL;
    const llmlab__provider_plugin_t *plugin;
    char hint[LLMLAB__HINT_TEXT];
    llmlab__buf_t text;
    llmlab__buf_t sealed;
    const llmlab__field_t fields[] = {
        {.name = "provider",
         .required = true,
         .low = 1,
         .high = 32,
         .out = &provider.provider},
        {.name = "name",
         .required = true,
         .low = 1,
         .high = LLMLAB__NAME_SIZE,
         .out = &provider.name},
        {.name = "credential",
         .required = true,
         .low = 1,
         .high = CREDENTIAL_MAX,
         .out = &credential},
        {.name = "settings", .type = LLMLAB__FIELD_OBJECT, .out = &settings}};

    if (!llmlab__request_fields(request, fields, 4)) {
        return;
    }
    plugin = plugin_check(request, provider.provider);
    llmlab__buf_init(&text);
    llmlab__buf_init(&sealed);
    if (plugin != NULL && settings_read(request, plugin, settings, &text) &&
        credential_take(request, plugin, credential, &sealed, hint)) {
        provider.settings = (const char *)text.data;
        provider.secret = sealed.data;
        provider.secret_size = sealed.size;
        provider.hint = hint;
        if (store_result(request,
                         ops->provider_add(request->changer, &provider))) {
            provider_reply(request, &provider);
            request->reply.status = 201;
            llmlab__reply_header(request, "Location",
                                 "/v1/projects/%s/providers/%" PRId64,
                                 request->project.uuid, provider.id);
            (void)provider_audit(request, "provider.create", &provider);
        }
    }
    llmlab__buf_cleanup(&text);
    llmlab__buf_cleanup(&sealed);
}

/* Within a change. */
static void
provider_change(llmlab__request_t *request, llmlab__provider_t *provider,
                const char *action)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;

    if (store_result(request,
                     ops->provider_update(request->changer, provider))) {
        provider->version++;
        provider_reply(request, provider);
        (void)provider_audit(request, action, provider);
    }
}

/* With another credential or other settings it is to be verified anew. */
void
llmlab__api_provider_patch(llmlab__request_t *request)
{
    const char *credential = NULL;
    const char *name = NULL;
    const cJSON *settings = NULL;
    const llmlab__provider_plugin_t *plugin;
    char hint[LLMLAB__HINT_TEXT];
    llmlab__buf_t text;
    llmlab__buf_t sealed;
    held_t held;
    const llmlab__field_t fields[] = {
        {.name = "name", .low = 1, .high = LLMLAB__NAME_SIZE, .out = &name},
        {.name = "credential",
         .low = 1,
         .high = CREDENTIAL_MAX,
         .out = &credential},
        {.name = "settings", .type = LLMLAB__FIELD_OBJECT, .out = &settings}};

    llmlab__buf_init(&text);
    llmlab__buf_init(&sealed);
    if (!provider_load(request, &held) ||
        !llmlab__request_if_match(request, held.row.version) ||
        !llmlab__request_fields(request, fields, 3)) {
        goto out;
    }
    plugin = plugin_check(request, held.row.provider);
    if (plugin == NULL ||
        (settings != NULL &&
         !settings_read(request, plugin, settings, &text)) ||
        (credential != NULL &&
         !credential_take(request, plugin, credential, &sealed, hint))) {
        goto out;
    }
    held.row.name = name != NULL ? name : held.row.name;
    if (settings != NULL) {
        held.row.settings = (const char *)text.data;
    }
    if (credential != NULL) {
        held.row.secret = sealed.data;
        held.row.secret_size = sealed.size;
        held.row.hint = hint;
    }
    if (settings != NULL || credential != NULL) {
        held.row.status = LLMLAB__PROVIDER_UNVERIFIED;
        held.row.error_message = "";
        held.row.verified_ns = 0;
    }
    provider_change(request, &held.row, "provider.update");
out:
    held_cleanup(&held);
    llmlab__buf_cleanup(&text);
    llmlab__buf_cleanup(&sealed);
}

void
llmlab__api_provider_delete(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    held_t held;

    if (provider_load(request, &held)) {
        if (ops->provider_remove(request->changer, request->project.id,
                                 held.row.id) != LLMLAB_OK) {
            llmlab__reply_failure(request, "cannot delete a provider account");
        } else {
            llmlab__reply_nothing(request);
            (void)provider_audit(request, "provider.delete", &held.row);
        }
    }
    held_cleanup(&held);
}

/* What the provider says is stored, unless the account was changed while it
 * was asked. */
static void
verify_commit(llmlab__request_t *request, llmlab__provider_status_t status,
              const char *error, int64_t version)
{
    held_t held;

    if (!llmlab__change_begin(request)) {
        return;
    }
    if (provider_load(request, &held)) {
        if (held.row.version != version) {
            llmlab__reply_refuse(request, 409, "changed-meanwhile",
                                 "It was changed meanwhile", NULL,
                                 "verify it again");
        } else {
            held.row.status = status;
            held.row.error_message = error;
            held.row.verified_ns = status == LLMLAB__PROVIDER_VERIFIED
                                       ? llmlab__clock_real_ns()
                                       : held.row.verified_ns;
            provider_change(request, &held.row, "provider.verify");
        }
    }
    held_cleanup(&held);
    llmlab__change_end(request);
}

/* The provider is asked without holding anything of the store. */
void
llmlab__api_provider_verify(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    const llmlab__provider_plugin_t *plugin;
    char error[LLMLAB__PROVIDER_ERROR_TEXT];
    llmlab__provider_status_t status;
    held_t held;

    if (!provider_load(request, &held)) {
        goto out;
    }
    plugin = plugin_check(request, held.row.provider);
    if (plugin == NULL) {
        goto out;
    }
    if (plugin->verify == NULL) {
        llmlab__reply_refuse(
            request, 409, "cannot-verify", "This provider cannot be asked",
            NULL, "this version does not read the bills of %s", plugin->name);
        goto out;
    }
    store->ops->release(store, request->reader);
    request->reader = NULL;
    status = llmlab__provider_verify(&request->server->vault, plugin,
                                     held.row.secret, held.row.secret_size,
                                     held.row.settings, error);
    verify_commit(request, status, error, held.row.version);
out:
    held_cleanup(&held);
}
