#include "base/json_push.h"

#include "base/json_bytes.h"

typedef enum state_e {
    AT_VALUE = 0,
    AT_FIRST_ELEMENT, /* or ] */
    AT_FIRST_KEY,     /* or } */
    AT_KEY,
    AT_COLON,
    AT_NEXT, /* a comma, or the container's end */
    IN_KEY,
    IN_STRING,
    IN_NUMBER,
    IN_LITERAL
} state_t;

#define ESCAPE_BEGUN 5 /* the character behind the backslash is missing */

void
llmlab__push_init(llmlab__push_t *push, const llmlab__push_handler_t *handler,
                  void *context)
{
    push->handler = handler;
    push->context = context;
    push->error = NULL;
    push->offset = 0;
    push->depth = 0;
    push->loud = 0;
    push->mode = LLMLAB__PUSH_LOOK;
    push->state = AT_VALUE;
    push->escape = 0;
    push->escaped = false;
    push->done = false;
    push->scratch_size = 0;
}

bool
llmlab__push_is_empty(const llmlab__push_t *push)
{
    return push->state == AT_VALUE && push->depth == 0 && !push->done &&
           push->error == NULL;
}

static inline bool
inside_object(const llmlab__push_t *push)
{
    unsigned level = push->depth - 1;

    return ((push->in_object[level / 64] >> (level % 64)) & 1) != 0;
}

static inline bool
is_quiet(const llmlab__push_t *push)
{
    return push->depth != push->loud;
}

/* Keep the part of a token that this piece of input ends with. */
static void
keep(llmlab__push_t *push, const char *begin, const char *end)
{
    size_t size = (size_t)(end - begin);
    size_t room = LLMLAB__PUSH_SCRATCH - push->scratch_size;

    size = size < room ? size : room;
    memcpy(push->scratch + push->scratch_size, begin, size);
    push->scratch_size += size;
}

/* The whole token: as it lies in the input, or gathered in the scratch. */
static llmlab__json_text_t
token(llmlab__push_t *push, const char *begin, const char *end)
{
    llmlab__json_text_t text = {begin, (size_t)(end - begin), push->escaped};

    if (push->scratch_size > 0) {
        keep(push, begin, end);
        text.data = push->scratch;
        text.size = push->scratch_size;
        push->scratch_size = 0;
    } else if (text.size > LLMLAB__PUSH_SCRATCH) {
        text.size = LLMLAB__PUSH_SCRATCH;
    }
    return text;
}

static void
give_scalar(llmlab__push_t *push, llmlab__json_type_t type, const char *begin,
            const char *end)
{
    llmlab__json_text_t text = token(push, begin, end);

    if (!is_quiet(push) && push->mode == LLMLAB__PUSH_LOOK) {
        push->handler->scalar(push->context, type, &text);
    }
}

/* Where a well-formed number at p ends; NULL for a malformed one. *whole is
 * false for that, and where the end of the input may have cut it. */
static const char *
number_end(const char *p, const char *end, bool *whole)
{
    *whole = false;
    if (*p == '-') {
        p++;
    }
    if (p == end) {
        return p;
    }
    if (*p == '0') {
        p++;
        if (p < end && llmlab__json_is_digit(*p)) {
            return NULL;
        }
    } else if (llmlab__json_is_digit(*p)) {
        p = llmlab__json_skip_digits(p, end);
    } else {
        return NULL;
    }
    if (p < end && *p == '.') {
        p++;
        if (p == end) {
            return p;
        }
        if (!llmlab__json_is_digit(*p)) {
            return NULL;
        }
        p = llmlab__json_skip_digits(p, end);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }
        if (p == end) {
            return p;
        }
        if (!llmlab__json_is_digit(*p)) {
            return NULL;
        }
        p = llmlab__json_skip_digits(p, end);
    }
    *whole = p < end;
    return p;
}

static inline bool
is_number_byte(char c)
{
    return llmlab__json_is_digit(c) || c == '.' || c == '-' || c == '+' ||
           c == 'e' || c == 'E';
}

