/* A call as a line of JSON describes it, to be priced. */
#ifndef LLMLAB_CLI_VECTOR_H
#define LLMLAB_CLI_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include <llmlab/pricing.h>

#include "base/json_dom.h"

/* {"input_tokens": 12, "audio_seconds": 1.5, "guardrail_units": {...}} into
 * counts. Fields that are no usage are passed over; null is absent. False with
 * *out_field the one that is no count. */
bool cli_usage_read(llmlab_usage_t *out, const cJSON *object,
                    const char **out_field);

/* A line of `llmlab cost --jsonl`. Texts are borrowed from root. */
typedef struct cli_vector_s {
    cJSON *root;
    llmlab_usage_t usage;
    llmlab_call_facts_t facts;
    llmlab_price_book_t *inline_book; /* of "pricing"; NULL: none */
    const char *fault;                /* what is wrong; NULL: nothing */
    char fault_text[160];
} cli_vector_t;

/* False when the line is no JSON object: the detail tells why. A member that
 * cannot be used is told by out->fault. Clean up in either case. */
bool cli_vector_read(cli_vector_t *out, const char *line, size_t size);
void cli_vector_cleanup(cli_vector_t *vector);

#endif
