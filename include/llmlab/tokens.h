/* An estimate of how many tokens a text is, for where no usage arrives: a
 * stream that was cut, a model of one's own. It is no tokenizer: docs/USAGE.md
 * tells how far it is off. What it gives is marked as estimated wherever it
 * goes. The readers of replies (llmlab/usage.h) use it by themselves where a
 * reply states no usage, and never beside a provider's own counts. */
#ifndef LLMLAB_TOKENS_H
#define LLMLAB_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/export.h>

/** A count in the making. A fixed value type: zero is an empty text. */
typedef struct llmlab_tokens_s {
    uint64_t twentieths; /* of a token */
    uint64_t run;        /* length of the run of one class that is open */
    uint32_t run_class;
    uint32_t reserved;
} llmlab_tokens_t;

LLMLAB_BEGIN_DECLS

/** Take the next bytes of a UTF-8 text, cut anywhere: a stream's deltas as they
 * come. NULL: no-op. Does not block, allocates nothing. */
LLMLAB_API void llmlab_tokens_add(llmlab_tokens_t *tokens, const char *text,
                                  size_t size);

/** The estimate so far, for the tokenizer of a provider ("openai",
 * "anthropic", ...); NULL or another name: a mean of all. 0 for NULL. */
LLMLAB_API uint64_t llmlab_tokens_count(const llmlab_tokens_t *tokens,
                                        const char *provider);

/** As above, of one whole text. */
LLMLAB_API uint64_t llmlab_tokens_estimate(const char *provider,
                                           const char *text, size_t size);

LLMLAB_END_DECLS

#endif