static inline bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Is the number in the scratch well-formed? */
static const char *
check_kept_number(llmlab__push_t *push)
{
    const char *end = push->scratch + push->scratch_size;
    bool whole;

    if (push->scratch_size == LLMLAB__PUSH_SCRATCH) {
        return "number with too many digits";
    }
    /* A byte that no number has makes an end where the input's end was. */
    push->scratch[push->scratch_size] = ' ';
    return number_end(push->scratch, end + 1, &whole) == end
               ? NULL
               : "malformed number";
}

static llmlab__json_type_t
literal_type(const llmlab__json_text_t *text)
{
    if (llmlab__json_key_is(text, "null")) {
        return LLMLAB__JSON_NULL;
    }
    if (llmlab__json_key_is(text, "true")) {
        return LLMLAB__JSON_TRUE;
    }
    return llmlab__json_key_is(text, "false") ? LLMLAB__JSON_FALSE
                                              : LLMLAB__JSON_END;
}

static bool
open_container(llmlab__push_t *push, bool object)
{
    uint64_t bit = UINT64_C(1) << (push->depth % 64);

    if (push->depth == LLMLAB__JSON_DEPTH) {
        return false;
    }
    if (object) {
        push->in_object[push->depth / 64] |= bit;
    } else {
        push->in_object[push->depth / 64] &= ~bit;
    }
    if (!is_quiet(push) && push->mode != LLMLAB__PUSH_SKIP &&
        push->handler->enter(push->context, object)) {
        push->loud++;
    }
    push->depth++;
    return true;
}

static void
close_container(llmlab__push_t *push)
{
    if (!is_quiet(push)) {
        push->handler->leave(push->context);
        push->loud--;
    }
    push->depth--;
}

/* The string from p on, behind its opening quote or the last cut. Returns its
 * closing quote; end where the input ends first; NULL for a fault at *fault. */
static const char *
string_end(llmlab__push_t *push, const char *p, const char *end,
           const char **fault)
{
    for (;;) {
        while (push->escape > 0) {
            if (p == end) {
                return end;
            }
            *fault = p;
            if (push->escape < ESCAPE_BEGUN) {
                if (llmlab__json_hex(*p) < 0) {
                    push->error = "bad \\u escape in a string";
                    return NULL;
                }
                push->escape--;
            } else if (*p == 'u') {
                push->escape = 4;
            } else if (*p != '\0' && strchr("\"\\/bfnrt", *p) != NULL) {
                push->escape = 0;
            } else {
                push->error = "bad escape in a string";
                return NULL;
            }
            p++;
        }
        p = llmlab__json_find_special(p, end);
        if (p == end || *p == '"') {
            return p;
        }
        *fault = p;
        if (*p != '\\') {
            push->error = "control character in a string";
            return NULL;
        }
        push->escaped = true;
        push->escape = ESCAPE_BEGUN;
        p++;
    }
}

static inline bool
wants_pieces(const llmlab__push_t *push)
{
    return push->mode == LLMLAB__PUSH_STREAM && !is_quiet(push);
}

#define SKIP_SPACE(where)                    \
    do {                                     \
        p = llmlab__json_skip_space(p, end); \
        if (p == end) {                      \
            push->state = (where);           \
            goto out;                        \
        }                                    \
    } while (0)

#define FAULT(text)           \
    do {                      \
        push->error = (text); \
        goto out;             \
    } while (0)

