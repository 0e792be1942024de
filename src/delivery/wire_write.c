#include "delivery/wire_write.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define NS_PER_S  INT64_C(1000000000)
#define MILLION   INT64_C(1000000)
#define DATE_SIZE 20 /* "2026-08-21T07:09:40." */

void
llmlab__wire_init(llmlab__wire_t *wire, llmlab__buf_t *buf)
{
    llmlab__json_out_init(&wire->json, buf);
    wire->second = INT64_MIN;
}

#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)
/* Longer text goes the general way: it may grow sixfold. */
#define SHORT_TEXT ((size_t)256)

/* Do eight bytes go into JSON as they are? Wrong only towards "no". */
static inline bool
is_plain(uint64_t word)
{
    uint64_t control = word - ONES * 0x20;
    uint64_t quote = (word ^ ONES * '"') - ONES;
    uint64_t slash = (word ^ ONES * '\\') - ONES;

    return ((control | quote | slash | word) & TOPS) == 0;
}

/* Copy size bytes that need no escape; false at the first that does. */
static bool
copy_plain(unsigned char *out, const char *text, size_t size)
{
    uint64_t word = ONES * ' ';

    for (; size >= 8; text += 8, out += 8, size -= 8) {
        memcpy(&word, text, 8);
        if (!is_plain(word)) {
            return false;
        }
        memcpy(out, &word, 8);
    }
    word = ONES * ' ';
    memcpy(&word, text, size);
    memcpy(out, &word, size);
    return is_plain(word);
}

void
llmlab__wire_string(llmlab__json_out_t *json, const char *text, size_t size)
{
    llmlab__buf_t *buf = json->buf;
    unsigned char *at;

    if (size > SHORT_TEXT || buf->failed ||
        buf->capacity - buf->size < size + 3) {
        llmlab__json_put_string(json, text, size);
        return;
    }
    at = buf->data + buf->size;
    if (json->comma) {
        *at++ = ',';
    }
    *at++ = '"';
    if (!copy_plain(at, text, size)) {
        llmlab__json_put_string(json, text, size);
        return;
    }
    at[size] = '"';
    buf->size = (size_t)(at - buf->data) + size + 1;
    json->comma = true;
}

static void
put_digits(char *at, uint32_t value, int digits)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void
llmlab__wire_time(llmlab__wire_t *wire, int64_t unix_ns)
{
    int64_t second = unix_ns / NS_PER_S;
    int64_t rest = unix_ns % NS_PER_S;
    char text[LLMLAB__TIME_TEXT + 2];

    if (rest < 0 && second > INT64_MIN / NS_PER_S) {
        second--;
        rest += NS_PER_S;
    }
    rest = rest < 0 ? 0 : rest;
    if (second != wire->second) {
        llmlab__time_format(second * NS_PER_S, text);
        memcpy(wire->second_text, text, DATE_SIZE - 1);
        wire->second_text[DATE_SIZE - 1] = '.';
        wire->second = second;
    }
    text[0] = '"';
    memcpy(text + 1, wire->second_text, DATE_SIZE);
    put_digits(text + 1 + DATE_SIZE, (uint32_t)rest, 9);
    text[DATE_SIZE + 10] = 'Z';
    text[DATE_SIZE + 11] = '"';
    llmlab__wire_raw(&wire->json, text, DATE_SIZE + 12);
}

void
llmlab__wire_millionths(llmlab__wire_t *wire, int64_t value)
{
    char text[32];
    size_t size = 20;
    int64_t whole = value < 0 ? 0 : value / MILLION;
    uint32_t rest = value < 0 ? 0 : (uint32_t)(value % MILLION);
    char *at = text + size;

    do {
        *--at = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole > 0);
    if (rest > 0) {
        text[size++] = '.';
        put_digits(text + size, rest, 6);
        size += 6;
        while (text[size - 1] == '0') {
            size--;
        }
    }
    llmlab__wire_raw(&wire->json, at, (size_t)(text + size - at));
}

void
llmlab__wire_id64(llmlab__wire_t *wire, uint64_t id)
{
    char text[18];

    text[0] = '"';
    llmlab__hex64(id, text + 1);
    text[17] = '"';
    llmlab__wire_raw(&wire->json, text, sizeof(text));
}

void
llmlab__wire_trace_id(llmlab__wire_t *wire, const uint64_t id[2])
{
    char text[34];

    text[0] = '"';
    llmlab__hex64(id[0], text + 1);
    llmlab__hex64(id[1], text + 17);
    text[33] = '"';
    llmlab__wire_raw(&wire->json, text, sizeof(text));
}

