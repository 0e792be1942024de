#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/os.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

bool
llmlab__os_wait(const _Atomic uint32_t *word, uint32_t expected,
                int64_t timeout_ns)
{
    struct timespec timeout = {timeout_ns / 1000000000,
                               timeout_ns % 1000000000};

    return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
                   timeout_ns < 0 ? NULL : &timeout, NULL, 0) == 0 ||
           errno != ETIMEDOUT;
}

void
llmlab__os_wake(const _Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* A process must register first, a forked child anew. */
bool
llmlab__os_process_barrier(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0) {
        return true;
    }
    return errno == EPERM &&
           syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
                   0) == 0 &&
           syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0;
}

uint32_t
llmlab__os_thread_id(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

bool
llmlab__os_thread_alive(uint32_t thread_id)
{
    return syscall(SYS_tgkill, getpid(), thread_id, 0) == 0 || errno != ESRCH;
}

static void *
map_private(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void *
llmlab__os_wiped_page(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = map_private(size);

    if (page != NULL && madvise(page, size, MADV_WIPEONFORK) != 0) {
        munmap(page, size);
        return NULL;
    }
    return page;
}

void *
llmlab__os_map_anonymous(size_t size)
{
    void *memory = map_private(size);

    if (memory != NULL) {
        /* Without it (before Linux 4.14) a child sees stale bytes, which the
         * fork generation keeps it from using. */
        madvise(memory, size, MADV_WIPEONFORK);
    }
    return memory;
}

void
llmlab__os_populate(void *memory, size_t size)
{
    madvise(memory, size, MADV_POPULATE_WRITE);
}

bool
llmlab__os_is_tmpfs(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static bool
is_private_tmpfs(const char *path, bool make)
{
    int fd = llmlab__os_open_private(path, make);
    bool is_tmpfs;

    if (fd < 0) {
        return false;
    }
    is_tmpfs = llmlab__os_is_tmpfs(fd);
    close(fd);
    return is_tmpfs;
}

bool
llmlab__os_ring_directory(const char *asked, bool make, char *out,
                          size_t capacity)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    int size;

    if (asked[0] != '\0') {
        size = snprintf(out, capacity, "%s", asked);
        return (size_t)size < capacity && is_private_tmpfs(out, make);
    }
    if (runtime != NULL && runtime[0] == '/') {
        size = snprintf(out, capacity, "%s/llmlab", runtime);
        if (size > 0 && (size_t)size < capacity &&
            is_private_tmpfs(out, make)) {
            return true;
        }
    }
    size = snprintf(out, capacity, "/dev/shm/llmlab-%u", (unsigned)geteuid());
    return size > 0 && (size_t)size < capacity && is_private_tmpfs(out, make);
}

/* The lock tells other processes that the owner lives. Children do not inherit
 * it, and closing any descriptor of the file would drop it: the file is opened
 * once. */
static bool
lock_whole(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &lock) == 0;
}

/* Beyond the limit on file sizes the system would send the host a signal. */
static bool
may_be_as_large(size_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= size;
}

void *
llmlab__os_map_ring_file(const char *directory, size_t size, int *out_fd,
                         char *path, size_t path_capacity)
{
    uint64_t name;
    void *memory;
    int length;
    int fd;

    llmlab__os_random(&name, sizeof(name));
    length = snprintf(path, path_capacity, "%s/.%016llx", directory,
                      (unsigned long long)name);
    if (length < 0 || (size_t)length >= path_capacity ||
        !may_be_as_large(size)) {
        return NULL;
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return NULL;
    }
    if (!llmlab__os_is_tmpfs(fd) || !lock_whole(fd) ||
        ftruncate(fd, (off_t)size) != 0) {
        goto fail;
    }
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        goto fail;
    }
    if (madvise(memory, size, MADV_DONTFORK) != 0) {
        munmap(memory, size);
        goto fail;
    }
    *out_fd = fd;
    return memory;

fail:
    unlink(path);
    close(fd);
    return NULL;
}

bool
llmlab__os_reserve(int fd, size_t offset, size_t size)
{
    struct statvfs fs;
    int error;

    if (fstatvfs(fd, &fs) != 0) {
        return false;
    }
    if (fs.f_blocks > 0 && (uint64_t)fs.f_bavail * fs.f_frsize <
                               (uint64_t)fs.f_blocks * fs.f_frsize / 2 + size) {
        return false;
    }
    do {
        error = posix_fallocate(fd, (off_t)offset, (off_t)size);
    } while (error == EINTR);
    return error == 0;
}

bool
llmlab__os_map_over(void *memory, size_t size)
{
    return mmap(memory, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED &&
           madvise(memory, size, MADV_DONTFORK) == 0;
}

void
llmlab__os_thread_name(const char *name)
{
    char cut[16]; /* what the kernel keeps */

    snprintf(cut, sizeof(cut), "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

void
llmlab__os_random(void *out, size_t size)
{
    unsigned char *at = out;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);

        if (got > 0) {
            at += got;
            size -= (size_t)got;
        } else if (errno != EINTR) {
            abort(); /* ids that repeat are worse than no process */
        }
    }
}

/* The boot's own id: memory files of an earlier boot are not ours to read. */
bool
llmlab__os_boot_id(char out[37])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0) {
        return false;
    }
    got = read(fd, out, 36);
    close(fd);
    if (got != 36) {
        return false;
    }
    out[36] = '\0';
    return true;
}
