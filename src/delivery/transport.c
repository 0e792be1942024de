#include "delivery/transport.h"

#include <string.h>

#include "base/alloc.h"

#define BODY_MAX ((size_t)1 << 20)

void
llmlab__response_init(llmlab_response_t *response)
{
    memset(response, 0, sizeof(*response));
    response->struct_size = sizeof(*response);
    response->retry_after_ms = -1;
}

void
llmlab__response_clear(llmlab_response_t *response)
{
    llmlab__free(response->body);
    llmlab__response_init(response);
}

int
llmlab_response_append(llmlab_response_t *response, const void *bytes,
                       size_t size)
{
    size_t room;
    char *body;

    if (response == NULL || (bytes == NULL && size != 0)) {
        return -1;
    }
    room = BODY_MAX - response->body_size;
    if (size > room) {
        size = room; /* a reply that long is not the server's */
    }
    if (size == 0) {
        return 0;
    }
    body = llmlab__realloc(response->body, response->body_size + size);
    if (body == NULL) {
        return -1;
    }
    memcpy(body + response->body_size, bytes, size);
    response->body = body;
    response->body_size += size;
    return 0;
}
