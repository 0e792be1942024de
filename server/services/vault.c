#include "services/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/status.h"

#define KEY_SIZE  32
#define HEX_SIZE  64
#define FILE_SIZE (HEX_SIZE + 1) /* and a line's end */
#define SEAL_SIZE \
    (crypto_secretbox_NONCEBYTES + (size_t)crypto_secretbox_MACBYTES)
#define PATH_SIZE 4200

/* Names in the store's settings. */
#define KEY_ID    "master_key_id"
#define SIGNER    "token_signer"
#define SERVER_ID "server_id"

static void
key_id(const unsigned char key[KEY_SIZE], unsigned char out[16])
{
    static const unsigned char what[] = "llmlab master key";

    crypto_generichash(out, 16, what, sizeof(what), key, KEY_SIZE);
}

static llmlab_status_t
file_read(const char *path, unsigned char out[KEY_SIZE])
{
    char text[FILE_SIZE + 1];
    struct stat facts;
    size_t size = 0;
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return llmlab__fail(errno == ENOENT ? LLMLAB_ENOTFOUND : LLMLAB_EIO,
                            "cannot open %s: %s", path, strerror(errno));
    }
    if (fstat(fd, &facts) != 0 || (facts.st_mode & 077) != 0) {
        (void)close(fd);
        return llmlab__fail(LLMLAB_EINVAL,
                            "%s: others may read it; chmod 600 it, and take a "
                            "new key by: secrets rekey",
                            path);
    }
    got = read(fd, text, sizeof(text));
    (void)close(fd);
    if (got < HEX_SIZE || got > FILE_SIZE ||
        sodium_hex2bin(out, KEY_SIZE, text, HEX_SIZE, NULL, &size, NULL) != 0 ||
        size != KEY_SIZE) {
        sodium_memzero(text, sizeof(text));
        return llmlab__fail(LLMLAB_EINVAL, "%s is no master key", path);
    }
    sodium_memzero(text, sizeof(text));
    return LLMLAB_OK;
}

