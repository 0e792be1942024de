#include "base/json_scan.h"

#include "base/json_bytes.h"

static bool
fail(llmlab__json_t *json, const char *at, const char *error)
{
    if (json->error == NULL) {
        json->error = error;
        json->at = at;
    }
    return false;
}

/* p stands behind the opening quote. Returns the closing quote, or NULL. */
static const char *
scan_string(llmlab__json_t *json, const char *p, bool *escaped)
{
    const char *end = json->end;
    const char *opening = p - 1;

    *escaped = false;
    for (;;) {
        p = llmlab__json_find_special(p, end);
        if (p == end) {
            fail(json, opening, "unterminated string");
            return NULL;
        }
        if (*p == '"') {
            return p;
        }
        if (*p != '\\') {
            fail(json, p, "control character in a string");
            return NULL;
        }
        *escaped = true;
        if (end - p < 2) {
            fail(json, opening, "unterminated string");
            return NULL;
        }
        switch (p[1]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
            p += 2;
            break;
        case 'u':
            for (int i = 2; i < 6; i++) {
                if (end - p <= i) {
                    fail(json, opening, "unterminated string");
                    return NULL;
                }
                if (llmlab__json_hex(p[i]) < 0) {
                    fail(json, p, "bad \\u escape in a string");
                    return NULL;
                }
            }
            p += 6;
            break;
        default:
            fail(json, p, "bad escape in a string");
            return NULL;
        }
    }
}

/* p stands on '-' or a digit. Returns the end of the number, or NULL. */
static const char *
scan_number(llmlab__json_t *json, const char *p)
{
    const char *end = json->end;
    const char *begin = p;

    if (*p == '-') {
        p++;
    }
    if (p == end || !llmlab__json_is_digit(*p)) {
        goto bad;
    }
    if (*p == '0') {
        p++;
        if (p < end && llmlab__json_is_digit(*p)) {
            fail(json, begin, "number with a leading zero");
            return NULL;
        }
    } else {
        p = llmlab__json_skip_digits(p, end);
    }
    if (p < end && *p == '.') {
        p++;
        if (p == end || !llmlab__json_is_digit(*p)) {
            goto bad;
        }
        p = llmlab__json_skip_digits(p, end);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }
        if (p == end || !llmlab__json_is_digit(*p)) {
            goto bad;
        }
        p = llmlab__json_skip_digits(p, end);
    }
    return p;
bad:
    fail(json, begin, "malformed number");
    return NULL;
}

/* Returns the end of the literal at p, or NULL. */
static const char *
scan_literal(llmlab__json_t *json, const char *p, const char *literal,
             size_t size)
{
    if ((size_t)(json->end - p) < size || memcmp(p, literal, size) != 0) {
        fail(json, p, "unknown literal");
        return NULL;
    }
    return p + size;
}

/* Returns the end of the string, number or literal at p, or NULL. */
static const char *
scan_scalar(llmlab__json_t *json, const char *p)
{
    bool escaped;

    switch (*p) {
    case '"':
        p = scan_string(json, p + 1, &escaped);
        return p == NULL ? NULL : p + 1;
    case 't':
        return scan_literal(json, p, "true", 4);
    case 'f':
        return scan_literal(json, p, "false", 5);
    case 'n':
        return scan_literal(json, p, "null", 4);
    default:
        if (*p == '-' || llmlab__json_is_digit(*p)) {
            return scan_number(json, p);
        }
        fail(json, p, "a value was expected");
        return NULL;
    }
}

static bool
push(llmlab__json_t *json, const char *p, bool object)
{
    uint64_t bit;

    if (json->depth >= json->max_depth || json->depth >= LLMLAB__JSON_DEPTH) {
        return fail(json, p, "nested too deeply");
    }
    bit = UINT64_C(1) << (json->depth % 64);
    if (object) {
        json->in_object[json->depth / 64] |= bit;
    } else {
        json->in_object[json->depth / 64] &= ~bit;
    }
    json->depth++;
    json->first = true;
    json->at = p + 1;
    return true;
}

