/* The facts that decide a call's price, out of a document. */
#ifndef LLMLAB_BIND_FACTS_H
#define LLMLAB_BIND_FACTS_H

#include <llmlab/pricing.h>

#include "bind/document.h"

typedef struct llmlab__facts_s {
    llmlab_call_facts_t call; /* its usage points to the next */
    llmlab_usage_t usage;
    const char *api;
    llmlab__string_t url;
} llmlab__facts_t;

void llmlab__facts_init(llmlab__facts_t *facts);

/* Consume the member's value. Members that say nothing of a price are
 * skipped. LLMLAB_EINVAL names one of the wrong type. */
llmlab_status_t llmlab__facts_take(llmlab__facts_t *facts,
                                   llmlab__document_t *document,
                                   const llmlab__string_t *key);

#endif
