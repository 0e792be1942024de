#include "delivery/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "delivery/claim.h"

#define TENANT_DIGITS 16
#define INSTANCE_SIZE 36
#define BASE_SIZE     (TENANT_DIGITS + 1 + INSTANCE_SIZE)
#define HALF_MADE_S   60

static bool
try_directory(llmlab__spool_t *spool, bool make)
{
    struct stat st;

    spool->fd = llmlab__os_open_private(spool->path, make);
    if (spool->fd < 0) {
        return false;
    }
    if (fstat(spool->fd, &st) != 0 ||
        faccessat(spool->fd, ".", W_OK, AT_EACCESS) != 0) {
        llmlab__spool_close(spool);
        return false;
    }
    spool->device = (uint64_t)st.st_dev;
    spool->inode = (uint64_t)st.st_ino;
    spool->is_tmpfs = llmlab__os_is_tmpfs(spool->fd);
    return true;
}

static bool
set_path(llmlab__spool_t *spool, const char *directory, const char *below)
{
    int size =
        snprintf(spool->path, sizeof(spool->path), "%s%s", directory, below);

    return size > 0 && (size_t)size < sizeof(spool->path);
}

/* What is asked for, or a directory of ours in it where it is shared. */
static bool
open_asked(llmlab__spool_t *spool, const char *path, bool make)
{
    char below[32];

    if (set_path(spool, path, "") && try_directory(spool, make)) {
        return true;
    }
    snprintf(below, sizeof(below), "/llmlab-%u", (unsigned)geteuid());
    return set_path(spool, path, below) && try_directory(spool, make);
}

static bool
open_in_home(llmlab__spool_t *spool, bool make)
{
    static const char *const parts[] = {"/.local", "/.local/state"};
    const char *state = secure_getenv("XDG_STATE_HOME");
    const char *home = secure_getenv("HOME");

    if (state != NULL && state[0] == '/') {
        return set_path(spool, state, "/llmlab") && try_directory(spool, make);
    }
    if (home == NULL || home[0] != '/') {
        return false;
    }
    for (size_t i = 0; make && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (set_path(spool, home, parts[i])) {
            mkdir(spool->path, 0700);
        }
    }
    return set_path(spool, home, "/.local/state/llmlab") &&
           try_directory(spool, make);
}

/* A disk that lasts, else the tmpfs of the rings: that at least outlives the
 * process. */
static bool
open_by_itself(llmlab__spool_t *spool, const char *ring_directory, bool make)
{
    char below[32];

    if (open_in_home(spool, make)) {
        return true;
    }
    snprintf(below, sizeof(below), "/llmlab-%u", (unsigned)geteuid());
    if (set_path(spool, "/var/tmp", below) && try_directory(spool, make)) {
        return true;
    }
    return llmlab__os_ring_directory(ring_directory, make, spool->path,
                                     sizeof(spool->path)) &&
           try_directory(spool, make);
}

bool
llmlab__spool_open(llmlab__spool_t *spool,
                   const llmlab__spool_options_t *options, bool make)
{
    memset(spool, 0, sizeof(*spool));
    spool->fd = -1;
    spool->max_bytes = options->max_bytes;
    if (strcmp(options->mode, "off") == 0) {
        return false;
    }
    if (strcmp(options->mode, "auto") == 0) {
        return open_by_itself(spool, options->ring_directory, make);
    }
    return open_asked(spool, options->mode, make);
}

void
llmlab__spool_close(llmlab__spool_t *spool)
{
    if (spool->fd >= 0) {
        close(spool->fd);
        spool->fd = -1;
    }
}

void
llmlab__spool_base(char out[LLMLAB__SPOOL_BASE], const unsigned char tenant[32],
                   const char *instance)
{
    char digits[TENANT_DIGITS + 1];

    for (size_t i = 0; i < TENANT_DIGITS / 2; i++) {
        snprintf(digits + 2 * i, 3, "%02x", tenant[i]);
    }
    snprintf(out, LLMLAB__SPOOL_BASE, "%s-%.36s", digits, instance);
}

/* The base is hex digits and dashes: nothing that a path could be. */
static bool
read_base(const char *name, char base[LLMLAB__SPOOL_BASE])
{
    if (strnlen(name, BASE_SIZE + 1) <= BASE_SIZE ||
        strspn(name, "0123456789abcdef") != TENANT_DIGITS ||
        strspn(name, "0123456789abcdef-") < BASE_SIZE) {
        return false;
    }
    memcpy(base, name, BASE_SIZE);
    base[BASE_SIZE] = '\0';
    return true;
}

llmlab__spool_kind_t
llmlab__spool_parse(const char *name, char base[LLMLAB__SPOOL_BASE],
                    uint32_t *number)
{
    const char *rest = name + BASE_SIZE;

    *number = 0;
    if (!read_base(name, base)) {
        return LLMLAB__SPOOL_OTHER;
    }
    if (strcmp(rest, ".lock") == 0) {
        return LLMLAB__SPOOL_LOCK;
    }
    if (strcmp(rest, ".ring") == 0) {
        return LLMLAB__SPOOL_RING;
    }
    if (rest[0] == '-' && strspn(rest + 1, "0123456789abcdef") == 8 &&
        strcmp(rest + 9, ".seg") == 0) {
        *number = (uint32_t)strtoul(rest + 1, NULL, 16);
        return LLMLAB__SPOOL_SEGMENT;
    }
    return LLMLAB__SPOOL_OTHER;
}

void
llmlab__spool_each(int directory, llmlab__spool_visit_fn visit, void *payload)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;
    DIR *dir;

    if (fd < 0) {
        return;
    }
    dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 &&
            !visit(payload, entry->d_name)) {
            break;
        }
    }
    closedir(dir);
}

/* A file that its maker has not yet named. */
static bool
sweep_one(void *payload, const char *name)
{
    int directory = *(const int *)payload;
    struct stat st;

    if (name[0] == '.' && strspn(name + 1, "0123456789abcdef") == 16 &&
        name[17] == '\0' &&
        fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode) && st.st_mtime + HALF_MADE_S < time(NULL) &&
        llmlab__claim_is_free(directory, name)) {
        unlinkat(directory, name, 0);
    }
    return true;
}

void
llmlab__spool_sweep(int directory)
{
    llmlab__spool_each(directory, sweep_one, &directory);
}
