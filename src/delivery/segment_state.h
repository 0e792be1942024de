/* The segments' inside, shared by segment.c, segment_file.c and
 * segment_load.c. */
#ifndef LLMLAB_DELIVERY_SEGMENT_STATE_H
#define LLMLAB_DELIVERY_SEGMENT_STATE_H

#include "delivery/segment.h"

struct llmlab__segment_s {
    llmlab__segment_t *next;
    unsigned char *bytes; /* NULL: only in the file */
    size_t capacity;      /* of bytes */
    size_t size;
    size_t records_end; /* behind its last record */
    size_t written; /* so many of them are in the file; 0: there is no file */
    uint32_t file;  /* its number */
};

static inline bool
llmlab__segments_have_files(const llmlab__segments_t *segments)
{
    return segments->spool != NULL && segments->spool->fd >= 0;
}

/* A segment of that capacity, without bytes; NULL when out of memory. */
llmlab__segment_t *llmlab__segment_new(size_t capacity);
/* Put it behind the last. */
void llmlab__segments_add(llmlab__segments_t *segments,
                          llmlab__segment_t *segment);
/* Have memory for its bytes. */
bool llmlab__segment_hold(llmlab__segments_t *segments,
                          llmlab__segment_t *segment);
void llmlab__segment_let_go(llmlab__segments_t *segments,
                            llmlab__segment_t *segment);

uint32_t llmlab__frame_check(const llmlab__frame_t *frame,
                             const unsigned char *payload);
bool llmlab__segment_header_check(const llmlab__segment_header_t *header);

/* segment_file.c */
void llmlab__segment_name(const llmlab__segments_t *segments,
                          const llmlab__segment_t *segment,
                          char out[LLMLAB__SPOOL_NAME]);
/* Fill its bytes from its file; what the file lacks reads as zeroes. */
void llmlab__segment_read_file(const llmlab__segments_t *segments,
                               llmlab__segment_t *segment);
/* Delete its file, if there is one. */
void llmlab__segment_unlink(llmlab__segments_t *segments,
                            llmlab__segment_t *segment);

#endif
