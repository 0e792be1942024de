/* gzip with one stream for all batches. */
#ifndef LLMLAB_DELIVERY_COMPRESS_H
#define LLMLAB_DELIVERY_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <zlib.h>

#include "base/buf.h"

typedef struct llmlab__compressor_s {
    z_stream stream;
    int level;
    bool ready;
} llmlab__compressor_t;

void llmlab__compressor_init(llmlab__compressor_t *compressor, int level);
void llmlab__compressor_cleanup(llmlab__compressor_t *compressor);

/* Replace out's content by the gzip of size bytes. False when out of memory.
 */
bool llmlab__compress(llmlab__compressor_t *compressor, const void *bytes,
                      size_t size, llmlab__buf_t *out);

#endif
