/* A growing byte buffer. A failed growth sets failed and later appends do
 * nothing, so that a writer checks once, at the end. */
#ifndef LLMLAB_BASE_BUF_H
#define LLMLAB_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct llmlab__buf_s {
    unsigned char *data;
    size_t size;
    size_t capacity;
    bool failed;
} llmlab__buf_t;

void llmlab__buf_init(llmlab__buf_t *buf);
void llmlab__buf_cleanup(llmlab__buf_t *buf);
void llmlab__buf_clear(llmlab__buf_t *buf); /* keeps the memory */
/* Room for size more bytes, or NULL. The caller adds to buf->size. */
unsigned char *llmlab__buf_reserve(llmlab__buf_t *buf, size_t size);
void llmlab__buf_append(llmlab__buf_t *buf, const void *bytes, size_t size);
void llmlab__buf_text(llmlab__buf_t *buf, const char *text);
void llmlab__buf_printf(llmlab__buf_t *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
