/* The pull scanner and the push scanner must agree on what JSON is, and never
 * read a byte beyond it. */
#include <stdlib.h>
#include <string.h>

#include "base/json_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static llmlab__push_mode_t
on_key(void *context, const llmlab__json_text_t *key)
{
    (void)context;
    return key->size % 3 == 0   ? LLMLAB__PUSH_SKIP
           : key->size % 3 == 1 ? LLMLAB__PUSH_LOOK
                                : LLMLAB__PUSH_STREAM;
}

static bool
on_enter(void *context, bool object)
{
    return object || *(size_t *)context % 2 == 0;
}

static void
on_leave(void *context)
{
    (*(size_t *)context)++;
}

static void
on_scalar(void *context, llmlab__json_type_t type,
          const llmlab__json_text_t *text)
{
    char out[40];
    uint64_t count;
    int64_t number;

    if (type == LLMLAB__JSON_STRING) {
        *(size_t *)context += llmlab__json_unescape(text, out, sizeof(out));
    } else if (type == LLMLAB__JSON_NUMBER) {
        *(size_t *)context += (size_t)llmlab__json_count(text, &count);
        *(size_t *)context += (size_t)llmlab__json_int(text, &number);
        (void)llmlab__json_double(text);
    }
}

static void
on_piece(void *context, const char *bytes, size_t size)
{
    *(size_t *)context += size + (size_t)bytes[0];
}

static const llmlab__push_handler_t handler = {on_key, on_enter, on_leave,
                                               on_scalar, on_piece};

/* True if the text is one JSON value and white space. */
static bool
push_accepts(const char *text, size_t size, size_t step)
{
    static llmlab__push_t push;
    size_t context = 0;
    size_t at = 0;

    llmlab__push_init(&push, &handler, &context);
    while (at < size && push.error == NULL && !push.done) {
        size_t part = size - at < step ? size - at : step;

        at += llmlab__push_feed(&push, text + at, part);
    }
    while (at < size && strchr(" \t\r\n", text[at]) != NULL &&
           text[at] != '\0') {
        at++;
    }
    return llmlab__push_finish(&push) && at == size;
}

static void
walk(llmlab__json_t *json, unsigned depth)
{
    llmlab__json_text_t text;
    char out[8];
    bool flag;

    if (depth < 20 && llmlab__json_enter_object(json)) {
        while (llmlab__json_next_key(json, &text)) {
            (void)llmlab__json_unescape(&text, out, sizeof(out));
            walk(json, depth + 1);
        }
    } else if (depth < 20 && llmlab__json_enter_array(json)) {
        while (llmlab__json_next_element(json)) {
            walk(json, depth + 1);
        }
    } else if (!llmlab__json_string(json, &text) &&
               !llmlab__json_number(json, &text) &&
               !llmlab__json_bool(json, &flag) && !llmlab__json_null(json)) {
        (void)llmlab__json_raw(json, &text);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    llmlab__json_t json;
    llmlab__json_t walked;
    bool accepts;

    llmlab__json_init(&json, (const char *)data, size);
    accepts = llmlab__json_skip(&json) && llmlab__json_at_end(&json);
    if (llmlab__json_offset(&json) > size) {
        abort();
    }
    llmlab__json_init(&walked, (const char *)data, size);
    walk(&walked, 0);
    if ((llmlab__json_at_end(&walked)) != accepts) {
        abort();
    }
    /* Longer numbers are the one thing that the push scanner refuses. */
    if (size < LLMLAB__PUSH_SCRATCH) {
        if (push_accepts((const char *)data, size, size + 1) != accepts ||
            push_accepts((const char *)data, size, 1) != accepts ||
            push_accepts((const char *)data, size, 5) != accepts) {
            abort();
        }
    }
    return 0;
}
