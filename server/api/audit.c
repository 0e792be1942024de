/* Who changed what. */
#include <string.h>

#include "api/api.h"
#include "api/write.h"
#include "http/page.h"

static bool
on_entry(void *payload, const llmlab__audit_t *entry)
{
    llmlab__page_t *page = payload;
    llmlab__json_out_t *out = &page->out;

    if (!llmlab__page_row(page, entry->id)) {
        return false;
    }
    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, entry->id);
    llmlab__json_key(out, "at");
    llmlab__write_time(out, entry->at_ns);
    llmlab__json_key(out, "actor");
    llmlab__json_put_text(out, entry->actor);
    llmlab__json_key(out, "actor_name");
    llmlab__json_put_text(out, entry->actor_name);
    llmlab__json_key(out, "address");
    llmlab__json_put_text(out, entry->address);
    llmlab__json_key(out, "action");
    llmlab__json_put_text(out, entry->action);
    llmlab__json_key(out, "target");
    llmlab__json_put_text(out, entry->target);
    llmlab__json_key(out, "detail");
    llmlab__json_put_raw(out, entry->detail, strlen(entry->detail));
    llmlab__json_end_object(out);
    return true;
}

/* Of the request's project, or of the server where the path names none. */
void
llmlab__api_audit_list(llmlab__request_t *request)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    llmlab__page_t page;

    if (!llmlab__page_read(request, "audit", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (ops->audit_list(request->reader, request->project.id,
                        page.has_after ? page.after : INT64_MAX, page.limit + 1,
                        on_entry, &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot read the audit log");
        return;
    }
    llmlab__page_end(request, &page);
}
