/* What is kept of a span that has ended, for the spans that still begin below
 * it: its place in the trace, and who it was for. */
#ifndef LLMLAB_BIND_KEPT_H
#define LLMLAB_BIND_KEPT_H

#include <llmlab/span.h>

#include "trace/items.h"

typedef struct llmlab__kept_s {
    char traceparent[LLMLAB_TRACEPARENT_TEXT];
    uint32_t identity_size;
    unsigned char identity[];
} llmlab__kept_t;

/* Of an open span; NULL: no memory. llmlab__free() frees it. */
llmlab__kept_t *llmlab__kept_new(const llmlab_span_t *span);

/* Agent, user, session and tags go to a span that has just begun below it,
 * unless that has its own. */
void llmlab__kept_inherit(const llmlab__kept_t *kept, llmlab_span_t *span);

#endif
