/* For systems without futex and tmpfs: everything here is slower or smaller
 * than on Linux, and correct. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

/* Waiters meet at one of a few condition variables, found by the word's
 * address. */
#define MEETINGS 16

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} meetings[MEETINGS];
static pthread_once_t meetings_once = PTHREAD_ONCE_INIT;

static void
init_meetings(void)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    for (int i = 0; i < MEETINGS; i++) {
        pthread_mutex_init(&meetings[i].mutex, NULL);
        pthread_cond_init(&meetings[i].changed, &attributes);
    }
    pthread_condattr_destroy(&attributes);
}

static size_t
meeting_of(const _Atomic uint32_t *word)
{
    pthread_once(&meetings_once, init_meetings);
    return ((uintptr_t)word >> 6) % MEETINGS;
}

bool
llmlab__os_wait(const _Atomic uint32_t *word, uint32_t expected,
                int64_t timeout_ns)
{
    size_t i = meeting_of(word);
    struct timespec until;
    bool in_time = true;

    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_ns > 0) {
        int64_t ns = until.tv_nsec + timeout_ns % 1000000000;

        until.tv_sec += timeout_ns / 1000000000 + ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
    }
    pthread_mutex_lock(&meetings[i].mutex);
    if (atomic_load(word) == expected) {
        if (timeout_ns < 0) {
            pthread_cond_wait(&meetings[i].changed, &meetings[i].mutex);
        } else {
            in_time =
                pthread_cond_timedwait(&meetings[i].changed, &meetings[i].mutex,
                                       &until) != ETIMEDOUT;
        }
    }
    pthread_mutex_unlock(&meetings[i].mutex);
    return in_time;
}

void
llmlab__os_wake(const _Atomic uint32_t *word)
{
    size_t i = meeting_of(word);

    pthread_mutex_lock(&meetings[i].mutex);
    pthread_cond_broadcast(&meetings[i].changed);
    pthread_mutex_unlock(&meetings[i].mutex);
}

bool
llmlab__os_process_barrier(void)
{
    return false;
}

/* POSIX has no numbers for threads: ours are never used twice. */
uint32_t
llmlab__os_thread_id(void)
{
    static _Atomic uint32_t last;
    static __thread uint32_t id;

    if (id == 0) {
        id = atomic_fetch_add(&last, 1) + 1;
    }
    return id;
}

/* There is no way to ask, so the rings of ended threads are not reused. */
bool
llmlab__os_thread_alive(uint32_t thread_id)
{
    (void)thread_id;
    return true;
}

void *
llmlab__os_wiped_page(void)
{
    return NULL;
}

void *
llmlab__os_map_anonymous(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void
llmlab__os_populate(void *memory, size_t size)
{
    (void)memory;
    (void)size;
}

bool
llmlab__os_is_tmpfs(int fd)
{
    (void)fd;
    return false;
}

bool
llmlab__os_ring_directory(const char *asked, bool make, char *out,
                          size_t capacity)
{
    (void)asked;
    (void)make;
    (void)out;
    (void)capacity;
    return false;
}

void *
llmlab__os_map_ring_file(const char *directory, size_t size, int *out_fd,
                         char *path, size_t path_capacity)
{
    (void)directory;
    (void)size;
    (void)out_fd;
    (void)path;
    (void)path_capacity;
    return NULL;
}

bool
llmlab__os_reserve(int fd, size_t offset, size_t size)
{
    (void)fd;
    (void)offset;
    (void)size;
    return false;
}

bool
llmlab__os_map_over(void *memory, size_t size)
{
    (void)memory;
    (void)size;
    return false;
}

void
llmlab__os_thread_name(const char *name)
{
    (void)name;
}

void
llmlab__os_random(void *out, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    unsigned char *at = out;

    while (fd >= 0 && size > 0) {
        ssize_t got = read(fd, at, size);

        if (got > 0) {
            at += got;
            size -= (size_t)got;
        } else if (errno != EINTR) {
            break;
        }
    }
    if (size > 0) {
        abort(); /* ids that repeat are worse than no process */
    }
    close(fd);
}

bool
llmlab__os_boot_id(char out[37])
{
    (void)out;
    return false;
}
