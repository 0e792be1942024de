#include "key_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "services/names.h"
#include "services/new_key.h"
#include "store/store.h"

static int
complain(const char *text)
{
    (void)fprintf(stderr, "llmlab-server: %s\n", text);
    return 1;
}

static int
key_create(llmlab__store_t *store, const llmlab__options_t *options)
{
    llmlab__key_t key = {.scope = 0};
    llmlab__project_t project;
    char text[LLMLAB__API_KEY_SIZE + 1];

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
    if (store->ops->project_create(store, options->project, &project) !=
        LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    llmlab__new_key(&key, text);
    key.project = project.id;
    if (store->ops->key_create(store, &key) != LLMLAB_OK) {
        sodium_memzero(text, sizeof(text));
        return complain(llmlab_status_detail());
    }
    (void)puts(text);
    sodium_memzero(text, sizeof(text));
    return fflush(stdout) == 0 ? 0 : complain("cannot write the key");
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
    status = store->ops->key_list(reader, on_key, NULL);
    store->ops->release(store, reader);
    return status == LLMLAB_OK ? 0 : complain(llmlab_status_detail());
}

static int
key_revoke(llmlab__store_t *store, const llmlab__options_t *options)
{
    char *end;
    long long id;

    if (options->id == NULL) {
        return complain("key revoke: the key's ID is needed (key list)");
    }
    id = strtoll(options->id, &end, 10);
    if (*end != '\0' || end == options->id) {
        return complain("key revoke: the ID is a number (key list)");
    }
    if (store->ops->key_revoke(store, id) != LLMLAB_OK) {
        return complain(llmlab_status_detail());
    }
    (void)printf("revoked key %lld\n", id);
    return 0;
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
