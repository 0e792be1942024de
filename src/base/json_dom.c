/* The tree is cJSON's, the reading is json_scan's: cJSON's own parser turns
 * numbers into doubles and takes duplicate keys. */
#include "base/json_dom.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json_scan.h"
#include "base/status.h"

typedef struct reader_s {
    llmlab__json_t json;
    llmlab_status_t status;
    const char *reason; /* of an LLMLAB_EPARSE that json itself accepts */
    size_t offset;
} reader_t;

static cJSON *read_value(reader_t *reader);

static cJSON *
fail(reader_t *reader, llmlab_status_t status, const char *reason,
     const char *at)
{
    if (reader->status == LLMLAB_OK) {
        reader->status = status;
        reader->reason = reason;
        reader->offset = (size_t)(at - reader->json.start);
    }
    return NULL;
}

static cJSON *
fail_syntax(reader_t *reader)
{
    const char *reason = reader->json.error;

    return fail(reader, LLMLAB_EPARSE, reason ? reason : "a value is missing",
                reader->json.at);
}

/* The number of bytes of the well-formed character at text, 0 if none is. */
static size_t
utf8_size(const unsigned char *text, size_t size)
{
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t length;
    size_t i;

    if (text[0] < 0x80) {
        return 1;
    }
    length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || length > size) {
        return 0;
    }
    switch (text[0]) {
    case 0xe0:
        low = 0xa0; /* no overlong form */
        break;
    case 0xed:
        high = 0x9f; /* no surrogate */
        break;
    case 0xf0:
        low = 0x90; /* no overlong form */
        break;
    case 0xf4:
        high = 0x8f; /* nothing above U+10FFFF */
        break;
    default:
        break;
    }
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static bool
check_utf8(reader_t *reader)
{
    const char *at = reader->json.start;
    const char *end = reader->json.end;

    while (at < end) {
        size_t length =
            utf8_size((const unsigned char *)at, (size_t)(end - at));

        if (length == 0) {
            fail(reader, LLMLAB_EPARSE, "invalid UTF-8", at);
            return false;
        }
        at += length;
    }
    return true;
}

/* The decoded text in memory of its own, or NULL with the status set. */
static char *
decode(reader_t *reader, const llmlab__json_text_t *text)
{
    /* Decoding never lengthens: \u00e9 is two bytes, \ud83d\ude00 four; a lone
     * surrogate becomes three of its six. */
    char *out = llmlab__alloc(text->size + 1);

    if (out == NULL) {
        fail(reader, LLMLAB_ENOMEM, NULL, text->data);
        return NULL;
    }
    if (text->escaped) {
        size_t size = llmlab__json_unescape(text, out, text->size + 1);

        if (memchr(out, '\0', size) != NULL) {
            llmlab__free(out);
            fail(reader, LLMLAB_EPARSE, "U+0000 in a string", text->data);
            return NULL;
        }
    } else {
        memcpy(out, text->data, text->size);
        out[text->size] = '\0';
    }
    return out;
}

static cJSON *
node(reader_t *reader, cJSON *item)
{
    return item ? item : fail(reader, LLMLAB_ENOMEM, NULL, reader->json.at);
}

static int
compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that a hostile object of many keys costs n log n. */
static bool
check_unique(reader_t *reader, const cJSON *object, size_t count,
             const char *at)
{
    const char **keys;
    const cJSON *item;
    bool unique = true;
    size_t i = 0;

    if (count < 2) {
        return true;
    }
    keys = llmlab__calloc(count, sizeof(*keys));
    if (keys == NULL) {
        fail(reader, LLMLAB_ENOMEM, NULL, at);
        return false;
    }
    cJSON_ArrayForEach(item, object)
    {
        keys[i++] = item->string;
    }
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (i = 1; i < count && unique; i++) {
        unique = strcmp(keys[i - 1], keys[i]) != 0;
    }
    llmlab__free(keys);
    if (!unique) {
        fail(reader, LLMLAB_EPARSE, "an object with a duplicate key", at);
    }
    return unique;
}

/* Read one member's value and hang it into the object. */
static bool
read_member(reader_t *reader, cJSON *object, const llmlab__json_text_t *key)
{
    char *name = decode(reader, key);
    cJSON *item = name ? read_value(reader) : NULL;
    bool added = item != NULL && cJSON_AddItemToObject(object, name, item);

    if (item != NULL && !added) {
        cJSON_Delete(item);
        fail(reader, LLMLAB_ENOMEM, NULL, key->data);
    }
    llmlab__free(name);
    return added;
}

