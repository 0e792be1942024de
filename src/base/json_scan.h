/* A pull scanner over one JSON text in memory: no allocation, no tree, raw
 * number text. It accepts exactly RFC 8259, except that strings may hold bad
 * UTF-8 (what a reader skips must not cost it the usage) and that object keys
 * may repeat (the reader decides). Depth is bounded.
 *
 *   llmlab__json_t json;
 *   llmlab__json_init(&json, text, size);
 *   if (llmlab__json_enter_object(&json))
 *       while (llmlab__json_next_key(&json, &key))
 *           if (llmlab__json_key_is(&key, "usage")) ... read the value ...
 *           else llmlab__json_skip(&json);
 *   if (json.error) ...
 *
 * A value that is not what the caller asks for is left in place: the caller
 * then skips it. An error is sticky: every later call answers false. */
#ifndef LLMLAB_BASE_JSON_SCAN_H
#define LLMLAB_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LLMLAB__JSON_DEPTH 128

typedef enum llmlab__json_type_e {
    LLMLAB__JSON_END = 0, /* nothing here, or an error */
    LLMLAB__JSON_OBJECT,
    LLMLAB__JSON_ARRAY,
    LLMLAB__JSON_STRING,
    LLMLAB__JSON_NUMBER,
    LLMLAB__JSON_TRUE,
    LLMLAB__JSON_FALSE,
    LLMLAB__JSON_NULL
} llmlab__json_type_t;

typedef struct llmlab__json_s {
    const char *start;
    const char *at;
    const char *end;
    const char *error; /* static text; NULL: none so far */
    unsigned depth;
    unsigned max_depth; /* LLMLAB__JSON_DEPTH by the init */
    uint64_t in_object[LLMLAB__JSON_DEPTH / 64]; /* bit per level */
    bool first; /* no member of the innermost container was read yet */
} llmlab__json_t;

/* A piece of the text: a key or string between its quotes, or a number. */
typedef struct llmlab__json_text_s {
    const char *data;
    size_t size;
    bool escaped; /* holds backslashes: llmlab__json_unescape() */
} llmlab__json_text_t;

void llmlab__json_init(llmlab__json_t *json, const char *text, size_t size);

/* What stands next, without consuming it. Skips white space. */
llmlab__json_type_t llmlab__json_peek(llmlab__json_t *json);

/* Enter a container if one stands next; false leaves it in place. */
bool llmlab__json_enter_object(llmlab__json_t *json);
bool llmlab__json_enter_array(llmlab__json_t *json);

/* The next member of the object just entered, or false after its end (the
 * object is then left). The value must be consumed before the next call. */
bool llmlab__json_next_key(llmlab__json_t *json, llmlab__json_text_t *key);

/* Is there a further element in the array just entered? False after its end
 * (the array is then left). The element must be consumed. */
bool llmlab__json_next_element(llmlab__json_t *json);

/* Consume a value of that type; false leaves it in place. */
bool llmlab__json_string(llmlab__json_t *json, llmlab__json_text_t *out);
bool llmlab__json_number(llmlab__json_t *json, llmlab__json_text_t *out);
bool llmlab__json_bool(llmlab__json_t *json, bool *out);
bool llmlab__json_null(llmlab__json_t *json);

/* Consume whatever value stands next, checking its syntax. */
bool llmlab__json_skip(llmlab__json_t *json);

/* As skip, but tells where the value stood: raw JSON text. */
bool llmlab__json_raw(llmlab__json_t *json, llmlab__json_text_t *out);

/* True when only white space is left. */
bool llmlab__json_at_end(llmlab__json_t *json);

/* Where the fault is, as a byte offset. */
static inline size_t
llmlab__json_offset(const llmlab__json_t *json)
{
    return (size_t)(json->at - json->start);
}

/* Compare a key with a literal. A key with escapes never matches: providers
 * write none. */
static inline bool
llmlab__json_text_is(const llmlab__json_text_t *text, const char *literal,
                     size_t size)
{
    return text->size == size && memcmp(text->data, literal, size) == 0;
}
#define llmlab__json_key_is(key, literal) \
    llmlab__json_text_is((key), "" literal, sizeof(literal) - 1)

/* Decode escapes into out (capacity bytes, NUL included; cut on a character
 * boundary). Returns the full decoded length, which may exceed the capacity.
 * Lone surrogates become U+FFFD. */
size_t llmlab__json_unescape(const llmlab__json_text_t *text, char *out,
                             size_t capacity);

/* A JSON number as an unsigned count: "12", "12.0", "1.2e1" are 12.
 * 0; -1 not integral; -2 negative; -3 above 2^63 - 1. */
int llmlab__json_count(const llmlab__json_text_t *number, uint64_t *out);

/* A JSON number as int64 (same forms). 0; -1 not integral; -3 out of range. */
int llmlab__json_int(const llmlab__json_text_t *number, int64_t *out);

/* A JSON number as a double (locale-independent). */
double llmlab__json_double(const llmlab__json_text_t *number);

#endif
