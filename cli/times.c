#include "cli/times.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static bool
parse_http_date(const char *text, int64_t *out)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    if (end == NULL || *end != '\0') {
        return false;
    }
    *out = (int64_t)timegm(&tm) * 1000000000;
    return true;
}

bool
cli_time_parse(const char *text, size_t size, int64_t *out)
{
    char copy[64];

    if (size + 2 > sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (parse_http_date(copy, out)) {
        return true;
    }
    if (size > 10 && copy[10] == ' ') {
        copy[10] = 'T';
    }
    if (llmlab__time_parse(copy, size, out) == 0) {
        return true;
    }
    copy[size] = 'Z';
    return llmlab__time_parse(copy, size + 1, out) == 0;
}

bool
cli_args_time(const cli_args_t *args, const char *name, int64_t fallback,
              int64_t *out)
{
    const char *text = cli_args_get(args, name);

    if (text == NULL) {
        *out = fallback;
        return true;
    }
    if (!cli_time_parse(text, strlen(text), out)) {
        fprintf(stderr,
                "llmlab: --%s: \"%s\" is no time: 2026-08-21 or "
                "2026-08-21T07:09:40Z is one\n",
                name, text);
        return false;
    }
    return true;
}
