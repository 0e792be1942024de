#include "services/ingest_fields.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/u128.h"

const char *const llmlab__kind_names[LLMLAB_SPAN_KINDS] = {
#define KIND_NAME_(name, value, wire) [value] = wire,
    LLMLAB_SPAN_KIND_MAP(KIND_NAME_)
#undef KIND_NAME_
};

/* U+0000 would end the text for half of those who read it later. */
static bool
nul_replace(llmlab__arena_t *arena, llmlab__text_t *text)
{
    size_t nuls = 0;
    char *out;
    size_t at = 0;

    for (size_t i = 0; i < text->size; i++) {
        nuls += text->data[i] == '\0';
    }
    if (nuls == 0) {
        return true;
    }
    out = llmlab__arena_alloc(arena, text->size + 2 * nuls);
    if (out == NULL) {
        return false;
    }
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] == '\0') {
            memcpy(out + at, "\xef\xbf\xbd", 3);
            at += 3;
        } else {
            out[at++] = text->data[i];
        }
    }
    text->data = out;
    text->size = at;
    return true;
}

static const char *
text_decode(const llmlab__json_text_t *raw, llmlab__arena_t *arena,
            llmlab__text_t *out)
{
    char *decoded;

    out->data = raw->data;
    out->size = raw->size;
    if (!raw->escaped) {
        return NULL;
    }
    decoded = llmlab__arena_alloc(arena, raw->size + 1);
    if (decoded == NULL) {
        return "no_memory";
    }
    out->data = decoded;
    out->size = llmlab__json_unescape(raw, decoded, raw->size + 1);
    return nul_replace(arena, out) ? NULL : "no_memory";
}

const char *
llmlab__field_text(llmlab__json_t *json, llmlab__arena_t *arena, size_t max,
                   llmlab__text_t *out)
{
    llmlab__json_text_t raw;

    if (!llmlab__json_string(json, &raw)) {
        if (llmlab__json_null(json)) {
            return NULL;
        }
        llmlab__json_skip(json);
        return "type";
    }
    /* An escape is at least as long as what it stands for. */
    if (raw.size > max) {
        return "too_large";
    }
    return text_decode(&raw, arena, out);
}

const char *
llmlab__field_id(llmlab__json_t *json, size_t digits, uint64_t *high,
                 uint64_t *low)
{
    llmlab__json_text_t raw;

    if (!llmlab__json_string(json, &raw)) {
        llmlab__json_skip(json);
        return "type";
    }
    if (raw.size != digits ||
        (digits == 32 && llmlab__unhex64(raw.data, high) != 0) ||
        llmlab__unhex64(raw.data + digits - 16, low) != 0) {
        return "format";
    }
    return (digits == 32 ? *high | *low : *low) == 0 ? "format" : NULL;
}

const char *
llmlab__field_time(llmlab__json_t *json, int64_t *out_ns)
{
    llmlab__json_text_t raw;

    if (!llmlab__json_string(json, &raw)) {
        llmlab__json_skip(json);
        return "type";
    }
    /* A date alone is a time elsewhere, not here. */
    return raw.size < 20 || llmlab__time_parse(raw.data, raw.size, out_ns) != 0
               ? "format"
               : NULL;
}

const char *
llmlab__field_ms(llmlab__json_t *json, int64_t *out_ns)
{
    llmlab__json_text_t raw;
    int64_t value = 0;
    int decimals = -1; /* -1: before the point */

    if (!llmlab__json_number(json, &raw)) {
        llmlab__json_skip(json);
        return "type";
    }
    if (raw.data[0] == '-') {
        return "range";
    }
    for (size_t i = 0; i < raw.size; i++) {
        char c = raw.data[i];

        if (c == '.') {
            decimals = 0;
        } else if (c < '0' || c > '9') {
            double ms = llmlab__json_double(&raw); /* an exponent: rare */

            if (!(ms < 9e12)) {
                return "range";
            }
            *out_ns = (int64_t)(ms * 1e6 + 0.5);
            return NULL;
        } else if (decimals < 6) {
            if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, c - '0', &value)) {
                return "range";
            }
            decimals += decimals >= 0;
        }
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 6; i++) {
        if (__builtin_mul_overflow(value, 10, &value)) {
            return "range";
        }
    }
    *out_ns = value;
    return NULL;
}

