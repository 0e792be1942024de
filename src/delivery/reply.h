/* What the server's reply says of a batch. */
#ifndef LLMLAB_DELIVERY_REPLY_H
#define LLMLAB_DELIVERY_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct llmlab__reply_s {
    bool echoed; /* it repeats instance, first and count */
    uint64_t duplicates;
    uint64_t rejected;
    char field[64]; /* of the first rejected record: what was wrong */
    char type[32];
} llmlab__reply_t;

/* Read a reply's body. Anything that is not the server's reply to this batch
 * leaves echoed false. */
void llmlab__reply_read(llmlab__reply_t *out, const char *body, size_t size,
                        const char *instance, uint64_t first, uint32_t count);

#endif
