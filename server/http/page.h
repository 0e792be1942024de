/* What lists share: limit=, cursor=, {"data":[...],"next_cursor":...}. */
#ifndef LLMLAB_HTTP_PAGE_H
#define LLMLAB_HTTP_PAGE_H

#include "http/request.h"

#define LLMLAB__PAGE_DEFAULT 50
#define LLMLAB__PAGE_MAX     1000

typedef struct llmlab__page_s {
    const char *list; /* its name: a cursor is good for one list only */
    size_t limit;
    bool has_after;
    int64_t after; /* the last id of the page before */

    llmlab__json_out_t out;
    size_t count;
    bool more;
    int64_t last;
} llmlab__page_t;

/* A parameter that is a whole number. False when the reply is set. */
bool llmlab__request_int_param(llmlab__request_t *request, const char *name,
                               int64_t low, int64_t high, int64_t fallback,
                               int64_t *out);
/* Read limit and cursor. False when the reply is set. */
bool llmlab__page_read(llmlab__request_t *request, const char *list,
                       llmlab__page_t *out);
/* Begin the answer. Ask the store for limit + 1 rows. */
void llmlab__page_begin(llmlab__request_t *request, llmlab__page_t *page);
/* A row more; its object is begun. False when the page is full: the walk
 * ends. */
bool llmlab__page_row(llmlab__page_t *page, int64_t id);
void llmlab__page_end(llmlab__request_t *request, llmlab__page_t *page);

#endif
