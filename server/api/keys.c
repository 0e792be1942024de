#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "api/api.h"
#include "api/write.h"
#include "base/clock.h"
#include "http/fields.h"
#include "http/page.h"
#include "services/new_key.h"
#include "store/admin.h"

#define SECOND_NS       INT64_C(1000000000)
#define OVERLAP_DEFAULT INT64_C(86400)
#define OVERLAP_MAX     (30 * INT64_C(86400))
#define QUOTA_MAX       INT64_C(1000000000)

static void
key_members(llmlab__json_out_t *out, const llmlab__key_t *key)
{
    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, key->id);
    llmlab__json_key(out, "name");
    llmlab__json_put_text(out, key->name);
    llmlab__json_key(out, "scope");
    llmlab__json_put_text(out, llmlab__scope_names[key->scope]);
    llmlab__json_key(out, "hint");
    llmlab__json_put_text(out, key->hint);
    llmlab__json_key(out, "created_at");
    llmlab__write_time(out, key->created_ns);
    llmlab__json_key(out, "created_by");
    llmlab__json_put_text(out, key->created_by);
    llmlab__json_key(out, "expires_at");
    llmlab__write_time_or_null(out, key->expires_ns);
    llmlab__json_key(out, "revoked_at");
    llmlab__write_time_or_null(out, key->revoked_ns);
    llmlab__json_key(out, "last_used_at");
    llmlab__write_time_or_null(out, key->last_used_ns);
    llmlab__json_key(out, "requests_per_minute");
    if (key->requests_minute == 0) {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_int(out, key->requests_minute);
    }
    llmlab__json_key(out, "rotated_from");
    if (key->rotated_from == 0) {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_int(out, key->rotated_from);
    }
}

static bool
on_key(void *payload, const llmlab__key_t *key)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, key->id)) {
        return false;
    }
    key_members(&page->out, key);
    llmlab__json_end_object(&page->out);
    return true;
}

