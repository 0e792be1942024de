#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <llmlab/client.h>
#include <llmlab/sys/alloc.h>

static void *
libc_alloc(size_t size, void *payload)
{
    (void)payload;
    return malloc(size);
}

static void *
libc_resize(void *memory, size_t size, void *payload)
{
    (void)payload;
    return realloc(memory, size);
}

static void
libc_free(void *memory, void *payload)
{
    (void)payload;
    free(memory);
}

static const llmlab_allocator_t libc = {libc_alloc, libc_resize, libc_free,
                                        NULL};
static llmlab_allocator_t current = {libc_alloc, libc_resize, libc_free, NULL};

void
llmlab_set_allocator(const llmlab_allocator_t *allocator)
{
    current = allocator != NULL ? *allocator : libc;
}

/* A size of 0 would let the allocator answer NULL, which means failure. */
void *
llmlab__alloc(size_t size)
{
    return current.alloc(size > 0 ? size : 1, current.payload);
}

void *
llmlab__calloc(size_t count, size_t size)
{
    size_t bytes;
    void *memory;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    memory = llmlab__alloc(bytes);
    if (memory != NULL) {
        memset(memory, 0, bytes);
    }
    return memory;
}

void *
llmlab__realloc(void *memory, size_t size)
{
    return current.resize(memory, size > 0 ? size : 1, current.payload);
}

void
llmlab__free(void *memory)
{
    if (memory != NULL) {
        current.free(memory, current.payload);
    }
}

char *
llmlab__strndup(const char *text, size_t size)
{
    char *copy = size < SIZE_MAX ? llmlab__alloc(size + 1) : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (size > 0) {
        memcpy(copy, text, size);
    }
    copy[size] = '\0';
    return copy;
}

void
llmlab_free(void *memory)
{
    llmlab__free(memory);
}
