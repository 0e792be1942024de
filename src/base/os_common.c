/* What POSIX gives on every system. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

void
llmlab__os_unmap(void *memory, size_t size)
{
    if (memory != NULL) {
        munmap(memory, size);
    }
}

/* A thread of ours must take no signal meant for the host's threads, but the
 * ones that a fault raises must reach the host's crash handler, and SIGPROF
 * its profiler. */
void
llmlab__os_thread_setup(const char *name)
{
    static const int open_signals[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                       SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t blocked;

    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(open_signals) / sizeof(open_signals[0]);
         i++) {
        sigdelset(&blocked, open_signals[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    llmlab__os_thread_name(name);
}

int
llmlab__os_open_private(const char *path, bool make)
{
    struct stat st;
    int fd;

    if (make) {
        mkdir(path, 0700); /* whether it is there now is seen below */
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
        (st.st_mode & 077) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}
