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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/id.h"
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

static bool
is_tmpfs(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* Ours alone: a directory, not a link, that nobody else can write into. */
static bool
make_private_directory(const char *path)
{
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return false;
    }
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

bool
llmlab__os_ring_directory(char *out, size_t capacity)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    int size;

    if (runtime != NULL && runtime[0] == '/' && is_tmpfs(runtime)) {
        size = snprintf(out, capacity, "%s/llmlab", runtime);
        if (size > 0 && (size_t)size < capacity &&
            make_private_directory(out)) {
            return true;
        }
    }
    if (!is_tmpfs("/dev/shm")) {
        return false;
    }
    size = snprintf(out, capacity, "/dev/shm/llmlab-%u", (unsigned)geteuid());
    return size > 0 && (size_t)size < capacity && make_private_directory(out);
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

void *
llmlab__os_map_ring_file(const char *directory, size_t size, int *out_fd,
                         char *path, size_t path_capacity)
{
    uint64_t name;
    void *memory;
    int length;
    int fd;

    if (!is_tmpfs(directory)) {
        return NULL;
    }
    llmlab__os_random(&name, sizeof(name));
    length = snprintf(path, path_capacity, "%s/%ld-%08x.ring", directory,
                      (long)getpid(), (unsigned)name);
    if (length < 0 || (size_t)length >= path_capacity) {
        return NULL;
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return NULL;
    }
    if (!lock_whole(fd) || posix_fallocate(fd, 0, (off_t)size) != 0) {
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
