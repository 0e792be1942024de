/* The records of one instance on their way out: rings, segments, batches. A
 * worker has one of its own, and one for each process that is gone and whose
 * records it sends. One thread. */
#ifndef LLMLAB_DELIVERY_OUTBOX_H
#define LLMLAB_DELIVERY_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "delivery/batch.h"
#include "delivery/claim.h"
#include "delivery/ledger.h"
#include "delivery/segment.h"
#include "queue/ring_set.h"

/* What a ring's file says of its owner. */
typedef struct llmlab__ring_label_s {
    llmlab__segment_owner_t owner;
    /* The directory of the segments that belong to the rings; 0: there were
     * none yet. Who does not see them must not take the rings. */
    uint64_t spool_device;
    uint64_t spool_inode;
} llmlab__ring_label_t;

typedef struct llmlab__outbox_s {
    struct llmlab__outbox_s *next;
    const char *instance; /* in segments.owner */
    llmlab__ring_set_t *rings;
    llmlab__claim_t ring_claim;
    llmlab__claim_t claim; /* of the lock file */
    llmlab__segments_t segments;
    llmlab__batches_t batches;
    llmlab__ledger_t *ledger;
    int64_t offset_ns; /* Unix time minus its monotonic time */
    uint64_t next_number;
    uint64_t in_flight_until; /* records below it are in flight, or gone */
    uint64_t written_until;   /* records below it are on disk, or gone, and */
    uint64_t spooled_until;   /* the ledger knows */
    uint64_t sealed_until;    /* of batches that the segments tell */
    uint64_t gone_until;      /* likewise, of records that have left */
    bool was_split;           /* a batch was: its end is below that */
    uint64_t taken;           /* by the drain under way: records, and */
    uint64_t corrupt;         /* such as failed their check */
    bool is_full;             /* the last drain found no room */
    unsigned tries;           /* of the oldest batch */
} llmlab__outbox_t;

void llmlab__outbox_init(llmlab__outbox_t *outbox,
                         const llmlab__segment_owner_t *owner,
                         size_t segment_bytes,
                         const llmlab__batch_limits_t *limits,
                         llmlab__ledger_t *ledger);
/* Free its memory, rings included, and let its files go. */
void llmlab__outbox_cleanup(llmlab__outbox_t *outbox);

/* Write to disk what is not there yet. False: it could not be; errno tells why.
 */
bool llmlab__outbox_write(llmlab__outbox_t *outbox);
/* Tell the ledger what was written: when it was told that it is queued. */
void llmlab__outbox_count_written(llmlab__outbox_t *outbox);
/* What is not on disk is lost: count it. */
void llmlab__outbox_count_lost(llmlab__outbox_t *outbox,
                               _Atomic uint64_t *sink);
/* Is all that it holds on disk? */
bool llmlab__outbox_is_safe(const llmlab__outbox_t *outbox);
/* So many records of a batch are on disk. */
uint32_t llmlab__outbox_on_disk(const llmlab__outbox_t *outbox,
                                const llmlab__batch_t *batch);
/* Does it hold no record? Its rings are not asked. */
bool llmlab__outbox_is_empty(const llmlab__outbox_t *outbox);
/* Delete its segments and the lock's file. */
void llmlab__outbox_delete(llmlab__outbox_t *outbox);
/* Have the segments tell where this batch ends: it may now be sent. */
void llmlab__outbox_note_seal(llmlab__outbox_t *outbox,
                              const llmlab__batch_t *batch);

/* Have them tell, with the next write, which records have left, lest they are
 * sent again. */
void llmlab__outbox_note_gone(llmlab__outbox_t *outbox);

/* outbox_load.c: take up what a process left in its segments; its rings, where
 * they are here, are in outbox->rings. False: as llmlab__segments_load().
 * *torn: unsound parts that were left out. */
bool llmlab__outbox_load(llmlab__outbox_t *outbox, uint64_t *torn);

#endif