void
llmlab__api_keys_list(llmlab__request_t *request)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab__page_t page;

    if (!llmlab__page_read(request, "keys", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (ops->keys(request->reader, request->project.id, page.after,
                  page.limit + 1, on_key, &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list keys");
        return;
    }
    llmlab__page_end(request, &page);
}

/* The key that the path names. False when the reply is set. */
static bool
key_load(llmlab__request_t *request, llmlab__key_t *out)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    llmlab_status_t status = LLMLAB_ENOTFOUND;
    int64_t id;

    memset(out, 0, sizeof(*out));
    if (llmlab__request_id(request, 1, &id)) {
        status = ops->key_get(request->reader, request->project.id, id, out);
    }
    return status == LLMLAB_OK ||
           (status == LLMLAB_ENOTFOUND
                ? llmlab__reply_refuse(request, 404, "no-such-key",
                                       "No such key", NULL,
                                       "the project has no key of this id")
                : llmlab__reply_failure(request, "cannot read a key"));
}

/* An admin key is the server's, whatever project it calls home. */
static bool
may_manage(llmlab__request_t *request, llmlab__scope_t scope)
{
    return scope != LLMLAB__SCOPE_ADMIN || request->caller.server_admin ||
           llmlab__reply_refuse(request, 403, "forbidden",
                                "This needs an admin of the server", "scope",
                                "keys with the scope admin are the server's");
}

void
llmlab__api_key_get(llmlab__request_t *request)
{
    llmlab__json_out_t out;
    llmlab__key_t key;

    if (!key_load(request, &key)) {
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    key_members(&out, &key);
    llmlab__json_end_object(&out);
    llmlab__reply_version(request, key.version);
}

static bool
key_audit(llmlab__request_t *request, const char *action,
          const llmlab__key_t *key)
{
    char target[24];
    llmlab__json_out_t out;
    llmlab__buf_t detail;
    bool good;

    (void)snprintf(target, sizeof(target), "%" PRId64, key->id);
    llmlab__buf_init(&detail);
    llmlab__json_out_init(&out, &detail);
    llmlab__json_key(&out, "name");
    llmlab__json_put_text(&out, key->name);
    llmlab__json_key(&out, "scope");
    llmlab__json_put_text(&out, llmlab__scope_names[key->scope]);
    llmlab__json_key(&out, "hint");
    llmlab__json_put_text(&out, key->hint);
    llmlab__json_key(&out, "expires_at");
    llmlab__write_time_or_null(&out, key->expires_ns);
    if (key->rotated_from != 0) {
        llmlab__json_key(&out, "rotated_from");
        llmlab__json_put_int(&out, key->rotated_from);
    }
    good = llmlab__change_audit(request, action, target, &detail);
    llmlab__buf_cleanup(&detail);
    return good;
}

/* Store a new key and reply with it: the only time that it is shown. */
static void
key_issue(llmlab__request_t *request, llmlab__key_t *key, const char *action)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;
    char text[LLMLAB__API_KEY_SIZE + 1];
    llmlab__json_out_t out;

    key->project = request->project.id;
    llmlab__caller_id(request, key->created_by);
    llmlab__new_key(key, text);
    if (ops->key_add(request->changer, key) != LLMLAB_OK) {
        sodium_memzero(text, sizeof(text));
        llmlab__reply_failure(request, "cannot make a key");
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    key_members(&out, key);
    llmlab__json_key(&out, "key");
    llmlab__json_put_text(&out, text);
    llmlab__json_end_object(&out);
    sodium_memzero(text, sizeof(text));
    request->reply.status = 201;
    llmlab__reply_version(request, key->version);
    llmlab__reply_header(request, "Location", "/v1/projects/%s/keys/%" PRId64,
                         request->project.uuid, key->id);
    (void)key_audit(request, action, key);
}

static bool
expiry_check(llmlab__request_t *request, int64_t expires_ns)
{
    return expires_ns == 0 || expires_ns > llmlab__clock_real_ns() ||
           llmlab__reply_refuse(request, 400, "bad-field",
                                "A field of the body is wrong", "expires_at",
                                "expires_at: it is over already");
}

void
llmlab__api_key_create(llmlab__request_t *request)
{
    llmlab__key_t key = {.id = 0};
    const char *name = "";
    int scope = LLMLAB__SCOPE_INGEST;
    const llmlab__field_t fields[] = {
        {.name = "name", .high = sizeof(key.name) - 1, .out = &name},
        {.name = "scope",
         .type = LLMLAB__FIELD_CHOICE,
         .required = true,
         .out = &scope,
         .choices = llmlab__scope_names},
        {.name = "expires_at",
         .type = LLMLAB__FIELD_TIME,
         .nullable = true,
         .out = &key.expires_ns},
        {.name = "requests_per_minute",
         .type = LLMLAB__FIELD_INT,
         .nullable = true,
         .low = 1,
         .high = QUOTA_MAX,
         .out = &key.requests_minute}};

    if (!llmlab__request_fields(request, fields, 4) ||
        !may_manage(request, (llmlab__scope_t)scope) ||
        !expiry_check(request, key.expires_ns)) {
        return;
    }
    (void)snprintf(key.name, sizeof(key.name), "%s", name);
    key.scope = (llmlab__scope_t)scope;
    key_issue(request, &key, "key.create");
}

static bool
key_change(llmlab__request_t *request, llmlab__key_t *key, const char *action)
{
    const llmlab__admin_ops_t *ops = request->server->store->ops->admin;

    key->version++;
    return (ops->key_update(request->changer, key) == LLMLAB_OK ||
            llmlab__reply_failure(request, "cannot change a key")) &&
           key_audit(request, action, key);
}

void
llmlab__api_key_patch(llmlab__request_t *request)
{
    llmlab__key_t key;
    const char *name;
    int64_t expires = 0;
    int64_t quota = 0;
    bool has_expires = false;
    bool has_quota = false;
    const llmlab__field_t fields[] = {
        {.name = "name", .high = sizeof(key.name) - 1, .out = &name},
        {.name = "expires_at",
         .type = LLMLAB__FIELD_TIME,
         .nullable = true,
         .out = &expires,
         .present = &has_expires},
        {.name = "requests_per_minute",
         .type = LLMLAB__FIELD_INT,
         .nullable = true,
         .low = 1,
         .high = QUOTA_MAX,
         .out = &quota,
         .present = &has_quota}};
    char kept[sizeof(key.name)];
    llmlab__json_out_t out;

    if (!key_load(request, &key)) {
        return;
    }
    memcpy(kept, key.name, sizeof(kept));
    name = kept;
    if (!may_manage(request, key.scope) ||
        !llmlab__request_if_match(request, key.version) ||
        !llmlab__request_fields(request, fields, 3) ||
        !expiry_check(request, expires)) {
        return;
    }
    (void)snprintf(key.name, sizeof(key.name), "%s", name);
    key.expires_ns = has_expires ? expires : key.expires_ns;
    key.requests_minute = has_quota ? quota : key.requests_minute;
    if (!key_change(request, &key, "key.update")) {
        return;
    }
    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    key_members(&out, &key);
    llmlab__json_end_object(&out);
    llmlab__reply_version(request, key.version);
}

/* A new key in the place of an old one, which works on for a while. */
void
llmlab__api_key_rotate(llmlab__request_t *request)
{
    int64_t now = llmlab__clock_real_ns();
    int64_t overlap = OVERLAP_DEFAULT;
    const llmlab__field_t fields[] = {{.name = "overlap_seconds",
                                       .type = LLMLAB__FIELD_INT,
                                       .low = 0,
                                       .high = OVERLAP_MAX,
                                       .out = &overlap}};
    llmlab__key_t key;
    llmlab__key_t new_key = {.id = 0};

    if (!llmlab__request_fields(request, fields, 1) ||
        !key_load(request, &key) || !may_manage(request, key.scope)) {
        return;
    }
    if (key.revoked_ns != 0 || (key.expires_ns != 0 && key.expires_ns <= now)) {
        llmlab__reply_refuse(request, 409, "key-ended", "The key has ended",
                             NULL, "make a new one");
        return;
    }
    new_key.scope = key.scope;
    new_key.requests_minute = key.requests_minute;
    new_key.rotated_from = key.id;
    memcpy(new_key.name, key.name, sizeof(new_key.name));
    if (overlap == 0) {
        key.revoked_ns = now;
    } else if (key.expires_ns == 0 ||
               key.expires_ns > now + overlap * SECOND_NS) {
        key.expires_ns = now + overlap * SECOND_NS;
    }
    if (key_change(request, &key, "key.expire")) {
        key_issue(request, &new_key, "key.rotate");
    }
}

/* Ended at once; asked for again, it stays so. */
void
llmlab__api_key_revoke(llmlab__request_t *request)
{
    llmlab__key_t key;

    if (!key_load(request, &key) || !may_manage(request, key.scope)) {
        return;
    }
    if (key.revoked_ns == 0) {
        key.revoked_ns = llmlab__clock_real_ns();
        if (!key_change(request, &key, "key.revoke")) {
            return;
        }
    }
    llmlab__reply_nothing(request);
}
