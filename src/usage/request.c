#include "usage/request.h"

#include <string.h>

#include "base/json_scan.h"
#include "usage/measure.h"

/* What a message needs besides its text, and a prompt besides its messages. */
#define MESSAGE_TOKENS 4
#define PROMPT_TOKENS  3

/* What of a prompt is measured; the rest counts like the part before it. */
#define MEASURED_MAX ((uint64_t)65536)
#define DEPTH        32

typedef struct prompt_s {
    llmlab__json_t json;
    llmlab__measure_t text;
    uint64_t measured; /* bytes */
    uint64_t beyond;
    uint64_t messages;
    llmlab__request_facts_t *out;
} prompt_t;

/* The members that hold a prompt's text, in any API's form. */
static bool
holds_text(const llmlab__json_text_t *key)
{
    static const struct {
        const char *name;
        size_t size;
    } names[] = {
#define NAME(text) {text, sizeof(text) - 1}
        NAME("content"),     NAME("text"),        NAME("input"),
        NAME("prompt"),      NAME("system"),      NAME("instructions"),
        NAME("description"), NAME("arguments"),   NAME("output"),
        NAME("thinking"),    NAME("message"),     NAME("query"),
        NAME("documents"),   NAME("texts"),       NAME("contents"),
        NAME("inputs"),      NAME("inputText"),   NAME("preamble"),
        NAME("reasoning"),   NAME("instruction"), NAME("suffix"),
#undef NAME
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (llmlab__json_text_is(key, names[i].name, names[i].size)) {
            return true;
        }
    }
    return false;
}

static void
take_text(prompt_t *prompt, const llmlab__json_text_t *string)
{
    uint64_t room = MEASURED_MAX - prompt->measured;
    uint64_t taken = string->size < room ? string->size : room;

    if (string->size >= 5 && memcmp(string->data, "data:", 5) == 0) {
        return; /* an image or a sound */
    }
    prompt->text.tokens.run = 0;
    prompt->text.tokens.run_class = 0;
    prompt->text.escape = 0;
    llmlab__measure_add(&prompt->text, string->data, (size_t)taken);
    prompt->measured += taken;
    prompt->beyond += string->size - taken;
}

/* What a value means for the prompt. */
typedef enum role_e {
    OTHER, /* only what members of it hold */
    TEXT,
    TOOLS /* every name and text: models are told of tools in full */
} role_t;

static role_t
role_of(const llmlab__json_text_t *key)
{
    if (llmlab__json_key_is(key, "tools") ||
        llmlab__json_key_is(key, "functions") ||
        llmlab__json_key_is(key, "toolConfig")) {
        return TOOLS;
    }
    return holds_text(key) ? TEXT : OTHER;
}

static void
read_value(prompt_t *prompt, role_t role, unsigned depth)
{
    llmlab__json_t *json = &prompt->json;
    llmlab__json_text_t string;

    if (role != OTHER && llmlab__json_string(json, &string)) {
        take_text(prompt, &string);
    } else if (depth < DEPTH && llmlab__json_enter_object(json)) {
        while (llmlab__json_next_key(json, &string)) {
            if (role == TOOLS) {
                take_text(prompt, &string);
            } else if (llmlab__json_key_is(&string, "role")) {
                prompt->messages++;
            }
            read_value(prompt, role == TOOLS ? TOOLS : role_of(&string),
                       depth + 1);
        }
    } else if (depth < DEPTH && llmlab__json_enter_array(json)) {
        while (llmlab__json_next_element(json)) {
            read_value(prompt, role, depth + 1);
        }
    } else {
        llmlab__json_skip(json);
    }
}

static void
take_model(prompt_t *prompt)
{
    llmlab__request_facts_t *out = prompt->out;
    llmlab__json_text_t string;

    if (!llmlab__json_string(&prompt->json, &string)) {
        llmlab__json_skip(&prompt->json);
    } else if (string.size < sizeof(out->model)) {
        /* Half a name is another name: a longer one is none. */
        (void)llmlab__json_unescape(&string, out->model, sizeof(out->model));
    }
}

void
llmlab__request_facts_read(llmlab__request_facts_t *out, const char *body,
                           size_t size)
{
    prompt_t prompt = {.out = out};
    llmlab__json_text_t key;
    llmlab_tokens_t *tokens = &prompt.text.tokens;

    memset(out, 0, sizeof(*out));
    llmlab__json_init(&prompt.json, body, size);
    if (!llmlab__json_enter_object(&prompt.json)) {
        return;
    }
    while (llmlab__json_next_key(&prompt.json, &key)) {
        if (llmlab__json_key_is(&key, "model")) {
            take_model(&prompt);
        } else {
            read_value(&prompt, role_of(&key), 0);
        }
    }
    if (prompt.beyond > 0) {
        /* Below 2^48 bytes of body times 40 twentieths a byte: no overflow. */
        tokens->twentieths +=
            tokens->twentieths / (MEASURED_MAX / 1024) * (prompt.beyond / 1024);
    }
    if (prompt.messages > 0) {
        tokens->twentieths +=
            (prompt.messages * MESSAGE_TOKENS + PROMPT_TOKENS) * 20;
    }
    out->prompt = *tokens;
}

void
llmlab__request_facts_complete(const llmlab_tokens_t *prompt,
                               llmlab_reply_t *reply)
{
    uint64_t input = llmlab_tokens_count(prompt, reply->provider);

    if (reply->usage_source == LLMLAB_USAGE_ESTIMATED && input > 0 &&
        !llmlab_usage_get(&reply->usage, LLMLAB_USAGE_INPUT_TOKENS, NULL)) {
        llmlab_usage_set(&reply->usage, LLMLAB_USAGE_INPUT_TOKENS, input);
    }
}
