#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "services/ingest.h"

bool
llmlab__problem(llmlab__problem_t *out, unsigned status, const char *type,
                const char *title, const char *format, ...)
{
    va_list arguments;

    memset(out, 0, sizeof(*out));
    out->status = status;
    out->type = type;
    out->title = title;
    va_start(arguments, format);
    (void)vsnprintf(out->detail, sizeof(out->detail), format, arguments);
    va_end(arguments);
    return false;
}