size_t
llmlab__push_feed(llmlab__push_t *push, const char *bytes, size_t size)
{
    const char *p = bytes;
    const char *end = bytes + size;
    const char *begin = bytes; /* of the current token, in this input */
    const char *stop;
    bool is_key;
    bool whole;

    if (push->error != NULL || push->done || size == 0) {
        return 0;
    }
    switch ((state_t)push->state) {
    case AT_VALUE:
        goto value;
    case AT_FIRST_ELEMENT:
        goto first_element;
    case AT_FIRST_KEY:
        goto first_key;
    case AT_KEY:
        goto key;
    case AT_COLON:
        goto colon;
    case AT_NEXT:
        goto next;
    case IN_KEY:
        is_key = true;
        goto string;
    case IN_STRING:
        is_key = false;
        goto string;
    case IN_NUMBER:
        goto kept_number;
    case IN_LITERAL:
        goto literal;
    }

value:
    SKIP_SPACE(AT_VALUE);
    begin = p;
    push->escaped = false;
    switch (*p) {
    case '"':
        p++;
        begin = p;
        is_key = false;
        goto string;
    case '{':
        if (!open_container(push, true)) {
            FAULT("nested too deeply");
        }
        p++;
        goto first_key;
    case '[':
        if (!open_container(push, false)) {
            FAULT("nested too deeply");
        }
        p++;
        goto first_element;
    case 't':
    case 'f':
    case 'n':
        goto literal;
    default:
        if (*p != '-' && !llmlab__json_is_digit(*p)) {
            FAULT("a value was expected");
        }
        break;
    }

    stop = number_end(p, end, &whole);
    if (!whole || is_number_byte(*stop) || stop - p >= LLMLAB__PUSH_SCRATCH) {
        goto kept_number; /* cut, or malformed: told there, in one way */
    }
    p = stop;
    give_scalar(push, LLMLAB__JSON_NUMBER, begin, p);
    goto next;

kept_number:
    while (p < end && is_number_byte(*p)) {
        p++;
    }
    keep(push, begin, p);
    if (p == end) {
        push->state = IN_NUMBER;
        goto out;
    }
    push->error = check_kept_number(push);
    if (push->error != NULL) {
        goto out;
    }
    give_scalar(push, LLMLAB__JSON_NUMBER, p, p);
    goto next;

literal:
    while (p < end && is_letter(*p)) {
        p++;
    }
    if (p == end) {
        keep(push, begin, p);
        push->state = IN_LITERAL;
        goto out;
    }
    {
        llmlab__json_text_t text = token(push, begin, p);
        llmlab__json_type_t type = literal_type(&text);

        if (type == LLMLAB__JSON_END) {
            FAULT("unknown literal");
        }
        give_scalar(push, type, text.data, text.data + text.size);
    }
    goto next;

first_element:
    push->mode = LLMLAB__PUSH_LOOK;
    SKIP_SPACE(AT_FIRST_ELEMENT);
    if (*p == ']') {
        p++;
        close_container(push);
        goto next;
    }
    goto value;

first_key:
    SKIP_SPACE(AT_FIRST_KEY);
    if (*p == '}') {
        p++;
        close_container(push);
        goto next;
    }
key:
    SKIP_SPACE(AT_KEY);
    if (*p != '"') {
        FAULT("a key was expected");
    }
    p++;
    begin = p;
    push->escaped = false;
    is_key = true;

string:
    begin = p;
    stop = string_end(push, p, end, &p);
    if (stop != NULL) {
        p = stop;
    }
    if (!is_key && wants_pieces(push) && p > begin) {
        push->handler->piece(push->context, begin, (size_t)(p - begin));
    }
    if (stop == NULL) {
        goto out;
    }
    if (p == end) {
        if (!is_quiet(push) && (is_key || push->mode == LLMLAB__PUSH_LOOK)) {
            keep(push, begin, p);
        }
        push->state = is_key ? IN_KEY : IN_STRING;
        goto out;
    }
    p++;
    if (!is_key) {
        give_scalar(push, LLMLAB__JSON_STRING, begin, p - 1);
        goto next;
    }
    if (!is_quiet(push)) {
        llmlab__json_text_t text = token(push, begin, p - 1);

        push->mode = push->handler->key(push->context, &text);
    }

colon:
    SKIP_SPACE(AT_COLON);
    if (*p != ':') {
        FAULT("a colon was expected");
    }
    p++;
    goto value;

next:
    if (push->depth == 0) {
        push->done = true;
        goto out;
    }
    SKIP_SPACE(AT_NEXT);
    if (inside_object(push)) {
        if (*p == ',') {
            p++;
            goto key;
        }
        if (*p != '}') {
            FAULT("a comma or } was expected");
        }
    } else {
        if (*p == ',') {
            p++;
            push->mode = LLMLAB__PUSH_LOOK;
            goto value;
        }
        if (*p != ']') {
            FAULT("a comma or ] was expected");
        }
    }
    p++;
    close_container(push);
    goto next;

out:
    push->offset += (uint64_t)(p - bytes);
    return (size_t)(p - bytes);
}

bool
llmlab__push_finish(llmlab__push_t *push)
{
    if (push->error == NULL && !push->done && push->depth == 0 &&
        (push->state == IN_NUMBER || push->state == IN_LITERAL)) {
        (void)llmlab__push_feed(push, " ", 1);
    }
    return push->done && push->error == NULL;
}
