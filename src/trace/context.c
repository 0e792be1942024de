/* The thread's current span, and the scopes of macros.h. */
#include <string.h>

#include <llmlab/macros.h>

#include "trace/span.h"

llmlab_span_t *
llmlab_span_current(void)
{
    return llmlab__thread.current;
}

llmlab_status_t
llmlab_context_attach(llmlab_span_t *span, llmlab_context_token_t *token)
{
    if (token == NULL) {
        return LLMLAB_EINVAL;
    }
    token->previous = llmlab__thread.current;
    token->attached = span;
    llmlab__thread.current = span;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_context_detach(const llmlab_context_token_t *token)
{
    bool nested;

    if (token == NULL) {
        return LLMLAB_EINVAL;
    }
    nested = llmlab__thread.current == token->attached;
    llmlab__thread.current = token->previous;
    return nested ? LLMLAB_OK : LLMLAB_ESTALE;
}

#if defined(__GNUC__)

/* A scope without a span attaches nothing: what is below it joins what is
 * around it. */
llmlab_scope_t
llmlab_scope_open(llmlab_client_t *client, llmlab_span_t *parent,
                  const char *name, llmlab_span_kind_t kind)
{
    llmlab_scope_t scope = {NULL, {NULL, NULL}};

    if (client == NULL) {
        client = llmlab_span_client(parent);
    }
    scope.span = llmlab_span_start(client, parent, name, kind);
    if (scope.span != NULL) {
        llmlab_context_attach(scope.span, &scope.token);
    }
    return scope;
}

void
llmlab_scope_close(llmlab_scope_t *scope)
{
    if (scope == NULL || scope->span == NULL) {
        return;
    }
    llmlab_context_detach(&scope->token);
    llmlab_span_end(scope->span);
    scope->span = NULL;
}

#endif
