/* Workloads as CSV: TIMESTAMP,ContextTokens,GeneratedTokens. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/jsonl.h"
#include "cli/replay.h"
#include "cli/times.h"

/* A whole number that ends at `end`. */
static bool
parse_count(const char *text, char end, uint64_t *out)
{
    char *stop;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *out = strtoull(text, &stop, 10);
    return errno == 0 && (*stop == end || (end == '\0' && *stop == '\r'));
}

static const char *
parse_row(const char *line, int64_t *time_ns, cli_workload_call_t *call)
{
    const char *input = strchr(line, ',');
    const char *output = input != NULL ? strchr(input + 1, ',') : NULL;

    if (output == NULL) {
        return "not three fields";
    }
    if (!cli_time_parse(line, (size_t)(input - line), time_ns)) {
        return "TIMESTAMP is no time";
    }
    if (!parse_count(input + 1, ',', &call->input)) {
        return "ContextTokens is no count";
    }
    if (!parse_count(output + 1, '\0', &call->output)) {
        return "GeneratedTokens is no count";
    }
    return NULL;
}

bool
cli_workload_load_csv(cli_workload_t *workload, const char *path)
{
    cli_jsonl_t lines;
    char *line;
    size_t size;
    int64_t time_ns;
    bool good = false;

    if (!cli_jsonl_open(&lines, path)) {
        return false;
    }
    if (!cli_jsonl_next(&lines, &line, &size) ||
        strncmp(line, "TIMESTAMP,ContextTokens,GeneratedTokens", 39) != 0) {
        cli_jsonl_bad(&lines, "the header must be "
                              "TIMESTAMP,ContextTokens,GeneratedTokens");
        goto out;
    }
    while (cli_jsonl_next(&lines, &line, &size)) {
        cli_workload_call_t call = {0};
        const char *fault = parse_row(line, &time_ns, &call);

        if (fault != NULL) {
            cli_jsonl_bad(&lines, "%s", fault);
            continue;
        }
        if (workload->count == 0) {
            workload->first_ns = time_ns;
        }
        call.offset_ns = time_ns - workload->first_ns;
        if (!cli_workload_add(workload, &call)) {
            goto out;
        }
    }
    good = lines.bad == 0;
out:
    cli_jsonl_close(&lines);
    return good;
}