const char *
llmlab__field_number(llmlab__json_t *json, uint64_t *out)
{
    llmlab__json_text_t raw;
    int fault;

    if (!llmlab__json_number(json, &raw)) {
        llmlab__json_skip(json);
        return "type";
    }
    fault = llmlab__json_count(&raw, out);
    return fault == 0 ? NULL : fault == -1 ? "format" : "range";
}

bool
llmlab__money_split(llmlab_money_t money, int64_t *nano, int64_t *rest)
{
    llmlab__u128_t femto = llmlab__u128_of(money);
    llmlab__u128_t whole = femto / LLMLAB__FEMTO_PER_NANO;

    if (whole > (llmlab__u128_t)INT64_MAX) {
        return false;
    }
    *nano = (int64_t)whole;
    *rest = (int64_t)(femto % LLMLAB__FEMTO_PER_NANO);
    return true;
}

llmlab_money_t
llmlab__money_join(int64_t nano, int64_t rest)
{
    return llmlab__money_of((llmlab__u128_t)(uint64_t)nano *
                                LLMLAB__FEMTO_PER_NANO +
                            (llmlab__u128_t)(uint64_t)rest);
}

const char *
llmlab__field_money(llmlab__json_t *json, bool *present, int64_t *nano,
                    int64_t *rest)
{
    llmlab__json_text_t raw;
    llmlab_money_t money;
    int inexact = 0;
    llmlab_status_t status;

    *present = false;
    if (!llmlab__json_string(json, &raw)) {
        if (llmlab__json_null(json)) {
            return NULL;
        }
        llmlab__json_skip(json);
        return "type";
    }
    status = llmlab_money_parse(&money, raw.data, raw.size, &inexact);
    if (status == LLMLAB_EOVERFLOW) {
        return "range";
    }
    if (status != LLMLAB_OK || inexact != 0) {
        return "format";
    }
    if (!llmlab__money_split(money, nano, rest)) {
        return "range";
    }
    *present = true;
    return NULL;
}

const char *
llmlab__field_tags(llmlab__json_t *json, llmlab__arena_t *arena,
                   llmlab__text_t *out)
{
    llmlab__json_text_t tags[LLMLAB__STEP_TAGS];
    const char *bad = NULL;
    size_t count = 0;
    size_t size = 2;
    char *array;
    char *at;

    if (!llmlab__json_enter_array(json)) {
        if (llmlab__json_null(json)) {
            return NULL;
        }
        llmlab__json_skip(json);
        return "type";
    }
    while (llmlab__json_next_element(json)) {
        llmlab__json_text_t tag;

        if (!llmlab__json_string(json, &tag)) {
            bad = "type";
            llmlab__json_skip(json);
        } else if (count == LLMLAB__STEP_TAGS || tag.size > LLMLAB__LABEL_MAX) {
            bad = "too_large";
        } else if (tag.size > 0) {
            tags[count++] = tag;
            size += tag.size + 3;
        }
    }
    if (bad != NULL || count == 0) {
        return bad;
    }
    array = llmlab__arena_alloc(arena, size);
    if (array == NULL) {
        return "no_memory";
    }
    at = array;
    for (size_t i = 0; i < count; i++) {
        *at++ = i == 0 ? '[' : ',';
        *at++ = '"';
        memcpy(at, tags[i].data, tags[i].size);
        at += tags[i].size;
        *at++ = '"';
    }
    *at++ = ']';
    out->data = array;
    out->size = (size_t)(at - array);
    return NULL;
}

const char *
llmlab__field_raw(llmlab__json_t *json, unsigned types, llmlab__text_t *out)
{
    llmlab__json_type_t type = llmlab__json_peek(json);
    llmlab__json_text_t raw;

    if (type == LLMLAB__JSON_NULL) {
        llmlab__json_null(json);
        return NULL;
    }
    if ((types & 1u << type) == 0) {
        llmlab__json_skip(json);
        return "type";
    }
    if (llmlab__json_raw(json, &raw)) {
        out->data = raw.data;
        out->size = raw.size;
    }
    return NULL;
}

const char *
llmlab__field_enum(llmlab__json_t *json, const char *const *names, size_t count,
                   uint8_t *out)
{
    llmlab__json_text_t raw;

    if (!llmlab__json_string(json, &raw)) {
        llmlab__json_skip(json);
        return "type";
    }
    for (size_t i = 0; i < count; i++) {
        if (names[i] != NULL && strlen(names[i]) == raw.size &&
            memcmp(names[i], raw.data, raw.size) == 0) {
            *out = (uint8_t)i;
            return NULL;
        }
    }
    return "format";
}
