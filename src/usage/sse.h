/* Server-sent events, split into their data as the bytes arrive. */
#ifndef LLMLAB_USAGE_SSE_H
#define LLMLAB_USAGE_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct llmlab__sse_s {
    uint8_t state;
    uint8_t name_size;
    char name[8];      /* the field's name, as far as it matters */
    bool in_event;     /* data lines have come since the last blank line */
    bool after_cr;     /* a line feed that comes next belongs to the CR */
    uint8_t held_size; /* of "[DONE]", while the data may still be it */
    bool held_open;
} llmlab__sse_t;

struct llmlab__reader_s;

void llmlab__sse_init(llmlab__sse_t *sse);
void llmlab__sse_feed(struct llmlab__reader_s *reader, const char *bytes,
                      size_t size);
/* Does the data gathered so far say [DONE]? */
bool llmlab__sse_is_done(const llmlab__sse_t *sse);

#endif
