#include "cli/put.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
cli_put_money(llmlab__json_out_t *out, bool present, llmlab_money_t money)
{
    char text[LLMLAB_MONEY_TEXT];

    if (!present) {
        llmlab__json_put_null(out);
        return;
    }
    llmlab__json_put_string(out, text, llmlab_money_format(money, text));
}

/* Microseconds as seconds without trailing zeros: "12.5". */
static void
put_seconds(llmlab__json_out_t *out, uint64_t microseconds)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64,
                        microseconds / 1000000, microseconds % 1000000);

    while (text[size - 1] == '0') {
        size--;
    }
    if (text[size - 1] == '.') {
        size--;
    }
    llmlab__json_put_raw(out, text, (size_t)size);
}

static bool
is_seconds(const char *name)
{
    const char suffix[] = "_seconds";
    size_t size = strlen(name);

    return size >= sizeof(suffix) &&
           strcmp(name + size - (sizeof(suffix) - 1), suffix) == 0;
}

void
cli_put_counts(llmlab__json_out_t *out, const llmlab_usage_t *usage)
{
    for (int i = 0; i < (int)LLMLAB_USAGE_FIELDS; i++) {
        llmlab_usage_field_t field = (llmlab_usage_field_t)i;
        const char *name = llmlab_usage_field_name(field);
        uint64_t count;

        if (!llmlab_usage_get(usage, field, &count)) {
            continue;
        }
        llmlab__json_key_n(out, name, strlen(name));
        if (is_seconds(name)) {
            put_seconds(out, count);
        } else {
            llmlab__json_put_uint(out, count);
        }
    }
}

void
cli_put_usage(llmlab__json_out_t *out, const llmlab_usage_t *usage)
{
    llmlab__json_begin_object(out);
    cli_put_counts(out, usage);
    llmlab__json_end_object(out);
}

void
cli_put_text(llmlab__json_out_t *out, const char *text)
{
    llmlab__json_put_text(out, text != NULL && text[0] != '\0' ? text : NULL);
}

const char *
cli_usage_source_name(llmlab_usage_source_t source)
{
    switch (source) {
    case LLMLAB_USAGE_PROVIDER:
        return "provider";
    case LLMLAB_USAGE_ESTIMATED:
        return "estimated";
    case LLMLAB_USAGE_NONE:
        break;
    }
    return "none";
}

void
cli_put_id(llmlab__json_out_t *out, const cJSON *root)
{
    const cJSON *id = llmlab__json_dom_get(root, "id");
    char *text = id != NULL ? cJSON_PrintUnformatted(id) : NULL;

    llmlab__json_key(out, "id");
    if (text != NULL) {
        llmlab__json_put_raw(out, text, strlen(text));
    } else {
        llmlab__json_put_null(out);
    }
    cJSON_free(text);
}

void
cli_put_fault(llmlab__json_out_t *out, const char *text)
{
    if (text != NULL) {
        llmlab__json_key(out, "error");
        llmlab__json_put_text(out, text);
    }
}

bool
cli_put_line(llmlab__buf_t *buf)
{
    bool good = !buf->failed;

    if (good) {
        fwrite(buf->data, 1, buf->size, stdout);
        putchar('\n');
    } else {
        fputs("llmlab: out of memory\n", stderr);
    }
    llmlab__buf_clear(buf);
    return good;
}
