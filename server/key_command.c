#include "key_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/status.h"
#include "services/names.h"
#include "services/new_key.h"
#include "store/admin.h"

static int
complain(const char *text)
{
    (void)fprintf(stderr, "llmlab-server: %s\n", text);
    return 1;
}

/* The project of this name, made if there is none. */
static llmlab_status_t
project_ensure(llmlab__store_t *store, llmlab__reader_t *changer,
               const char *slug, llmlab__project_t *out)
{
    llmlab_status_t status = store->ops->project_find(changer, slug, out);

    if (status != LLMLAB_ENOTFOUND) {
        return status;
    }
    memset(out, 0, sizeof(*out));
    (void)snprintf(out->slug, sizeof(out->slug), "%s", slug);
    (void)snprintf(out->name, sizeof(out->name), "%s", slug);
    return store->ops->admin->project_add(changer, out);
}

static llmlab_status_t
audit(llmlab__store_t *store, llmlab__reader_t *changer, const char *action,
      const llmlab__key_t *key)
{
    char target[24];
    char detail[128];
    llmlab__audit_t entry = {.project = key->project,
                             .at_ns = llmlab__clock_real_ns(),
                             .actor = "command",
                             .actor_name = "llmlab-server key",
                             .address = "",
                             .action = action,
                             .target = target,
                             .detail = detail};

    (void)snprintf(target, sizeof(target), "%lld", (long long)key->id);
    (void)snprintf(detail, sizeof(detail), "{\"scope\":\"%s\",\"hint\":\"%s\"}",
                   llmlab__scope_names[key->scope], key->hint);
    return store->ops->audit_add(changer, &entry);
}

static int
end(llmlab__store_t *store, llmlab__reader_t *changer, llmlab_status_t status)
{
    llmlab_status_t ended =
        store->ops->change_end(store, changer, status == LLMLAB_OK);

    return status == LLMLAB_OK && ended == LLMLAB_OK
               ? 0
               : complain(llmlab_status_detail());
}

static int
key_create(llmlab__store_t *store, const llmlab__options_t *options)
{
    llmlab__key_t key = {.created_by = "command"};
    llmlab__project_t project;
    llmlab__reader_t *changer;
    char text[LLMLAB__API_KEY_SIZE + 1];
    llmlab_status_t status;
    int code;

    if (options->project == NULL) {
        return complain("key create: --project NAME is needed");
    }
    if (!llmlab__slug_check(options->project)) {
        return complain("--project: " LLMLAB__SLUG_RULE);
    }
    for (int i = 1; i <= LLMLAB__SCOPE_ADMIN; i++) {
        if (strcmp(options->scope, llmlab__scope_names[i]) == 0) {
            key.scope = (llmlab__scope_t)i;
        }
    }
    if (key.scope == 0) {
        return complain("--scope: it is one of ingest, read, admin");
    }
    if (strlen(options->name) >= sizeof(key.name)) {
        return complain("--name: at most 64 bytes");
    }
    memcpy(key.name, options->name, strlen(options->name) + 1);
    if (store->ops->change_begin(store, &changer) != LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    llmlab__new_key(&key, text);
    status = project_ensure(store, changer, options->project, &project);
    if (status == LLMLAB_OK) {
        key.project = project.id;
        status = store->ops->admin->key_add(changer, &key);
    }
    if (status == LLMLAB_OK) {
        status = audit(store, changer, "key.create", &key);
    }
    code = end(store, changer, status);
    if (code == 0) {
        (void)puts(text);
        code = fflush(stdout) == 0 ? 0 : complain("cannot write the key");
    }
    sodium_memzero(text, sizeof(text));
    return code;
}

static bool
on_key(void *payload, const llmlab__key_t *key)
{
    char time[LLMLAB__TIME_TEXT];

    (void)payload;
    (void)llmlab__time_format(key->created_ns, time);
    (void)printf("%-4lld %-7s %-16s... %-20.64s %.10s %s %s\n",
                 (long long)key->id,
                 llmlab__scope_names[key->scope > 3 ? 0 : key->scope],
                 key->hint, key->slug, time,
                 key->revoked_ns != 0 ? "revoked" : "active ", key->name);
    return true;
}

static int
key_list(llmlab__store_t *store)
{
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab_status_t status;

    if (reader == NULL) {
        return complain(llmlab_status_detail());
    }
    (void)printf("%-4s %-7s %-19s %-20s %-10s\n", "id", "scope", "key",
                 "project", "created");
    status = store->ops->admin->keys(reader, 0, 0, SIZE_MAX >> 1, on_key, NULL);
    store->ops->release(store, reader);
    return status == LLMLAB_OK ? 0 : complain(llmlab_status_detail());
}

static int
key_revoke(llmlab__store_t *store, const llmlab__options_t *options)
{
    llmlab__key_t key;
    llmlab__reader_t *changer;
    llmlab_status_t status;
    char *rest;
    long long id;
    int code;

    if (options->id == NULL) {
        return complain("key revoke: the key's ID is needed (key list)");
    }
    id = strtoll(options->id, &rest, 10);
    if (*rest != '\0' || rest == options->id) {
        return complain("key revoke: the ID is a number (key list)");
    }
    if (store->ops->change_begin(store, &changer) != LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    status = store->ops->admin->key_get(changer, 0, id, &key);
    if (status == LLMLAB_OK && key.revoked_ns == 0) {
        key.revoked_ns = llmlab__clock_real_ns();
        status = store->ops->admin->key_update(changer, &key);
        if (status == LLMLAB_OK) {
            status = audit(store, changer, "key.revoke", &key);
        }
    } else if (status == LLMLAB_ENOTFOUND) {
        (void)llmlab__fail(status, "no key has this id");
    }
    code = end(store, changer, status);
    if (code == 0) {
        (void)printf("revoked key %lld\n", id);
    }
    return code;
}

int
llmlab__key_command(const char *verb, const llmlab__options_t *options)
{
    llmlab__store_t *store;
    int code;

    if (llmlab__store_sqlite_open(&store, options->db) != LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    if (strcmp(verb, "create") == 0) {
        code = key_create(store, options);
    } else if (strcmp(verb, "list") == 0) {
        code = key_list(store);
    } else {
        code = key_revoke(store, options);
    }
    store->ops->close(store);
    return code;
}
