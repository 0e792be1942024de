#include "delivery/reply.h"

#include <string.h>

#include "base/json_scan.h"

/* A count, or false with the value left to be skipped. */
static bool
read_count(llmlab__json_t *json, uint64_t *out)
{
    llmlab__json_text_t number;

    return llmlab__json_number(json, &number) &&
           llmlab__json_count(&number, out) == 0;
}

static void
read_rejection(llmlab__reply_t *out, llmlab__json_t *json)
{
    llmlab__json_text_t key;
    llmlab__json_text_t text;
    bool is_first = out->rejected == 0;

    out->rejected++;
    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        if (is_first && llmlab__json_key_is(&key, "field") &&
            llmlab__json_string(json, &text)) {
            llmlab__json_unescape(&text, out->field, sizeof(out->field));
        } else if (is_first && llmlab__json_key_is(&key, "type") &&
                   llmlab__json_string(json, &text)) {
            llmlab__json_unescape(&text, out->type, sizeof(out->type));
        } else {
            llmlab__json_skip(json);
        }
    }
}

void
llmlab__reply_read(llmlab__reply_t *out, const char *body, size_t size,
                   const char *instance, uint64_t first, uint32_t count)
{
    llmlab__json_t json;
    llmlab__json_text_t key;
    llmlab__json_text_t text;
    uint64_t number;
    unsigned echoes = 0;

    memset(out, 0, sizeof(*out));
    llmlab__json_init(&json, body, size);
    if (!llmlab__json_enter_object(&json)) {
        return;
    }
    while (llmlab__json_next_key(&json, &key)) {
        if (llmlab__json_key_is(&key, "instance") &&
            llmlab__json_string(&json, &text)) {
            echoes |= llmlab__json_text_is(&text, instance, strlen(instance))
                          ? 1u
                          : 0u;
        } else if (llmlab__json_key_is(&key, "first") &&
                   read_count(&json, &number)) {
            echoes |= number == first ? 2u : 0u;
        } else if (llmlab__json_key_is(&key, "count") &&
                   read_count(&json, &number)) {
            echoes |= number == count ? 4u : 0u;
        } else if (llmlab__json_key_is(&key, "duplicate") &&
                   read_count(&json, &number)) {
            out->duplicates = number;
        } else if (llmlab__json_key_is(&key, "rejected") &&
                   llmlab__json_enter_array(&json)) {
            while (llmlab__json_next_element(&json)) {
                read_rejection(out, &json);
            }
        } else {
            llmlab__json_skip(&json);
        }
    }
    out->echoed = echoes == 7 && json.error == NULL;
    if (out->duplicates > count) {
        out->duplicates = count;
    }
    if (out->rejected > count) {
        out->rejected = count;
    }
}
