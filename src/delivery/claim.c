#include "delivery/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/sabotage.h"
#include "delivery/fork_lock.h"

static llmlab__fork_lock_t list_lock;
static llmlab__claim_t *list;
static uint64_t list_generation; /* in which the list was begun */

/* In a child the list is the parent's, and so are the locks: forgotten. */
static void
enter_list(void)
{
    uint64_t generation = llmlab__fork_generation();

    llmlab__fork_lock(&list_lock);
    if (list_generation != generation) {
        list = NULL;
        list_generation = generation;
    }
}

static void
leave_list(void)
{
    llmlab__fork_unlock(&list_lock);
}

static bool
is_in_list(const struct stat *st)
{
    for (const llmlab__claim_t *claim = list; claim != NULL;
         claim = claim->next) {
        if (claim->device == (uint64_t)st->st_dev &&
            claim->inode == (uint64_t)st->st_ino) {
            return true;
        }
    }
    return false;
}

static void
put_in_list(llmlab__claim_t *claim, int fd, const struct stat *st)
{
    claim->device = (uint64_t)st->st_dev;
    claim->inode = (uint64_t)st->st_ino;
    claim->fd = fd;
    claim->next = list;
    claim->link = &list;
    if (list != NULL) {
        list->link = &claim->next;
    }
    list = claim;
}

void
llmlab__claim_init(llmlab__claim_t *claim)
{
    memset(claim, 0, sizeof(*claim));
    claim->fd = -1;
}

static bool
lock_whole(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return llmlab__sabotaged("locks_ignored") || fcntl(fd, F_SETLK, &lock) == 0;
}

/* Give the file its name unless there is one of that name. Where the file
 * system has no hard links, two could think so in one moment; instances do not
 * share a name, so that only two heirs of one process can meet. */
static bool
name_file(int directory, const char *hidden, const char *name)
{
    if (linkat(directory, hidden, directory, name, 0) == 0) {
        unlinkat(directory, hidden, 0);
        return true;
    }
    if (errno != EEXIST && faccessat(directory, name, F_OK, 0) != 0 &&
        renameat(directory, hidden, directory, name) == 0) {
        return true;
    }
    unlinkat(directory, hidden, 0);
    return false;
}

bool
llmlab__claim_create(llmlab__claim_t *claim, int directory, const char *name)
{
    char hidden[32];
    struct stat st;
    uint64_t number;
    bool is_held;
    int fd;

    llmlab__os_random(&number, sizeof(number));
    snprintf(hidden, sizeof(hidden), ".%016llx", (unsigned long long)number);
    fd = openat(directory, hidden,
                O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    enter_list();
    is_held = lock_whole(fd) && fstat(fd, &st) == 0;
    if (is_held) {
        put_in_list(claim, fd, &st);
    }
    leave_list();
    if (!is_held) {
        unlinkat(directory, hidden, 0);
        close(fd);
        return false;
    }
    if (!name_file(directory, hidden, name)) {
        llmlab__claim_release(claim);
        return false;
    }
    return true;
}

/* Between the look at the name and the lock the file may have been deleted by
 * who held it. */
static bool
is_still_there(int directory, const char *name, int fd)
{
    struct stat now;
    struct stat st;

    return fstat(fd, &st) == 0 &&
           fstatat(directory, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_dev == now.st_dev && st.st_ino == now.st_ino;
}

/* A plain file of the name that this process does not hold; the list is ours.
 */
static int
open_foreign(int directory, const char *name, struct stat *st)
{
    if (fstatat(directory, name, st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st->st_mode) || st->st_uid != geteuid() || is_in_list(st)) {
        return -1;
    }
    return openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

bool
llmlab__claim_take(llmlab__claim_t *claim, int directory, const char *name)
{
    struct stat st;
    bool is_held = false;
    int fd;

    enter_list();
    fd = open_foreign(directory, name, &st);
    if (fd >= 0) {
        is_held = lock_whole(fd) && is_still_there(directory, name, fd);
        if (is_held) {
            put_in_list(claim, fd, &st);
        } else {
            close(fd);
        }
    }
    leave_list();
    return is_held;
}

void
llmlab__claim_add(llmlab__claim_t *claim, int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0) {
        enter_list();
        put_in_list(claim, fd, &st);
        leave_list();
    }
}

/* Both under the list's lock: else another thread could open the file in
 * between, and lose its lock by our close. */
void
llmlab__claim_release(llmlab__claim_t *claim)
{
    if (!llmlab__claim_holds(claim)) {
        return;
    }
    enter_list();
    *claim->link = claim->next;
    if (claim->next != NULL) {
        claim->next->link = claim->link;
    }
    close(claim->fd);
    leave_list();
    llmlab__claim_init(claim);
}

bool
llmlab__claim_look(llmlab__claim_t *claim, int directory, const char *name,
                   bool *is_held)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat st;
    int fd;

    llmlab__claim_init(claim);
    enter_list();
    fd = open_foreign(directory, name, &st);
    if (fd >= 0) {
        *is_held = !llmlab__sabotaged("locks_ignored") &&
                   (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK);
        put_in_list(claim, fd, &st);
    }
    leave_list();
    return fd >= 0;
}

bool
llmlab__claim_is_free(int directory, const char *name)
{
    llmlab__claim_t claim;
    bool is_held = true;

    if (!llmlab__claim_look(&claim, directory, name, &is_held)) {
        return false;
    }
    llmlab__claim_release(&claim);
    return !is_held;
}
