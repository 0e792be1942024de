/* Has this process been forked since? A word in a page that reads as zero in a
 * child (MADV_WIPEONFORK, raw clone() included), so that the question costs one
 * load. For systems without such a page, or that only say to have one, a
 * pthread_atfork handler clears the word; it does nothing else, because other
 * threads of the parent may have held any lock. */
#ifndef LLMLAB_TRACE_GENERATION_H
#define LLMLAB_TRACE_GENERATION_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic(_Atomic uint64_t *) llmlab__generation_word;

/* 0: not known yet, ask llmlab__fork_generation(). */
static inline uint64_t
llmlab__generation_now(void)
{
    return atomic_load_explicit(
        atomic_load_explicit(&llmlab__generation_word, memory_order_acquire),
        memory_order_relaxed);
}

#endif