static inline bool
inside_object(const llmlab__json_t *json)
{
    unsigned level = json->depth - 1;

    return json->depth > 0 &&
           ((json->in_object[level / 64] >> (level % 64)) & 1) != 0;
}

static void
pop(llmlab__json_t *json, const char *p)
{
    json->depth--;
    json->first = false;
    json->at = p + 1;
}

void
llmlab__json_init(llmlab__json_t *json, const char *text, size_t size)
{
    static const char nothing[1] = "";

    memset(json, 0, sizeof(*json));
    json->start = text == NULL ? nothing : text;
    json->at = json->start;
    json->end = json->start + (text == NULL ? 0 : size);
    json->max_depth = LLMLAB__JSON_DEPTH;
    json->first = true;
}

llmlab__json_type_t
llmlab__json_peek(llmlab__json_t *json)
{
    if (json->error != NULL) {
        return LLMLAB__JSON_END;
    }
    json->at = llmlab__json_skip_space(json->at, json->end);
    if (json->at == json->end) {
        return LLMLAB__JSON_END;
    }
    switch (*json->at) {
    case '{':
        return LLMLAB__JSON_OBJECT;
    case '[':
        return LLMLAB__JSON_ARRAY;
    case '"':
        return LLMLAB__JSON_STRING;
    case 't':
        return LLMLAB__JSON_TRUE;
    case 'f':
        return LLMLAB__JSON_FALSE;
    case 'n':
        return LLMLAB__JSON_NULL;
    default:
        return *json->at == '-' || llmlab__json_is_digit(*json->at)
                   ? LLMLAB__JSON_NUMBER
                   : LLMLAB__JSON_END;
    }
}

bool
llmlab__json_enter_object(llmlab__json_t *json)
{
    return llmlab__json_peek(json) == LLMLAB__JSON_OBJECT &&
           push(json, json->at, true);
}

bool
llmlab__json_enter_array(llmlab__json_t *json)
{
    return llmlab__json_peek(json) == LLMLAB__JSON_ARRAY &&
           push(json, json->at, false);
}

/* Read a member's name and colon; p stands where the quote must be. */
static const char *
scan_key(llmlab__json_t *json, const char *p, llmlab__json_text_t *key)
{
    const char *begin;

    p = llmlab__json_skip_space(p, json->end);
    if (p == json->end) {
        fail(json, p, "the text ends inside an object");
        return NULL;
    }
    if (*p != '"') {
        fail(json, p, "a key was expected");
        return NULL;
    }
    begin = p + 1;
    p = scan_string(json, begin, &key->escaped);
    if (p == NULL) {
        return NULL;
    }
    key->data = begin;
    key->size = (size_t)(p - begin);
    p = llmlab__json_skip_space(p + 1, json->end);
    if (p == json->end) {
        fail(json, p, "the text ends inside an object");
        return NULL;
    }
    if (*p != ':') {
        fail(json, p, "a colon was expected");
        return NULL;
    }
    return p + 1;
}

bool
llmlab__json_next_key(llmlab__json_t *json, llmlab__json_text_t *key)
{
    const char *p;

    if (json->error != NULL) {
        return false;
    }
    if (!inside_object(json)) {
        return fail(json, json->at, "not inside an object");
    }
    p = llmlab__json_skip_space(json->at, json->end);
    if (p == json->end) {
        return fail(json, p, "the text ends inside an object");
    }
    if (*p == '}') {
        pop(json, p);
        return false;
    }
    if (!json->first) {
        if (*p != ',') {
            return fail(json, p, "a comma or } was expected");
        }
        p++;
    }
    p = scan_key(json, p, key);
    if (p == NULL) {
        return false;
    }
    json->first = false;
    json->at = p;
    return true;
}

