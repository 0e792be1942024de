/* What lists with cursors of several parts share: limit=, cursor=,
 * {"data":[...],"next_cursor":...}. */
#ifndef LLMLAB_API_LIST_H
#define LLMLAB_API_LIST_H

#include "http/request.h"
#include "services/cursor.h"

typedef struct llmlab__list_page_s {
    int list; /* llmlab__list_t */
    size_t limit;
    bool has_cursor;
    llmlab__cursor_t cursor;
    llmlab__json_out_t out;
} llmlab__list_page_t;

/* Read limit and cursor. False when the reply is set. */
bool llmlab__list_read(llmlab__request_t *request, int list,
                       llmlab__list_page_t *out);
void llmlab__list_begin(llmlab__request_t *request, llmlab__list_page_t *page);
void llmlab__list_end(llmlab__request_t *request, llmlab__list_page_t *page,
                      const llmlab__page_end_t *end);

#endif
