/* The spool's directory: where segments outlive the process. Files of one
 * instance share a name, which begins with its tenant:
 *
 *     TENANT-INSTANCE.lock          who holds them (claim.h)
 *     TENANT-INSTANCE-NUMBER.seg    segments, oldest first
 *     TENANT-INSTANCE.ring          its rings, in a directory on tmpfs
 *
 * Disk is touched by the worker's thread alone. */
#ifndef LLMLAB_DELIVERY_SPOOL_H
#define LLMLAB_DELIVERY_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for the name of a file, and for what all names of an instance begin
 * with. */
enum { LLMLAB__SPOOL_NAME = 96, LLMLAB__SPOOL_BASE = 64 };

/* What the settings say. */
typedef struct llmlab__spool_options_s {
    const char *mode;           /* "auto", "off" or a path */
    const char *ring_directory; /* "": by itself */
    size_t max_bytes;
} llmlab__spool_options_t;

typedef struct llmlab__spool_s {
    int fd; /* of the directory; -1: there is none */
    char path[256];
    uint64_t device;
    uint64_t inode;
    bool is_tmpfs;
    size_t max_bytes;
    size_t bytes; /* of the segments that this worker holds */
} llmlab__spool_t;

/* Open the directory. make: make it if it is not there. False: there is none
 * that could be written and is ours alone; spool->path then tells what was
 * tried last. */
bool llmlab__spool_open(llmlab__spool_t *spool,
                        const llmlab__spool_options_t *options, bool make);
void llmlab__spool_close(llmlab__spool_t *spool);

/* "TENANT-INSTANCE"; the instance's form is not checked. */
void llmlab__spool_base(char out[LLMLAB__SPOOL_BASE],
                        const unsigned char tenant[32], const char *instance);

typedef enum llmlab__spool_kind_e {
    LLMLAB__SPOOL_OTHER = 0,
    LLMLAB__SPOOL_LOCK = 1,
    LLMLAB__SPOOL_SEGMENT = 2,
    LLMLAB__SPOOL_RING = 3
} llmlab__spool_kind_t;

/* What a file is, by its name; base and number (of a segment) are parts of it.
 */
llmlab__spool_kind_t llmlab__spool_parse(const char *name,
                                         char base[LLMLAB__SPOOL_BASE],
                                         uint32_t *number);

/* Call visit with each name in a directory, "." and ".." left out, until it
 * answers false. */
typedef bool (*llmlab__spool_visit_fn)(void *payload, const char *name);
void llmlab__spool_each(int directory, llmlab__spool_visit_fn visit,
                        void *payload);

/* Delete what a process that was killed left half made. */
void llmlab__spool_sweep(int directory);

#endif
