/* What differs between systems: one file each (os_*.c), with a POSIX
 * fallback chosen by the build. */
#ifndef LLMLAB_BASE_OS_H
#define LLMLAB_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Wait until *word != expected, a wake, or the timeout (< 0: for ever; false
 * then). Spurious wake-ups are legal. */
bool llmlab__os_wait(const _Atomic uint32_t *word, uint32_t expected,
                     int64_t timeout_ns);
void llmlab__os_wake(const _Atomic uint32_t *word);

/* A full memory barrier in every running thread of this process at once, so
 * that the frequent side of a protocol needs none (membarrier). May take
 * milliseconds the first time. False: the system has none. */
bool llmlab__os_process_barrier(void);

/* The calling thread's id, and whether a thread of this process still is. A
 * reused id counts as alive. */
uint32_t llmlab__os_thread_id(void);
bool llmlab__os_thread_alive(uint32_t thread_id);

/* A page that reads as zeroes in a forked child (MADV_WIPEONFORK), or NULL
 * when the system has none: then only pthread_atfork notices a fork. */
void *llmlab__os_wiped_page(void);

/* A directory that is ours alone: not a link, owned by us, mode 0700. make:
 * make its last part if it is not there. A descriptor of it, or -1. */
int llmlab__os_open_private(const char *path, bool make);

/* The directory on tmpfs for this user's memory files, mode 0700, made if make
 * says so: the one asked for, else below XDG_RUNTIME_DIR, else in /dev/shm.
 * False: there is none that is ours alone. asked may be empty. */
bool llmlab__os_ring_directory(const char *asked, bool make, char *out,
                               size_t capacity);
/* Is the file or directory of this descriptor on tmpfs? */
bool llmlab__os_is_tmpfs(int fd);

/* A memory file of the given size on tmpfs, mapped shared and not inherited by
 * children; NULL when there is no tmpfs. It has no blocks yet: a part must be
 * reserved before it is touched. *out_fd stays open and holds a write lock
 * (fcntl) that tells others the owner lives; path gets the file's name, which
 * begins with a dot: rename it when its contents are whole. */
void *llmlab__os_map_ring_file(const char *directory, size_t size, int *out_fd,
                               char *path, size_t path_capacity);
/* Have the blocks of a part of such a file exist, so that touching it raises no
 * SIGBUS. False: no room, or less than half of the tmpfs left to others. */
bool llmlab__os_reserve(int fd, size_t offset, size_t size);
/* Lay anonymous memory over a part of a mapping. */
bool llmlab__os_map_over(void *memory, size_t size);
/* Anonymous zeroed memory that a child sees as zeroes where possible. */
void *llmlab__os_map_anonymous(size_t size);
void llmlab__os_unmap(void *memory, size_t size);
/* Have the pages in place before they are written to, where the system can do
 * it without changing them; else nothing. */
void llmlab__os_populate(void *memory, size_t size);

/* Name the calling thread; block the asynchronous signals in it (SEGV, BUS,
 * FPE, ILL, ABRT, TRAP, SYS, PROF stay open). */
void llmlab__os_thread_setup(const char *name);
void llmlab__os_thread_name(const char *name);

/* Cryptographic random bytes. */
void llmlab__os_random(void *out, size_t size);

/* The running boot's id as text; false where the system has none. */
bool llmlab__os_boot_id(char out[37]);

#endif
