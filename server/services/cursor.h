/* Where a page of a list ended, as a text that only this server can make. */
#ifndef LLMLAB_SERVICES_CURSOR_H
#define LLMLAB_SERVICES_CURSOR_H

#include "store/store.h"

#define LLMLAB__CURSOR_TEXT 129

/* A cursor is good for one list only. */
typedef enum llmlab__list_e {
    LLMLAB__LIST_TRACES_NEWEST,
    LLMLAB__LIST_TRACES_DEAREST,
    LLMLAB__LIST_CALLS,
    LLMLAB__LIST_SESSIONS,
    LLMLAB__LIST_USERS,
    LLMLAB__LIST_SCORES,
    LLMLAB__LIST_STEPS,
    LLMLAB__LIST_FACETS /* and the dimension */
} llmlab__list_t;

void llmlab__cursor_write(const unsigned char secret[32], int64_t project,
                          int list, const llmlab__cursor_t *cursor,
                          char out[LLMLAB__CURSOR_TEXT]);
/* False when it was not made by this server for this project and list. */
bool llmlab__cursor_read(const unsigned char secret[32], int64_t project,
                         int list, const char *text, llmlab__cursor_t *out);

#endif
