/* A lock that a fork cannot leave held: it knows in which process its holder
 * lived. For short sections that are rarely entered. What it guards may be
 * half-changed in a child, so the owner of the data starts anew there. */
#ifndef LLMLAB_DELIVERY_FORK_LOCK_H
#define LLMLAB_DELIVERY_FORK_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "trace/tracer.h"

typedef struct llmlab__fork_lock_s {
    _Atomic uint64_t holder; /* the holder's fork generation; 0: free */
} llmlab__fork_lock_t;

static inline bool
llmlab__fork_lock_try(llmlab__fork_lock_t *lock)
{
    uint64_t mine = llmlab__fork_generation();
    uint64_t holder = 0;

    if (atomic_compare_exchange_strong(&lock->holder, &holder, mine)) {
        return true;
    }
    /* Held by a thread that this process does not have. */
    return holder != mine &&
           atomic_compare_exchange_strong(&lock->holder, &holder, mine);
}

static inline void
llmlab__fork_lock(llmlab__fork_lock_t *lock)
{
    struct timespec moment = {0, 20000};

    while (!llmlab__fork_lock_try(lock)) {
        nanosleep(&moment, NULL);
    }
}

static inline void
llmlab__fork_unlock(llmlab__fork_lock_t *lock)
{
    atomic_store(&lock->holder, 0);
}

#endif
