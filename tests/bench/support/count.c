/* Counting what a hot path must not do: allocate, and enter the kernel. */
#include "bench/support/bench.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static _Thread_local uint64_t mallocs;

/* The C library's own, under the names that glibc keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

/* A program's own functions win over the C library's, also for the calls of
 * shared libraries. */
void *
malloc(size_t size)
{
    mallocs++;
    return __libc_malloc(size);
}

void *
calloc(size_t nmemb, size_t size)
{
    mallocs++;
    return __libc_calloc(nmemb, size);
}

void *
realloc(void *ptr, size_t size)
{
    mallocs++;
    return __libc_realloc(ptr, size);
}

uint64_t
bench_mallocs(void)
{
    return mallocs;
}

typedef struct counted_s {
    void (*prepare)(void *);
    void (*work)(void *);
    void *payload;
    int64_t result;
} counted_t;

static volatile sig_atomic_t syscalls;
static volatile sig_atomic_t last_syscall;

static void
on_syscall(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    syscalls = syscalls + 1;
    last_syscall = info->si_syscall;
}

/* From here on this thread's system calls raise SIGSYS and fail; those with
 * which it ends itself go through. */
static int
forbid_syscalls(void)
{
    static struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#define ALLOW(number)                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
        ALLOW(SYS_rt_sigreturn),
        ALLOW(SYS_exit),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_munmap),
        ALLOW(SYS_madvise),
        ALLOW(SYS_rt_sigprocmask),
#undef ALLOW
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    static const struct sock_fprog program = {sizeof filter / sizeof *filter,
                                              filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void *
counted(void *payload)
{
    counted_t *run = payload;
    int64_t before;

    run->prepare(run->payload);
    if (forbid_syscalls() != 0) {
        run->result = -1;
        return NULL;
    }
    before = syscalls;
    run->work(run->payload);
    run->result = syscalls - before;
    return NULL;
}

int64_t
bench_syscalls(void (*prepare)(void *), void (*work)(void *), void *payload)
{
    counted_t run = {prepare, work, payload, -1};
    struct sigaction action;
    pthread_t thread;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_syscall;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, NULL);
    if (pthread_create(&thread, NULL, counted, &run) != 0) {
        return -1;
    }
    pthread_join(thread, NULL);
    if (run.result > 0) {
        fprintf(stderr, "the last system call was number %d\n",
                (int)last_syscall);
    }
    return run.result;
}
