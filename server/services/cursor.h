/* Where a page of a list ended, as a text that only this server can make. */
#ifndef LLMLAB_SERVICES_CURSOR_H
#define LLMLAB_SERVICES_CURSOR_H

#include "store/store.h"

#define LLMLAB__CURSOR_TEXT 129

void llmlab__cursor_write(const unsigned char secret[32], int64_t project,
                          llmlab__trace_order_t order,
                          const llmlab__trace_cursor_t *cursor,
                          char out[LLMLAB__CURSOR_TEXT]);
/* False when it was not made by this server for this project and order. */
bool llmlab__cursor_read(const unsigned char secret[32], int64_t project,
                         llmlab__trace_order_t order, const char *text,
                         llmlab__trace_cursor_t *out);

#endif
