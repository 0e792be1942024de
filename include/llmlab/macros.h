/* Trace macros for C (GCC and Clang). Each is a declaration: the span ends
 * when the enclosing block is left, by its end, break, continue, return or
 * goto. Other compilers use llmlab_span_start() and llmlab_span_end().
 *
 * Limits, all of the compiler's making:
 *   - switch or goto INTO the block, past the macro: the variable is not
 *     initialised, so do not do it (GCC warns: -Wjump-misses-init)
 *   - longjmp out of the block: the span stays open
 *   - pthread_exit or cancellation: the span ends only if the code was
 *     compiled with -fexceptions
 *   - not the sole statement of an if or else: a declaration is not a
 *     statement; use braces
 */
#ifndef LLMLAB_MACROS_H
#define LLMLAB_MACROS_H

#include <llmlab/span.h>

#if defined(__GNUC__)

/** A span that ends with its block. For the macros' use. */
typedef struct llmlab_scope_s {
    llmlab_span_t *span;
    llmlab_context_token_t token;
} llmlab_scope_t;

LLMLAB_BEGIN_DECLS

/** Start a span under parent (NULL with a client: a new trace) and make it
 * current. For the macros' use. */
LLMLAB_API llmlab_scope_t llmlab_scope_open(llmlab_client_t *client,
                                            llmlab_span_t *parent,
                                            const char *name,
                                            llmlab_span_kind_t kind);

/** End the scope's span and make current what was before. */
LLMLAB_API void llmlab_scope_close(llmlab_scope_t *scope);

LLMLAB_END_DECLS

#define LLMLAB_CONCAT2_(a, b) a##b
#define LLMLAB_CONCAT_(a, b)  LLMLAB_CONCAT2_(a, b)

#define LLMLAB_SCOPE_(client, parent, name, kind)              \
    llmlab_scope_t LLMLAB_CONCAT_(llmlab_scope_, __LINE__)     \
        __attribute__((cleanup(llmlab_scope_close), unused)) = \
            llmlab_scope_open((client), (parent), (name), (kind))

/** A run of an agent: a new trace, whatever is current. */
#define LLMLAB_TRACE(client, name) \
    LLMLAB_SCOPE_((client), NULL, (name), LLMLAB_SPAN_AGENT)

/** A step below the thread's current span; nothing where there is none. */
#define LLMLAB_SPAN(name, kind) \
    LLMLAB_SCOPE_(NULL, llmlab_span_current(), (name), (kind))

/** A step below a span of another thread, which must not end before. */
#define LLMLAB_SPAN_IN(parent, name, kind) \
    LLMLAB_SCOPE_(NULL, (parent), (name), (kind))

#endif

#endif
