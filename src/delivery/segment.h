/* Records on their way out: numbered, in order, in segments of the form in
 * which they also go to disk: a header, then frames, each a record with its
 * number and checksum. Times are Unix times here, because monotonic ones mean
 * nothing to a later process. Native byte order, as the records. */
#ifndef LLMLAB_DELIVERY_SEGMENT_H
#define LLMLAB_DELIVERY_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/record.h"

#define LLMLAB__SEGMENT_MAGIC   "LLMLABSG"
#define LLMLAB__SEGMENT_VERSION 1

/* Whose records a segment holds: a process sends only what is its own. */
typedef struct llmlab__segment_owner_s {
    char instance[40];
    unsigned char tenant[32]; /* BLAKE2b of URL, project and key */
} llmlab__segment_owner_t;

typedef struct llmlab__segment_header_s {
    char magic[8];
    uint32_t version;
    uint32_t record_version;
    uint32_t byte_order; /* 0x01020304 as written */
    uint32_t check;      /* CRC-32C of the header with check = 0 */
    llmlab__segment_owner_t owner;
} llmlab__segment_header_t;

typedef enum llmlab__frame_type_e {
    LLMLAB__FRAME_RECORD = 1,
    LLMLAB__FRAME_CONSUMED = 2 /* a ring's position when this was written:
                                  what lies before it is in the segments */
} llmlab__frame_type_t;

typedef struct llmlab__frame_s {
    uint32_t size;   /* of what follows; multiple of 8 */
    uint32_t check;  /* CRC-32C of the rest of the frame */
    uint32_t type;   /* llmlab__frame_type_t */
    uint32_t ring;   /* CONSUMED: which */
    uint64_t number; /* RECORD: its number, 0 for a chunk; CONSUMED: where */
} llmlab__frame_t;

typedef struct llmlab__segment_s llmlab__segment_t;

/* A place in the run of frames. */
typedef struct llmlab__segment_cursor_s {
    llmlab__segment_t *segment;
    size_t offset;
} llmlab__segment_cursor_t;

/* All segments of one instance, oldest first. One thread. */
typedef struct llmlab__segments_s {
    llmlab__segment_t *head;
    llmlab__segment_t *tail;
    llmlab__segment_t *spare; /* an empty one, so that steady work neither
                                 allocates nor frees */
    llmlab__segment_owner_t owner;
    size_t segment_bytes;
    size_t memory; /* of all segments, the spare included */
} llmlab__segments_t;

/* The tenant's hash: a keyed one, so that a file tells nobody the key. */
void llmlab__segment_tenant(unsigned char out[32], const char *url,
                            const char *project, const char *api_key);

/* segment_bytes must hold the largest record. */
void llmlab__segments_init(llmlab__segments_t *segments,
                           const llmlab__segment_owner_t *owner,
                           size_t segment_bytes);
void llmlab__segments_cleanup(llmlab__segments_t *segments);

/* May a record of this size be appended without memory above limit? */
bool llmlab__segments_have_room(const llmlab__segments_t *segments,
                                uint32_t size, size_t limit);

/* Append a checked record, its times made Unix times by offset_ns. It went
 * from *start to *end. False when out of memory. */
bool llmlab__segments_append(llmlab__segments_t *segments,
                             const llmlab__record_t *record, uint64_t number,
                             int64_t offset_ns, llmlab__segment_cursor_t *start,
                             llmlab__segment_cursor_t *end);

/* The record at the cursor and its number; the cursor moves on. False at the
 * end. *sound tells whether it still is what was appended; if not, the record
 * must not be read. */
bool llmlab__segments_read(llmlab__segment_cursor_t *cursor,
                           const llmlab__record_t **out, uint64_t *number,
                           bool *sound);

/* Free what lies before the cursor. */
void llmlab__segments_release(llmlab__segments_t *segments,
                              const llmlab__segment_cursor_t *before);

#endif
