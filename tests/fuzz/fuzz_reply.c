/* Any bytes as the server's reply: what it says stays within the batch. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "delivery/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    llmlab__reply_t reply;

    llmlab__reply_read(&reply, (const char *)data, size, "abc", 1601, 100);
    if (reply.rejected > 100 || reply.duplicates > 100 ||
        memchr(reply.field, '\0', sizeof(reply.field)) == NULL ||
        memchr(reply.type, '\0', sizeof(reply.type)) == NULL) {
        abort();
    }
    return 0;
}
