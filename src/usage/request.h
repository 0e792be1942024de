/* What a request tells where the reply is silent: the model it asks, and about
 * how many tokens its prompt is. */
#ifndef LLMLAB_USAGE_REQUEST_H
#define LLMLAB_USAGE_REQUEST_H

#include <stddef.h>

#include <llmlab/tokens.h>
#include <llmlab/usage.h>

typedef struct llmlab__request_facts_s {
    llmlab_tokens_t prompt;
    char model[160]; /* "model" of the body; empty: not there */
} llmlab__request_facts_t;

/* A body that is no JSON tells what stands before the fault. Allocates
 * nothing, any thread; docs/USAGE.md tells at what cost. */
void llmlab__request_facts_read(llmlab__request_facts_t *out, const char *body,
                                size_t size);

/* Estimate the input of a reply whose output is estimated. */
void llmlab__request_facts_complete(const llmlab_tokens_t *prompt,
                                    llmlab_reply_t *reply);

#endif
