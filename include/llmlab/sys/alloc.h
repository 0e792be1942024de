/* Unstable: may change with any minor version.
 *
 * The allocator of the whole library. Set it before the first other call. */
#ifndef LLMLAB_SYS_ALLOC_H
#define LLMLAB_SYS_ALLOC_H

#include <stddef.h>

#include <llmlab/export.h>
#include <llmlab/status.h>

typedef struct llmlab_allocator_s {
    void *(*alloc)(size_t size, void *payload);
    void *(*resize)(void *memory, size_t size, void *payload);
    void (*free)(void *memory, void *payload);
    void *payload;
} llmlab_allocator_t;

LLMLAB_BEGIN_DECLS

/** Copied; NULL: the C library's again. Not safe once anything was
 * allocated. */
LLMLAB_API void llmlab_set_allocator(const llmlab_allocator_t *allocator);

LLMLAB_END_DECLS

#endif
