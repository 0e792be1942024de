#include "usage/measure.h"

#include <string.h>

#include "base/json_bytes.h"

#define ESCAPE_BEGUN 5

/* An escaped character as a byte of its class: of what UTF-8 needs several
 * bytes for, the first tells all. */
static void
add_unit(llmlab__measure_t *text, uint16_t unit)
{
    unsigned char byte = (unsigned char)unit;

    if (unit >= 0xdc00 && unit < 0xe000) {
        return; /* the second half of a pair */
    }
    if (unit >= 0xd800 && unit < 0xdc00) {
        byte = 0xf0;
    } else if (unit >= 0x800) {
        byte = 0xe0;
    } else if (unit >= 0x80) {
        byte = 0xc0;
    }
    llmlab_tokens_add(&text->tokens, (const char *)&byte, 1);
}

static void
take_escaped(llmlab__measure_t *text, char c)
{
    if (text->escape < ESCAPE_BEGUN) {
        text->unit = (uint16_t)(text->unit << 4 | (llmlab__json_hex(c) & 15));
        text->escape--;
        if (text->escape == 0) {
            add_unit(text, text->unit);
        }
        return;
    }
    text->escape = 0;
    switch (c) {
    case 'u':
        text->unit = 0;
        text->escape = 4;
        return;
    case 'n':
    case 'r':
        add_unit(text, '\n');
        return;
    case 't':
        add_unit(text, '\t');
        return;
    default:
        add_unit(text, (unsigned char)c);
        return;
    }
}

void
llmlab__measure_add(llmlab__measure_t *text, const char *raw, size_t size)
{
    const char *end = raw + size;

    while (raw < end) {
        const char *stop;

        if (text->escape > 0) {
            take_escaped(text, *raw++);
            continue;
        }
        stop = memchr(raw, '\\', (size_t)(end - raw));
        if (stop == NULL) {
            stop = end;
        }
        llmlab_tokens_add(&text->tokens, raw, (size_t)(stop - raw));
        raw = stop;
        if (raw < end) {
            text->escape = ESCAPE_BEGUN;
            raw++;
        }
    }
}
