/* A gzip body, inflated as it arrives and never beyond its limit. */
#ifndef LLMLAB_HTTP_INFLATE_H
#define LLMLAB_HTTP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include <zlib.h>

#include "base/buf.h"

typedef enum llmlab__inflate_status_e {
    LLMLAB__INFLATE_MORE,    /* the end was not seen yet */
    LLMLAB__INFLATE_DONE,    /* exactly one member, whole, checked */
    LLMLAB__INFLATE_BAD,     /* no gzip, damaged, or something follows it */
    LLMLAB__INFLATE_TOO_BIG, /* more than the limit comes out of it */
    LLMLAB__INFLATE_NO_MEMORY
} llmlab__inflate_status_t;

typedef struct llmlab__inflate_s {
    z_stream stream;
    bool ready;
    llmlab__inflate_status_t status;
    size_t limit;
} llmlab__inflate_t;

/* Ready for a body; the memory of the one before is used again. */
void llmlab__inflate_begin(llmlab__inflate_t *state, size_t limit);
/* Take the next bytes. A fault stays. */
llmlab__inflate_status_t llmlab__inflate_feed(llmlab__inflate_t *state,
                                              const void *bytes, size_t size,
                                              llmlab__buf_t *out);
void llmlab__inflate_cleanup(llmlab__inflate_t *state);

#endif
