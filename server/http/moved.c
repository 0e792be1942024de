/* Where a renamed project is now. */
#include <stdio.h>
#include <string.h>

#include <microhttpd.h>

#include "http/router.h"

#define QUERY_MAX 900

static void
append_escaped(llmlab__buf_t *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
            (*text >= '0' && *text <= '9') || strchr("-_.~", *text) != NULL) {
            llmlab__buf_append(out, text, 1);
        } else {
            llmlab__buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
        }
    }
}

static enum MHD_Result
on_argument(void *payload, enum MHD_ValueKind kind, const char *key,
            const char *value)
{
    llmlab__buf_t *out = payload;

    (void)kind;
    llmlab__buf_text(out,
                     memchr(out->data, '?', out->size) == NULL ? "?" : "&");
    append_escaped(out, key);
    if (value != NULL) {
        llmlab__buf_text(out, "=");
        append_escaped(out, value);
    }
    return MHD_YES;
}

bool
llmlab__reply_moved(llmlab__request_t *request, const char *slug)
{
    const char *pattern = request->route->pattern;
    llmlab__buf_t location;
    int part = 0;

    llmlab__buf_init(&location);
    while (*pattern != '\0') {
        size_t size = strcspn(pattern, "{");

        llmlab__buf_append(&location, pattern, size);
        pattern += size;
        if (*pattern == '{') {
            append_escaped(&location, part == 0 ? slug : request->parts[part]);
            part++;
            pattern += strcspn(pattern, "}") + 1;
        }
    }
    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND,
                                    on_argument, &location);
    llmlab__buf_append(&location, "", 1);
    if (location.failed || location.size > QUERY_MAX) {
        llmlab__buf_cleanup(&location);
        return llmlab__reply_refuse(request, 404, "no-such-project",
                                    "No such project", NULL,
                                    "it has another name now: %s", slug);
    }
    llmlab__reply_refuse(request, 308, "renamed", "The project was renamed",
                         NULL, "it has another name now: %s", slug);
    llmlab__reply_header(request, "Location", "%s", (char *)location.data);
    llmlab__buf_cleanup(&location);
    return false;
}