void
llmlab__wire_hex(llmlab__wire_t *wire, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;
    char text[66];

    size = size > 32 ? 32 : size;
    text[0] = '"';
    for (size_t i = 0; i < size; i++) {
        text[1 + 2 * i] = digits[at[i] >> 4];
        text[2 + 2 * i] = digits[at[i] & 15];
    }
    text[1 + 2 * size] = '"';
    llmlab__wire_raw(&wire->json, text, 2 * size + 2);
}

void
llmlab__wire_money(llmlab__wire_t *wire, llmlab_money_t amount)
{
    char text[LLMLAB_MONEY_TEXT + 2];
    size_t size = llmlab_money_format(amount, text + 1);

    text[0] = '"';
    text[size + 1] = '"';
    llmlab__wire_raw(&wire->json, text, size + 2);
}

static void
write_counts(llmlab__wire_t *wire, const llmlab_usage_t *usage)
{
    static const struct {
        const char *quoted;
        size_t size;
        bool is_micro;
    } fields[] = {
#define FIELD(name, text)                                 \
    {"\"" text "\":", sizeof(text) + 2,                   \
     LLMLAB_USAGE_##name == LLMLAB_USAGE_AUDIO_SECONDS || \
         LLMLAB_USAGE_##name == LLMLAB_USAGE_OUTPUT_VIDEO_SECONDS},
        LLMLAB_USAGE_MAP(FIELD)
#undef FIELD
    };
    uint64_t left = usage->present;

    while (left != 0) {
        int field = __builtin_ctzll(left);

        left &= left - 1;
        if (field >= LLMLAB_USAGE_FIELDS) {
            break; /* of a later version: its name is not known here */
        }
        llmlab__wire_raw(&wire->json, fields[field].quoted, fields[field].size);
        wire->json.comma = false;
        if (fields[field].is_micro) {
            llmlab__wire_millionths(wire, (int64_t)usage->count[field]);
        } else {
            llmlab__json_put_uint(&wire->json, usage->count[field]);
        }
    }
}

static void
write_parts(llmlab__wire_t *wire, llmlab__view_text_t parts)
{
    llmlab__json_out_t *json = &wire->json;
    llmlab_usage_part_t part;
    size_t cursor = 0;

    llmlab__wire_key(json, "parts");
    llmlab__json_begin_array(json);
    while (llmlab__part_next(parts.data, parts.size, &cursor, &part)) {
        llmlab__json_begin_object(json);
        if (part.model[0] != '\0') {
            llmlab__json_key(json, "model");
            llmlab__json_put_text(json, part.model);
        }
        write_counts(wire, &part.usage);
        llmlab__json_end_object(json);
    }
    llmlab__json_end_array(json);
}

void
llmlab__wire_usage(llmlab__wire_t *wire, const llmlab_usage_t *usage,
                   llmlab__view_text_t parts)
{
    llmlab__json_begin_object(&wire->json);
    write_counts(wire, usage);
    if (parts.size > 0) {
        write_parts(wire, parts);
    }
    llmlab__json_end_object(&wire->json);
}

void
llmlab__wire_tags(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;

    if (!llmlab__view_has(view, LLMLAB__ITEM_TAG)) {
        return;
    }
    llmlab__wire_key(&wire->json, "tags");
    llmlab__json_begin_array(&wire->json);
    while (llmlab__record_next(view->record, &cursor, &item)) {
        if (item.type == LLMLAB__ITEM_TAG) {
            llmlab__wire_string(&wire->json, (const char *)item.value,
                                item.value_size);
        }
    }
    llmlab__json_end_array(&wire->json);
}

void
llmlab__wire_cost_detail(llmlab__wire_t *wire, const llmlab__span_view_t *view)
{
    const llmlab__record_t *record = view->record;
    llmlab__json_out_t *json = &wire->json;

    llmlab__wire_key(json, "cost_detail");
    llmlab__json_begin_object(json);
    llmlab__wire_item(wire, "table", view, LLMLAB__ITEM_PRICE_TABLE);
    llmlab__wire_item(wire, "key", view, LLMLAB__ITEM_PRICE_KEY);
    llmlab__wire_key(json, "match");
    llmlab__wire_name(json, llmlab_match_name(record->match));
    llmlab__wire_key(json, "pricing");
    llmlab__wire_name(json, llmlab_priced_name(record->priced));
    llmlab__wire_key(json, "usage_source");
    llmlab__wire_name(json, llmlab__usage_source_name(record->usage_source));
    llmlab__wire_key(json, "cost_source");
    llmlab__wire_name(json, llmlab__cost_source_name(record->cost_source));
    llmlab__json_end_object(json);
}
