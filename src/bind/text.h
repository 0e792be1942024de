/* Owned texts: what the flat layer answers with. */
#ifndef LLMLAB_BIND_TEXT_H
#define LLMLAB_BIND_TEXT_H

#include <stddef.h>

#include "base/buf.h"
#include "bind/llmlab_bind.h"

/* Make a text of the buffer's bytes; the buffer is empty afterwards, also
 * after a failure (LLMLAB_ENOMEM). */
llmlab_bind_text_t llmlab__text_of(llmlab__buf_t *buf);

/* A copy of some bytes as a text. */
llmlab_bind_text_t llmlab__text_copy(const char *data, size_t size);

#endif
