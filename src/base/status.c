#include "base/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static __thread char detail[256];

static const struct {
    llmlab_status_t status;
    const char *name;
    const char *text;
} statuses[] = {
#define ROW(name, value, text) {LLMLAB_##name, "LLMLAB_" #name, text},
    LLMLAB_STATUS_MAP(ROW)
#undef ROW
};

#define STATUSES ((int)(sizeof(statuses) / sizeof(statuses[0])))

/* The map lists the codes 0, -1, -2, ... in order. */
static int
index_of(llmlab_status_t status)
{
    int i = -(int)status;

    return i >= 0 && i < STATUSES ? i : -1;
}

const char *
llmlab_status_name(llmlab_status_t status)
{
    int i = index_of(status);

    return i < 0 ? "LLMLAB_UNKNOWN" : statuses[i].name;
}

const char *
llmlab_status_text(llmlab_status_t status)
{
    int i = index_of(status);

    return i < 0 ? "unknown status" : statuses[i].text;
}

const char *
llmlab_status_detail(void)
{
    return detail;
}

int
llmlab_status_list(int i, llmlab_status_t *out)
{
    if (i < 0 || i >= STATUSES || out == NULL) {
        return 0;
    }
    *out = statuses[i].status;
    return 1;
}

llmlab_status_t
llmlab__fail(llmlab_status_t status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    return status;
}
