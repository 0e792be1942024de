#include "api/list.h"

#include <string.h>

#include "http/page.h"

bool
llmlab__list_read(llmlab__request_t *request, int list,
                  llmlab__list_page_t *out)
{
    const char *cursor = llmlab__request_param(request, "cursor");
    int64_t limit;

    memset(out, 0, sizeof(*out));
    out->list = list;
    if (!llmlab__request_int_param(request, "limit", 1, LLMLAB__PAGE_MAX,
                                   LLMLAB__PAGE_DEFAULT, &limit)) {
        return false;
    }
    out->limit = (size_t)limit;
    out->has_cursor = cursor != NULL;
    return cursor == NULL ||
           llmlab__cursor_read(request->server->secret, request->project.id,
                               list, cursor, &out->cursor) ||
           llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", "cursor",
                                "cursor: it is not from this list's page "
                                "before");
}

void
llmlab__list_begin(llmlab__request_t *request, llmlab__list_page_t *page)
{
    llmlab__reply_json(request, &page->out);
    llmlab__json_begin_object(&page->out);
    llmlab__json_key(&page->out, "data");
    llmlab__json_begin_array(&page->out);
}

void
llmlab__list_end(llmlab__request_t *request, llmlab__list_page_t *page,
                 const llmlab__page_end_t *end)
{
    char cursor[LLMLAB__CURSOR_TEXT];

    llmlab__json_end_array(&page->out);
    llmlab__json_key(&page->out, "next_cursor");
    if (end->more) {
        llmlab__cursor_write(request->server->secret, request->project.id,
                             page->list, &end->last, cursor);
        llmlab__json_put_text(&page->out, cursor);
    } else {
        llmlab__json_put_null(&page->out);
    }
    llmlab__json_end_object(&page->out);
}
