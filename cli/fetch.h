/* A document from a file or an https address. */
#ifndef LLMLAB_CLI_FETCH_H
#define LLMLAB_CLI_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Replaces what buf holds. http is taken from this machine only. False after a
 * line on stderr. */
bool cli_fetch(llmlab__buf_t *buf, const char *place, size_t max_bytes);

#endif
