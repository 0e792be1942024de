/* Records made by hand, for tests of what reads them. */
#ifndef LLMLAB_TEST_MAKE_RECORD_H
#define LLMLAB_TEST_MAKE_RECORD_H

#include <stdint.h>

#include <llmlab/usage.h>

#include "trace/record.h"

enum { MADE_RECORD_CAPACITY = 65536 };

typedef struct made_record_s {
    _Alignas(8) unsigned char bytes[MADE_RECORD_CAPACITY];
} made_record_t;

static inline llmlab__record_t *
made_head(made_record_t *made)
{
    return (llmlab__record_t *)(void *)made->bytes;
}

/* A successful record of one millisecond with trace id {1, trace}. */
void make_record(made_record_t *made, llmlab__record_type_t type,
                 uint64_t trace, uint64_t span);
void make_item(made_record_t *made, llmlab__item_type_t type, const char *key,
               const void *value, size_t size);
void make_text(made_record_t *made, llmlab__item_type_t type, const char *text);
void make_usage(made_record_t *made, const llmlab_usage_t *usage);

/* A whole model call: about 560 bytes of JSON. */
void make_call(made_record_t *made, uint64_t trace, uint64_t span);

#endif