static cJSON *
read_object(reader_t *reader)
{
    const char *start = reader->json.at;
    cJSON *object = node(reader, cJSON_CreateObject());
    llmlab__json_text_t key;
    size_t count = 0;

    if (object == NULL) {
        return NULL;
    }
    if (!llmlab__json_enter_object(&reader->json)) {
        fail_syntax(reader);
        goto out;
    }
    while (llmlab__json_next_key(&reader->json, &key)) {
        if (!read_member(reader, object, &key)) {
            goto out;
        }
        count++;
    }
    if (reader->json.error != NULL) {
        fail_syntax(reader);
        goto out;
    }
    if (check_unique(reader, object, count, start)) {
        return object;
    }
out:
    cJSON_Delete(object);
    return NULL;
}

static cJSON *
read_array(reader_t *reader)
{
    cJSON *array = node(reader, cJSON_CreateArray());

    if (array == NULL) {
        return NULL;
    }
    if (!llmlab__json_enter_array(&reader->json)) {
        fail_syntax(reader);
        goto out;
    }
    while (llmlab__json_next_element(&reader->json)) {
        cJSON *item = read_value(reader);

        if (item == NULL) {
            goto out;
        }
        cJSON_AddItemToArray(array, item);
    }
    if (reader->json.error == NULL) {
        return array;
    }
    fail_syntax(reader);
out:
    cJSON_Delete(array);
    return NULL;
}

/* A string or a number: a node with a copy of its text. */
static cJSON *
read_text(reader_t *reader, bool is_number)
{
    llmlab__json_text_t text;
    char *copy;
    cJSON *item;

    if (is_number ? !llmlab__json_number(&reader->json, &text)
                  : !llmlab__json_string(&reader->json, &text)) {
        return fail_syntax(reader);
    }
    if (is_number) {
        text.escaped = false;
    }
    copy = decode(reader, &text);
    if (copy == NULL) {
        return NULL;
    }
    item = is_number ? cJSON_CreateRaw(copy) : cJSON_CreateString(copy);
    llmlab__free(copy);
    return node(reader, item);
}

static cJSON *
read_value(reader_t *reader)
{
    bool truth;

    switch (llmlab__json_peek(&reader->json)) {
    case LLMLAB__JSON_OBJECT:
        return read_object(reader);
    case LLMLAB__JSON_ARRAY:
        return read_array(reader);
    case LLMLAB__JSON_STRING:
        return read_text(reader, false);
    case LLMLAB__JSON_NUMBER:
        return read_text(reader, true);
    case LLMLAB__JSON_TRUE:
    case LLMLAB__JSON_FALSE:
        return llmlab__json_bool(&reader->json, &truth)
                   ? node(reader, cJSON_CreateBool(truth))
                   : fail_syntax(reader);
    case LLMLAB__JSON_NULL:
        return llmlab__json_null(&reader->json)
                   ? node(reader, cJSON_CreateNull())
                   : fail_syntax(reader);
    case LLMLAB__JSON_END:
    default:
        return fail_syntax(reader);
    }
}

/* The detail of a parse error: where a person's editor finds it. */
static llmlab_status_t
fail_at(const reader_t *reader)
{
    unsigned long line = 1;
    unsigned long column = 1;
    size_t i;

    if (reader->status != LLMLAB_EPARSE) {
        return llmlab__fail(reader->status, "out of memory");
    }
    for (i = 0; i < reader->offset; i++) {
        column++;
        if (reader->json.start[i] == '\n') {
            line++;
            column = 1;
        }
    }
    return llmlab__fail(LLMLAB_EPARSE, "line %lu, column %lu: %s", line, column,
                        reader->reason);
}

llmlab_status_t
llmlab__json_dom_parse(cJSON **out, const char *text, size_t size,
                       unsigned max_depth)
{
    reader_t reader = {.status = LLMLAB_OK};
    cJSON *root = NULL;

    if (out == NULL || (text == NULL && size != 0)) {
        return llmlab__fail(LLMLAB_EINVAL, "no text, or nowhere to put it");
    }
    *out = NULL;
    llmlab__json_init(&reader.json, text ? text : "", size);
    if (max_depth != 0 && max_depth < LLMLAB__JSON_DEPTH) {
        reader.json.max_depth = max_depth;
    }
    if (check_utf8(&reader)) {
        root = read_value(&reader);
    }
    if (root != NULL && !llmlab__json_at_end(&reader.json)) {
        fail(&reader, LLMLAB_EPARSE, "something follows the value",
             reader.json.at);
    }
    if (reader.status != LLMLAB_OK) {
        cJSON_Delete(root);
        return fail_at(&reader);
    }
    *out = root;
    return LLMLAB_OK;
}

const cJSON *
llmlab__json_dom_get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *
llmlab__json_dom_string(const cJSON *item)
{
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

const char *
llmlab__json_dom_number(const cJSON *item)
{
    return cJSON_IsRaw(item) ? item->valuestring : NULL;
}

bool
llmlab__json_dom_int(const cJSON *item, int64_t *out)
{
    llmlab__json_text_t number = {llmlab__json_dom_number(item), 0, false};

    if (number.data == NULL) {
        return false;
    }
    number.size = strlen(number.data);
    return llmlab__json_int(&number, out) == 0;
}
