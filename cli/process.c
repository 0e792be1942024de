#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static void
run_child(const char *const *argv, int output, const char *error_path,
          pid_t parent)
{
    /* execv takes what it does not change as char *, for old times' sake. */
    union {
        const char *const *given;
        char *const *wanted;
    } words = {argv};

    /* A server must not outlive the command that started it. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(127);
    }
    if (error_path != NULL) {
        int file =
            open(error_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        if (file >= 0) {
            dup2(file, STDERR_FILENO);
        }
    }
    dup2(output, STDOUT_FILENO);
    execv(argv[0], words.wanted);
    fprintf(stderr, "llmlab: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

bool
cli_process_start(cli_process_t *process, const char *const *argv,
                  const char *error_path)
{
    pid_t parent = getpid();
    int ends[2];

    memset(process, 0, sizeof(*process));
    process->output = -1;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fprintf(stderr, "llmlab: pipe: %s\n", strerror(errno));
        return false;
    }
    fflush(NULL);
    process->pid = fork();
    if (process->pid == 0) {
        run_child(argv, ends[1], error_path, parent);
    }
    close(ends[1]);
    if (process->pid < 0) {
        fprintf(stderr, "llmlab: fork: %s\n", strerror(errno));
        close(ends[0]);
        process->pid = 0;
        return false;
    }
    process->output = ends[0];
    return true;
}

/* Moves the first line out of what was read; false when none is whole. */
static bool
take_line(cli_process_t *process, char *line, size_t capacity)
{
    char *end = memchr(process->pending, '\n', process->pending_size);
    size_t size;
    size_t kept;

    if (end == NULL && process->pending_size < sizeof(process->pending)) {
        return false;
    }
    size =
        end != NULL ? (size_t)(end - process->pending) : process->pending_size;
    kept = size < capacity ? size : capacity - 1;
    memcpy(line, process->pending, kept);
    line[kept] = '\0';
    if (end != NULL) {
        size++;
    }
    process->pending_size -= size;
    memmove(process->pending, process->pending + size, process->pending_size);
    return true;
}

bool
cli_process_line(cli_process_t *process, char *line, size_t capacity,
                 int64_t timeout_ms)
{
    int64_t deadline = llmlab__clock_mono_ns() + timeout_ms * 1000000;

    while (!take_line(process, line, capacity)) {
        struct pollfd poll_fd = {.fd = process->output, .events = POLLIN};
        int64_t left = (deadline - llmlab__clock_mono_ns()) / 1000000;
        ssize_t got;

        if (left < 0 || poll(&poll_fd, 1, (int)left) <= 0) {
            return false;
        }
        got = read(process->output, process->pending + process->pending_size,
                   sizeof(process->pending) - process->pending_size);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        process->pending_size += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static int
reap(cli_process_t *process, int options)
{
    int status = 0;
    pid_t pid;

    do {
        pid = waitpid(process->pid, &status, options);
    } while (pid < 0 && errno == EINTR);
    if (pid == 0) {
        return -2; /* not yet */
    }
    process->pid = 0;
    close(process->output);
    process->output = -1;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool
cli_process_running(cli_process_t *process)
{
    return process->pid > 0 && reap(process, WNOHANG) == -2;
}

int
cli_process_wait(cli_process_t *process)
{
    return process->pid > 0 ? reap(process, 0) : -1;
}

void
cli_process_stop(cli_process_t *process)
{
    const struct timespec tick = {.tv_nsec = 20000000};

    if (process->pid <= 0) {
        return;
    }
    kill(process->pid, SIGTERM);
    for (int i = 0; i < 250; i++) {
        if (reap(process, WNOHANG) != -2) {
            return;
        }
        nanosleep(&tick, NULL);
    }
    kill(process->pid, SIGKILL);
    reap(process, 0);
}
