/* What POSIX gives on every system. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
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
