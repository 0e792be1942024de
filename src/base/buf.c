#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define FIRST_CAPACITY 256

void
llmlab__buf_init(llmlab__buf_t *buf)
{
    memset(buf, 0, sizeof(*buf));
}

void
llmlab__buf_cleanup(llmlab__buf_t *buf)
{
    llmlab__free(buf->data);
    llmlab__buf_init(buf);
}

void
llmlab__buf_clear(llmlab__buf_t *buf)
{
    buf->size = 0;
    buf->failed = false;
}

static unsigned char *
grow(llmlab__buf_t *buf, size_t size)
{
    size_t needed;
    size_t capacity = buf->capacity > 0 ? buf->capacity : FIRST_CAPACITY;
    unsigned char *data;

    if (__builtin_add_overflow(buf->size, size, &needed)) {
        buf->failed = true;
        return NULL;
    }
    while (capacity < needed) {
        if (__builtin_mul_overflow(capacity, 2, &capacity)) {
            capacity = needed;
        }
    }
    data = llmlab__realloc(buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return NULL;
    }
    buf->data = data;
    buf->capacity = capacity;
    return buf->data + buf->size;
}

unsigned char *
llmlab__buf_reserve(llmlab__buf_t *buf, size_t size)
{
    if (buf->failed) {
        return NULL;
    }
    if (buf->data == NULL || size > buf->capacity - buf->size) {
        return grow(buf, size);
    }
    return buf->data + buf->size;
}

void
llmlab__buf_append(llmlab__buf_t *buf, const void *bytes, size_t size)
{
    unsigned char *at = llmlab__buf_reserve(buf, size);

    if (at != NULL && size > 0) {
        memcpy(at, bytes, size);
        buf->size += size;
    }
}

void
llmlab__buf_text(llmlab__buf_t *buf, const char *text)
{
    llmlab__buf_append(buf, text, strlen(text));
}

void
llmlab__buf_printf(llmlab__buf_t *buf, const char *format, ...)
{
    va_list arguments;
    va_list again;
    unsigned char *at;
    int size;

    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, arguments);
    at = size < 0 ? NULL : llmlab__buf_reserve(buf, (size_t)size + 1);
    if (at != NULL) {
        vsnprintf((char *)at, (size_t)size + 1, format, again);
        buf->size += (size_t)size;
    } else {
        buf->failed = true;
    }
    va_end(again);
    va_end(arguments);
}
