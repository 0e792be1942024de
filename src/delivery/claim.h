/* Who holds a file of the spool: an fcntl lock on one descriptor. Children do
 * not inherit it, the system takes it back when the process is gone, and it
 * reaches across pid namespaces. But within one process it excludes nobody, and
 * closing any other descriptor of the file drops it: so a list of the files
 * that this process holds is asked before one is opened. */
#ifndef LLMLAB_DELIVERY_CLAIM_H
#define LLMLAB_DELIVERY_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct llmlab__claim_s {
    struct llmlab__claim_s *next;
    struct llmlab__claim_s **link; /* NULL: not held */
    uint64_t device;
    uint64_t inode;
    int fd;
} llmlab__claim_t;

/* A claim that holds nothing. */
void llmlab__claim_init(llmlab__claim_t *claim);

/* Make the file, and hold it before others see it. False: it exists, or it
 * cannot be made. */
bool llmlab__claim_create(llmlab__claim_t *claim, int directory,
                          const char *name);
/* Hold a file whose holder is gone. False: somebody holds it (this process
 * included), or it is not there any more. */
bool llmlab__claim_take(llmlab__claim_t *claim, int directory,
                        const char *name);
/* Hold a file that this process has open and locked. The descriptor is the
 * claim's from then on. */
void llmlab__claim_add(llmlab__claim_t *claim, int fd);
/* Let go; the file stays. */
void llmlab__claim_release(llmlab__claim_t *claim);

/* Look at a file that this process does not hold, and whether another one does.
 * No lock is taken; but while the claim is not released, no thread of this
 * process takes the file, because closing it would let it go. */
bool llmlab__claim_look(llmlab__claim_t *claim, int directory, const char *name,
                        bool *is_held);
/* Does nobody hold the file? */
bool llmlab__claim_is_free(int directory, const char *name);

static inline bool
llmlab__claim_holds(const llmlab__claim_t *claim)
{
    return claim->link != NULL;
}

#endif
