/* All memory of the library comes from here. */
#ifndef LLMLAB_BASE_ALLOC_H
#define LLMLAB_BASE_ALLOC_H

#include <stddef.h>

void *llmlab__alloc(size_t size);                /* not zeroed */
void *llmlab__calloc(size_t count, size_t size); /* overflow-checked */
void *llmlab__realloc(void *memory, size_t size);
void llmlab__free(void *memory);
char *llmlab__strndup(const char *text, size_t size);

#endif