bool
llmlab__json_next_element(llmlab__json_t *json)
{
    const char *p;

    if (json->error != NULL) {
        return false;
    }
    if (json->depth == 0 || inside_object(json)) {
        return fail(json, json->at, "not inside an array");
    }
    p = llmlab__json_skip_space(json->at, json->end);
    if (p == json->end) {
        return fail(json, p, "the text ends inside an array");
    }
    if (*p == ']') {
        pop(json, p);
        return false;
    }
    if (!json->first) {
        if (*p != ',') {
            return fail(json, p, "a comma or ] was expected");
        }
        p++;
    }
    json->first = false;
    json->at = p;
    return true;
}

bool
llmlab__json_string(llmlab__json_t *json, llmlab__json_text_t *out)
{
    const char *p;

    if (llmlab__json_peek(json) != LLMLAB__JSON_STRING) {
        return false;
    }
    p = scan_string(json, json->at + 1, &out->escaped);
    if (p == NULL) {
        return false;
    }
    out->data = json->at + 1;
    out->size = (size_t)(p - out->data);
    json->at = p + 1;
    return true;
}

bool
llmlab__json_number(llmlab__json_t *json, llmlab__json_text_t *out)
{
    const char *p;

    if (llmlab__json_peek(json) != LLMLAB__JSON_NUMBER) {
        return false;
    }
    p = scan_number(json, json->at);
    if (p == NULL) {
        return false;
    }
    out->data = json->at;
    out->size = (size_t)(p - out->data);
    out->escaped = false;
    json->at = p;
    return true;
}

bool
llmlab__json_bool(llmlab__json_t *json, bool *out)
{
    llmlab__json_type_t type = llmlab__json_peek(json);
    const char *p;

    if (type != LLMLAB__JSON_TRUE && type != LLMLAB__JSON_FALSE) {
        return false;
    }
    p = scan_scalar(json, json->at);
    if (p == NULL) {
        return false;
    }
    *out = type == LLMLAB__JSON_TRUE;
    json->at = p;
    return true;
}

bool
llmlab__json_null(llmlab__json_t *json)
{
    const char *p;

    if (llmlab__json_peek(json) != LLMLAB__JSON_NULL) {
        return false;
    }
    p = scan_scalar(json, json->at);
    if (p == NULL) {
        return false;
    }
    json->at = p;
    return true;
}

bool
llmlab__json_skip(llmlab__json_t *json)
{
    unsigned outer = json->depth;
    llmlab__json_text_t key;
    const char *p;

    if (json->error != NULL) {
        return false;
    }
    /* One turn a value; containers are walked without recursion. */
    for (;;) {
        p = llmlab__json_skip_space(json->at, json->end);
        if (p == json->end) {
            return fail(json, p, "the text ends where a value was expected");
        }
        if (*p == '{' || *p == '[') {
            if (!push(json, p, *p == '{')) {
                return false;
            }
        } else {
            p = scan_scalar(json, p);
            if (p == NULL) {
                return false;
            }
            json->at = p;
        }
        /* Leave what ends here, stop before the next value. */
        for (;;) {
            if (json->depth == outer) {
                json->first = false;
                return true;
            }
            if (inside_object(json) ? llmlab__json_next_key(json, &key)
                                    : llmlab__json_next_element(json)) {
                break;
            }
            if (json->error != NULL) {
                return false;
            }
        }
    }
}

bool
llmlab__json_raw(llmlab__json_t *json, llmlab__json_text_t *out)
{
    const char *begin;

    if (json->error != NULL) {
        return false;
    }
    begin = llmlab__json_skip_space(json->at, json->end);
    if (!llmlab__json_skip(json)) {
        return false;
    }
    out->data = begin;
    out->size = (size_t)(json->at - begin);
    out->escaped = false;
    return true;
}

bool
llmlab__json_at_end(llmlab__json_t *json)
{
    if (json->error != NULL || json->depth > 0) {
        return false;
    }
    json->at = llmlab__json_skip_space(json->at, json->end);
    return json->at == json->end;
}
