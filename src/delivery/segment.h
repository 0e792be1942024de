/* Records on their way out: numbered, in order, in segments of the form in
 * which they also go to disk: a header, then frames, each a record with its
 * number and checksum. Times are Unix times here, because monotonic ones mean
 * nothing to a later process. Native byte order, as the records. */
#ifndef LLMLAB_DELIVERY_SEGMENT_H
#define LLMLAB_DELIVERY_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "delivery/options.h"
#include "delivery/spool.h"
#include "queue/ring_set.h"
#include "trace/record.h"

#define LLMLAB__SEGMENT_MAGIC   "LLMLABSG"
#define LLMLAB__SEGMENT_VERSION 1

/* Whose records a segment holds: a process sends only what is its own. */
typedef struct llmlab__segment_owner_s {
    char instance[40];
    unsigned char tenant[32]; /* BLAKE2b of URL, project and key */
    unsigned char key[16];    /* BLAKE2b of the key alone: which one it is */
    char project[72];
    char url[256]; /* from here on for people, cut if need be */
    char language[16];
    char service[128];
    char environment[64];
    char release[64];
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
    LLMLAB__FRAME_CONSUMED = 2, /* how far the rings were read when this was
                                   written (llmlab__ring_position_t each): what
                                   lies before is in the segments. One frame
                                   ends all records of one drain */
    LLMLAB__FRAME_SEALED = 3,   /* a batch ends before the number, and may have
                                  been sent: who sends it again must cut it at
                                  the same place */
    LLMLAB__FRAME_GONE = 4 /* records below the number have left: delivered,
                              refused, or dropped and counted */
} llmlab__frame_type_t;

typedef struct llmlab__frame_s {
    uint32_t size;   /* of what follows; multiple of 8 */
    uint32_t check;  /* CRC-32C of the rest of the frame */
    uint32_t type;   /* llmlab__frame_type_t */
    uint32_t unused; /* 0 */
    uint64_t number; /* RECORD: its number, 0 for a chunk; SEALED: see there */
} llmlab__frame_t;

/* Place for frames that are no records is kept free in each segment. */
#define LLMLAB__SEGMENT_NOTES      \
    (4 * sizeof(llmlab__frame_t) + \
     LLMLAB__RINGS_AT_ONCE * sizeof(llmlab__ring_position_t))

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

    /* Their files; spool == NULL: they have none. */
    llmlab__spool_t *spool;
    char base[LLMLAB__SPOOL_BASE];
    llmlab__segment_t *unwritten; /* the first that is not wholly in its file */
    llmlab__segment_t *keep_first; /* these stay in memory */
    llmlab__segment_t *keep_last;
    llmlab__segment_t *open; /* whose file the descriptor is of */
    int fd;
    uint32_t next_file;
} llmlab__segments_t;

/* Fill in whose the records are. The hashes are keyed ones, so that a file
 * tells nobody the key. */
void llmlab__segment_owner(llmlab__segment_owner_t *out, const char *instance,
                           const llmlab__delivery_options_t *options);

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

/* Append a frame that is no record; size is a multiple of 8. False when out of
 * memory, or when there is no segment yet and nothing to say of it. */
bool llmlab__segments_note(llmlab__segments_t *segments,
                           llmlab__frame_type_t type, uint64_t number,
                           const void *payload, uint32_t size);

/* The record at the cursor and its number; the cursor moves on. False at the
 * end. *sound tells whether it still is what was appended; if not, the record
 * must not be read. */
bool llmlab__segments_read(llmlab__segment_cursor_t *cursor,
                           const llmlab__record_t **out, uint64_t *number,
                           bool *sound);

/* segment_file.c: */

/* Write to the files what is not in them yet. False when not all of it could
 * be; errno tells why. @thread worker */
bool llmlab__segments_write(llmlab__segments_t *segments);
/* Free the memory of segments that are in their files, the newest first, until
 * no more than limit is used or only the last one and those that are kept hold
 * any. */
void llmlab__segments_shed(llmlab__segments_t *segments, size_t limit);
/* Have in memory what lies between the cursors, and keep it there until the
 * next call. What a file no longer holds reads as nothing. False when out of
 * memory. */
bool llmlab__segments_fetch(llmlab__segments_t *segments,
                            const llmlab__segment_cursor_t *start,
                            const llmlab__segment_cursor_t *end);
void llmlab__segments_keep_none(llmlab__segments_t *segments);

/* segment_load.c: */

/* What the files of an instance that is gone hold beside its records. */
typedef struct llmlab__segment_load_s {
    uint64_t last_number;
    uint64_t gone_until;    /* records below it have left */
    uint64_t torn;          /* frames, or ends of files, that were unsound */
    llmlab__buf_t sealed;   /* of uint64_t: where batches end, ascending */
    llmlab__buf_t consumed; /* of llmlab__ring_position_t, oldest first */
} llmlab__segment_load_t;

/* Take up the files of segments->base, none of them into memory. has_rings: the
 * rings' file is here too, so that records after the last CONSUMED are in it:
 * they are cut off. False: they are another version's or another tenant's, or
 * out of memory; nothing was changed. @thread worker */
bool llmlab__segments_load(llmlab__segments_t *segments, bool has_rings,
                           llmlab__segment_load_t *out);

/* As if they had not been loaded; the files stay. */
void llmlab__segments_forget(llmlab__segments_t *segments);

/* Free what lies before the cursor. */
void llmlab__segments_release(llmlab__segments_t *segments,
                              const llmlab__segment_cursor_t *before);

#endif
