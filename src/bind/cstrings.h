/* NUL-terminated copies of the flat layer's strings, for functions that take
 * no sizes. Short ones need no allocation. */
#ifndef LLMLAB_BIND_CSTRINGS_H
#define LLMLAB_BIND_CSTRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

typedef struct llmlab__cstrings_s {
    size_t used;
    unsigned heaps;
    char *heap[4];
    char local[512];
} llmlab__cstrings_t;

static inline void
llmlab__cstrings_init(llmlab__cstrings_t *strings)
{
    strings->used = 0;
    strings->heaps = 0;
}

/* A copy; NULL for an empty string and when out of memory, which leaves the
 * fact unstated. At most four strings are longer than the local room. */
static inline const char *
llmlab__cstring(llmlab__cstrings_t *strings, const char *data, size_t size)
{
    char *copy;

    if (data == NULL || size == 0) {
        return NULL;
    }
    if (size < sizeof strings->local - strings->used) {
        copy = strings->local + strings->used;
        strings->used += size + 1;
        memcpy(copy, data, size);
        copy[size] = '\0';
        return copy;
    }
    copy = llmlab__strndup(data, size);
    strings->heap[strings->heaps++] = copy;
    return copy;
}

static inline void
llmlab__cstrings_cleanup(llmlab__cstrings_t *strings)
{
    while (strings->heaps > 0) {
        llmlab__free(strings->heap[--strings->heaps]);
    }
}

#endif
