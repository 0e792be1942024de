#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "support/emulation.h"
#include "support/threads.h"

#define MS INT64_C(1000000)

static _Atomic uint32_t word;

static void *
wake_soon(void *payload)
{
    (void)payload;
    usleep(20000);
    atomic_store(&word, 1);
    llmlab__os_wake(&word);
    return NULL;
}

static void
test_wait_ends_by_wake_or_time(void **state)
{
    pthread_t thread;
    int64_t start = llmlab__clock_mono_ns();

    (void)state;
    atomic_store(&word, 0);
    assert_true(llmlab__os_wait(&word, 1, 10000 * MS)); /* differs already */
    assert_false(llmlab__os_wait(&word, 0, 5 * MS));
    assert_false(llmlab__os_wait(&word, 0, 0));
    assert_true(llmlab__clock_mono_ns() - start < 5000 * MS);
    pthread_create(&thread, NULL, wake_soon, NULL);
    while (atomic_load(&word) == 0) {
        llmlab__os_wait(&word, 0, -1);
    }
    pthread_join(thread, NULL);
}

static void
test_process_barrier(void **state)
{
    int status;
    pid_t child;

    (void)state;
    if (!llmlab__os_process_barrier()) {
        print_message("SKIP barrier: the system has none\n");
        skip();
    }
    assert_true(llmlab__os_process_barrier());
    /* It is the system's that was made: this process has registered. */
    assert_int_equal(
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0), 0);
    child = fork();
    if (child == 0) {
        _exit(llmlab__os_process_barrier() ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void *
tell_id(void *payload)
{
    *(uint32_t *)payload = llmlab__os_thread_id();
    return NULL;
}

static void
test_ended_threads_are_noticed(void **state)
{
    pthread_t thread;
    uint32_t id = 0;

    (void)state;
    pthread_create(&thread, NULL, tell_id, &id);
    pthread_join(thread, NULL);
    assert_int_not_equal(id, 0);
    assert_int_not_equal(id, llmlab__os_thread_id());
    assert_true(llmlab__os_thread_alive(llmlab__os_thread_id()));
    if (!threads_end_visibly("ended_threads_are_noticed")) {
        skip();
    }
}

static void
test_a_child_sees_zeroes(void **state)
{
    uint64_t *page = llmlab__os_wiped_page();
    uint64_t *memory = llmlab__os_map_anonymous(1 << 16);
    int status;
    pid_t child;

    (void)state;
    assert_non_null(memory);
    if (page == NULL) {
        print_message("SKIP wiped page: the system has none\n");
        llmlab__os_unmap(memory, 1 << 16);
        skip();
    }
    skip_under_emulation("wiped page: qemu does not pass madvise on");
    *page = 7;
    *memory = 7;
    child = fork();
    if (child == 0) {
        _exit(*page == 0 && *memory == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(*page, 7);
    llmlab__os_unmap(memory, 1 << 16);
    llmlab__os_unmap(page, (size_t)sysconf(_SC_PAGESIZE));
}

static void
test_ring_file_is_private_and_locked(void **state)
{
    char directory[200];
    char path[300];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat st;
    size_t size = 1 << 20;
    char *memory;
    int status;
    int fd = -1;
    pid_t child;

    (void)state;
    if (!llmlab__os_ring_directory("", true, directory, sizeof(directory))) {
        print_message("SKIP ring file: no tmpfs\n");
        skip();
    }
    skip_under_emulation("ring file: qemu does not pass madvise on");
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    memory = llmlab__os_map_ring_file(directory, size, &fd, path, sizeof(path));
    assert_non_null(memory);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, size);
    /* It takes no memory before it is told to. */
    assert_int_equal(st.st_blocks, 0);
    assert_true(llmlab__os_reserve(fd, size - 65536, 65536));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_blocks * 512, 65536);
    memory[size - 1] = 'x';
    assert_false(llmlab__os_reserve(fd, 0, (size_t)1 << 46));
    assert_true(llmlab__os_map_over(memory, 4096));
    memory[0] = 'x';
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_blocks * 512, 65536);
    child = fork();
    if (child == 0) {
        /* The lock is the parent's, and the mapping is not here. */
        int locked = fcntl(fd, F_SETLK, &lock) != 0;
        int gone = msync(memory, size, MS_ASYNC) != 0;

        _exit(locked && gone ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    unlink(path);
    close(fd);
    llmlab__os_unmap(memory, size);

    /* No tmpfs, a name that does not fit: no file is left. */
    assert_null(
        llmlab__os_map_ring_file("/proc", size, &fd, path, sizeof(path)));
    assert_null(llmlab__os_map_ring_file(directory, size, &fd, path, 8));
}

static void
test_directory_must_be_ours_alone(void **state)
{
    char shared[] = "/dev/shm/llmlab-test-XXXXXX";
    char directory[200];
    char below[60];

    (void)state;
    if (mkdtemp(shared) == NULL) {
        print_message("SKIP directory: no /dev/shm\n");
        skip();
    }
    snprintf(below, sizeof(below), "%s/llmlab", shared);
    setenv("XDG_RUNTIME_DIR", shared, 1);
    if (llmlab__os_ring_directory("", true, directory, sizeof(directory))) {
        assert_string_equal(directory, below);
        /* Open to others: refused, and the next place is taken. */
        assert_int_equal(chmod(below, 0755), 0);
        llmlab__os_ring_directory("", true, directory, sizeof(directory));
        assert_string_not_equal(directory, below);
        rmdir(below);
        assert_int_equal(symlink("/tmp", below), 0);
        llmlab__os_ring_directory("", true, directory, sizeof(directory));
        assert_string_not_equal(directory, below);
        unlink(below);
    }
    assert_false(llmlab__os_ring_directory("", true, directory, 4));
    unsetenv("XDG_RUNTIME_DIR");
    rmdir(below);
    rmdir(shared);
}

static void *
set_up_thread(void *payload)
{
    sigset_t *blocked = payload;

    llmlab__os_thread_setup("a-name-too-long-for-it");
    pthread_sigmask(SIG_BLOCK, NULL, blocked);
    return NULL;
}

static void
test_thread_takes_only_faults(void **state)
{
    pthread_t thread;
    sigset_t blocked;

    (void)state;
    pthread_create(&thread, NULL, set_up_thread, &blocked);
    pthread_join(thread, NULL);
    assert_true(sigismember(&blocked, SIGTERM));
    assert_true(sigismember(&blocked, SIGCHLD));
    assert_true(sigismember(&blocked, SIGPIPE));
    assert_false(sigismember(&blocked, SIGSEGV));
    assert_false(sigismember(&blocked, SIGPROF));
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
}

static void
test_random_and_boot_id(void **state)
{
    unsigned char a[40] = {0};
    unsigned char b[40] = {0};
    char boot[37];

    (void)state;
    llmlab__os_random(a, sizeof(a));
    llmlab__os_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    if (llmlab__os_boot_id(boot)) {
        assert_int_equal(strlen(boot), 36);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_ends_by_wake_or_time),
        cmocka_unit_test(test_process_barrier),
        cmocka_unit_test(test_ended_threads_are_noticed),
        cmocka_unit_test(test_a_child_sees_zeroes),
        cmocka_unit_test(test_ring_file_is_private_and_locked),
        cmocka_unit_test(test_directory_must_be_ours_alone),
        cmocka_unit_test(test_thread_takes_only_faults),
        cmocka_unit_test(test_random_and_boot_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