/* A new file, on the disk when it returns. */
static llmlab_status_t
file_write(const char *path, const unsigned char key[KEY_SIZE])
{
    char text[FILE_SIZE + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good;

    sodium_bin2hex(text, sizeof(text), key, KEY_SIZE);
    memcpy(text + HEX_SIZE, "\n", 2);
    good = fd >= 0 && write(fd, text, FILE_SIZE) == FILE_SIZE && fsync(fd) == 0;
    sodium_memzero(text, sizeof(text));
    if (!good) {
        (void)llmlab__fail(LLMLAB_EIO, "cannot write %s: %s", path,
                           strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return good ? LLMLAB_OK : LLMLAB_EIO;
}

static llmlab_status_t
setting_get(llmlab__store_t *store, const char *name, llmlab__buf_t *out)
{
    llmlab__reader_t *reader = store->ops->acquire(store);
    llmlab_status_t status =
        reader == NULL ? LLMLAB_EIO
                       : store->ops->admin->setting_get(reader, name, out);

    store->ops->release(store, reader);
    return status;
}

static llmlab_status_t
setting_put(llmlab__store_t *store, const char *name, const void *value,
            size_t size)
{
    llmlab__reader_t *changer;
    llmlab_status_t status = store->ops->change_begin(store, &changer);
    llmlab_status_t ended;

    if (status != LLMLAB_OK) {
        return status;
    }
    status = store->ops->admin->setting_put(changer, name, value, size);
    ended = store->ops->change_end(store, changer, status == LLMLAB_OK);
    return status == LLMLAB_OK ? ended : status;
}

static bool
is_of(const unsigned char key[KEY_SIZE], const llmlab__buf_t *id)
{
    unsigned char own[16];

    key_id(key, own);
    return id->size == sizeof(own) &&
           sodium_memcmp(own, id->data, sizeof(own)) == 0;
}

/* Be the store's key from here on. */
static llmlab_status_t
key_adopt(const llmlab__vault_t *vault, llmlab__store_t *store)
{
    unsigned char id[16];

    key_id(vault->key, id);
    return setting_put(store, KEY_ID, id, sizeof(id));
}

static llmlab_status_t
key_make(llmlab__vault_t *out, llmlab__store_t *store, const char *path)
{
    llmlab_status_t status;

    randombytes_buf(out->key, KEY_SIZE);
    status = file_write(path, out->key);
    return status == LLMLAB_OK ? key_adopt(out, store) : status;
}

/* A rekey may have ended between its change and the renaming of its file. */
static bool
rekey_finish(llmlab__vault_t *out, const char *path, const llmlab__buf_t *id,
             llmlab_status_t *status)
{
    llmlab__vault_t other;
    char next[PATH_SIZE];

    (void)snprintf(next, sizeof(next), "%s.new", path);
    if (file_read(next, other.key) != LLMLAB_OK || !is_of(other.key, id) ||
        rename(next, path) != 0) {
        return false;
    }
    *out = other;
    llmlab__vault_close(&other);
    *status = LLMLAB_OK;
    return true;
}

static bool
on_sealed(void *payload, const llmlab__provider_t *provider)
{
    (void)provider;
    *(bool *)payload = true;
    return false;
}

/* Is anything sealed that would be lost with the key? The key that signs
 * tokens is not: another can be made. */
static bool
something_is_sealed(llmlab__store_t *store)
{
    llmlab__reader_t *reader = store->ops->acquire(store);
    bool sealed = false;
    llmlab_status_t status = LLMLAB_EIO;

    if (reader != NULL) {
        status =
            store->ops->admin->provider_secrets(reader, on_sealed, &sealed);
    }
    store->ops->release(store, reader);
    return sealed || status != LLMLAB_OK;
}

llmlab_status_t
llmlab__vault_open(llmlab__vault_t *out, llmlab__store_t *store,
                   const char *path)
{
    llmlab_status_t status;
    llmlab_status_t found;
    llmlab__buf_t id;

    llmlab__buf_init(&id);
    found = setting_get(store, KEY_ID, &id);
    status = found == LLMLAB_OK || found == LLMLAB_ENOTFOUND
                 ? file_read(path, out->key)
                 : found;
    if ((status == LLMLAB_OK && is_of(out->key, &id)) ||
        (status != LLMLAB_OK && status != LLMLAB_ENOTFOUND) ||
        (found == LLMLAB_OK && rekey_finish(out, path, &id, &status))) {
        /* It is the one, or it cannot be read. */
    } else if (!something_is_sealed(store)) {
        status = status == LLMLAB_OK ? key_adopt(out, store)
                                     : key_make(out, store, path);
    } else {
        status = llmlab__fail(LLMLAB_EINVAL,
                              "%s is missing, or not this database's master "
                              "key: bring back its backup",
                              path);
    }
    llmlab__buf_cleanup(&id);
    return status;
}

void
llmlab__vault_close(llmlab__vault_t *vault)
{
    sodium_memzero(vault, sizeof(*vault));
}

void
llmlab__vault_seal(const llmlab__vault_t *vault, const void *bytes, size_t size,
                   llmlab__buf_t *out)
{
    unsigned char *to = llmlab__buf_reserve(out, SEAL_SIZE + size);

    if (to != NULL) {
        randombytes_buf(to, crypto_secretbox_NONCEBYTES);
        (void)crypto_secretbox_easy(to + crypto_secretbox_NONCEBYTES, bytes,
                                    size, to, vault->key);
        out->size += SEAL_SIZE + size;
    }
}

bool
llmlab__vault_unseal(const llmlab__vault_t *vault, const void *sealed,
                     size_t size, llmlab__buf_t *out)
{
    const unsigned char *from = sealed;
    unsigned char *to;

    if (size < SEAL_SIZE) {
        return false;
    }
    to = llmlab__buf_reserve(out, size - SEAL_SIZE + 1);
    if (to == NULL ||
        crypto_secretbox_open_easy(to, from + crypto_secretbox_NONCEBYTES,
                                   size - crypto_secretbox_NONCEBYTES, from,
                                   vault->key) != 0) {
        return false;
    }
    out->size += size - SEAL_SIZE;
    return true;
}

static llmlab_status_t
server_id(llmlab__store_t *store, llmlab__buf_t *out)
{
    char uuid[37];
    llmlab_status_t status = setting_get(store, SERVER_ID, out);

    if (status == LLMLAB_ENOTFOUND) {
        llmlab__uuid7(uuid);
        llmlab__buf_append(out, uuid, 36);
        status = setting_put(store, SERVER_ID, uuid, 36);
    }
    llmlab__buf_append(out, "", 1);
    return status;
}

llmlab_status_t
llmlab__vault_signer(const llmlab__vault_t *vault, llmlab__store_t *store,
                     llmlab__signer_t *out)
{
    unsigned char seed[KEY_SIZE];
    llmlab__buf_t sealed;
    llmlab__buf_t opened;
    llmlab__buf_t id;
    llmlab_status_t status;

    llmlab__buf_init(&sealed);
    llmlab__buf_init(&opened);
    llmlab__buf_init(&id);
    status = setting_get(store, SIGNER, &sealed);
    if (status == LLMLAB_OK &&
        llmlab__vault_unseal(vault, sealed.data, sealed.size, &opened) &&
        opened.size == sizeof(seed)) {
        memcpy(seed, opened.data, sizeof(seed));
    } else if (status == LLMLAB_OK || status == LLMLAB_ENOTFOUND) {
        randombytes_buf(seed, sizeof(seed));
        llmlab__buf_clear(&sealed);
        llmlab__vault_seal(vault, seed, sizeof(seed), &sealed);
        status = setting_put(store, SIGNER, sealed.data, sealed.size);
    }
    if (status == LLMLAB_OK) {
        status = server_id(store, &id);
    }
    if (status == LLMLAB_OK) {
        llmlab__signer_init(out, seed, (const char *)id.data);
    }
    sodium_memzero(seed, sizeof(seed));
    if (opened.data != NULL) {
        sodium_memzero(opened.data, opened.capacity);
    }
    llmlab__buf_cleanup(&sealed);
    llmlab__buf_cleanup(&opened);
    llmlab__buf_cleanup(&id);
    return status;
}

typedef struct rekey_s {
    const llmlab__vault_t *old;
    const llmlab__vault_t *new;
    llmlab__store_t *store;
    llmlab__reader_t *changer;
    llmlab_status_t status;
    unsigned count;
} rekey_t;

static bool
reseal(void *payload, const llmlab__provider_t *provider)
{
    rekey_t *rekey = payload;
    llmlab__buf_t opened;
    llmlab__buf_t sealed;

    llmlab__buf_init(&opened);
    llmlab__buf_init(&sealed);
    if (llmlab__vault_unseal(rekey->old, provider->secret,
                             provider->secret_size, &opened)) {
        llmlab__vault_seal(rekey->new, opened.data, opened.size, &sealed);
        rekey->status = rekey->store->ops->admin->provider_reseal(
            rekey->changer, provider->id, sealed.data, sealed.size);
        rekey->count++;
    } else {
        rekey->status = llmlab__fail(LLMLAB_EINVAL,
                                     "the secret of provider account %lld "
                                     "cannot be opened",
                                     (long long)provider->id);
    }
    if (opened.data != NULL) {
        sodium_memzero(opened.data, opened.capacity);
    }
    llmlab__buf_cleanup(&opened);
    llmlab__buf_cleanup(&sealed);
    return rekey->status == LLMLAB_OK;
}

llmlab_status_t
llmlab__vault_rekey(llmlab__store_t *store, const char *path,
                    unsigned *out_count)
{
    const llmlab__admin_ops_t *ops = store->ops->admin;
    llmlab__vault_t old;
    llmlab__vault_t new;
    rekey_t rekey = {.old = &old, .new = &new, .store = store};
    const llmlab__audit_t entry = {.at_ns = llmlab__clock_real_ns(),
                                   .actor = "command",
                                   .actor_name = "llmlab-server secrets",
                                   .address = "",
                                   .action = "secrets.rekey",
                                   .target = "",
                                   .detail = "{}"};
    unsigned char id[16];
    char next[PATH_SIZE];
    llmlab_status_t status = llmlab__vault_open(&old, store, path);
    llmlab_status_t ended;

    if (status != LLMLAB_OK) {
        return status;
    }
    (void)snprintf(next, sizeof(next), "%s.new", path);
    randombytes_buf(new.key, KEY_SIZE);
    key_id(new.key, id);
    /* One that is left over belongs to a rekey that did not come to its
     * change. */
    (void)unlink(next);
    status = file_write(next, new.key);
    if (status == LLMLAB_OK) {
        status = store->ops->change_begin(store, &rekey.changer);
    }
    if (status == LLMLAB_OK) {
        status = ops->provider_secrets(rekey.changer, reseal, &rekey);
        status = status == LLMLAB_OK ? rekey.status : status;
        if (status == LLMLAB_OK) {
            status = ops->setting_put(rekey.changer, KEY_ID, id, sizeof(id));
        }
        if (status == LLMLAB_OK) {
            status = store->ops->audit_add(rekey.changer, &entry);
        }
        ended =
            store->ops->change_end(store, rekey.changer, status == LLMLAB_OK);
        status = status == LLMLAB_OK ? ended : status;
    }
    if (status == LLMLAB_OK && rename(next, path) != 0) {
        status = llmlab__fail(LLMLAB_EIO, "cannot rename %s: %s", next,
                              strerror(errno));
    }
    *out_count = rekey.count;
    llmlab__vault_close(&old);
    llmlab__vault_close(&new);
    return status;
}
