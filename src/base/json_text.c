/* JSON strings decoded. */
#include "base/json_scan.h"

#include "base/json_bytes.h"

typedef struct sink_s {
    char *out;
    size_t capacity; /* without the NUL */
    size_t kept;
    size_t total;
} sink_t;

/* All of a character's bytes or none; nothing after the first that did not
 * fit. */
static void
sink_put(sink_t *sink, const char *bytes, size_t size)
{
    if (sink->kept == sink->total && size <= sink->capacity - sink->kept) {
        memcpy(sink->out + sink->kept, bytes, size);
        sink->kept += size;
    }
    sink->total += size;
}

static void
sink_put_code_point(sink_t *sink, uint32_t code)
{
    char bytes[4];
    size_t size;

    if (code < 0x80) {
        bytes[0] = (char)code;
        size = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xc0 | (code >> 6));
        bytes[1] = (char)(0x80 | (code & 0x3f));
        size = 2;
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | (code >> 12));
        bytes[1] = (char)(0x80 | ((code >> 6) & 0x3f));
        bytes[2] = (char)(0x80 | (code & 0x3f));
        size = 3;
    } else {
        bytes[0] = (char)(0xf0 | (code >> 18));
        bytes[1] = (char)(0x80 | ((code >> 12) & 0x3f));
        bytes[2] = (char)(0x80 | ((code >> 6) & 0x3f));
        bytes[3] = (char)(0x80 | (code & 0x3f));
        size = 4;
    }
    sink_put(sink, bytes, size);
}

/* The four hex digits behind \u, or -1. */
static int32_t
hex_unit(const char *p, const char *end)
{
    int32_t unit = 0;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return -1;
    }
    for (int i = 2; i < 6; i++) {
        int digit = llmlab__json_hex(p[i]);

        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

static const char *
unescape_unicode(sink_t *sink, const char *p, const char *end)
{
    int32_t unit = hex_unit(p, end);
    int32_t low;

    if (unit < 0) {
        sink_put_code_point(sink, 0xfffd);
        return p + 2;
    }
    p += 6;
    if (unit < 0xd800 || unit > 0xdfff) {
        sink_put_code_point(sink, (uint32_t)unit);
        return p;
    }
    low = unit < 0xdc00 ? hex_unit(p, end) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        sink_put_code_point(sink, 0xfffd);
        return p;
    }
    sink_put_code_point(sink, 0x10000 + (((uint32_t)unit - 0xd800) << 10) +
                                  ((uint32_t)low - 0xdc00));
    return p + 6;
}

/* The bytes of the UTF-8 character at p: 1 where it is none. */
static size_t
character_size(const char *p, const char *end)
{
    unsigned char lead = (unsigned char)*p;
    size_t size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if ((size_t)(end - p) < size) {
        return 1;
    }
    for (size_t i = 1; i < size; i++) {
        if (((unsigned char)p[i] & 0xc0) != 0x80) {
            return 1;
        }
    }
    return size;
}

size_t
llmlab__json_unescape(const llmlab__json_text_t *text, char *out,
                      size_t capacity)
{
    static const char plain[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    sink_t sink = {out, capacity == 0 ? 0 : capacity - 1, 0, 0};
    const char *p = text->data;
    const char *end = p + text->size;

    while (p < end) {
        if (*p != '\\' || end - p < 2) {
            size_t size = character_size(p, end);

            sink_put(&sink, p, size);
            p += size;
        } else if (p[1] == 'u') {
            p = unescape_unicode(&sink, p, end);
        } else {
            char c = p[1];

            for (const char *pair = plain; *pair != '\0'; pair += 2) {
                if (pair[0] == c) {
                    c = pair[1];
                    break;
                }
            }
            sink_put(&sink, &c, 1);
            p += 2;
        }
    }
    if (capacity > 0) {
        out[sink.kept] = '\0';
    }
    return sink.total;
}
