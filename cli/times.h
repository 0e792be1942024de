/* Times as options and rows state them. */
#ifndef LLMLAB_CLI_TIMES_H
#define LLMLAB_CLI_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/args.h"

/* RFC 3339 ("2026-08-21T07:09:40Z", a date for its midnight), the same
 * without an offset (taken as UTC) or with a blank for the T, or an HTTP date
 * ("Tue, 12 Aug 2025 15:11:10 GMT"), to Unix nanoseconds. */
bool cli_time_parse(const char *text, size_t size, int64_t *out);

/* An option's value as a time; fallback when it is not given. False after a
 * line on stderr. */
bool cli_args_time(const cli_args_t *args, const char *name, int64_t fallback,
                   int64_t *out);

#endif
