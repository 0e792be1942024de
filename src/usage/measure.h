/* The text of a prompt or an answer, measured as it comes and never kept: for
 * the estimate of its tokens where nobody counts them. */
#ifndef LLMLAB_USAGE_MEASURE_H
#define LLMLAB_USAGE_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/tokens.h>

typedef struct llmlab__measure_s {
    llmlab_tokens_t tokens;
    uint16_t unit;  /* of a \u escape that is open */
    uint8_t escape; /* characters that it lacks; 5: its first one too */
} llmlab__measure_t;

/* Take the next raw bytes of a JSON string, cut anywhere. */
void llmlab__measure_add(llmlab__measure_t *text, const char *raw, size_t size);

#endif
