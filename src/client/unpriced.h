/* The names of models that have no price: a few of each, so that a user sees
 * what to add. Noting one neither waits nor allocates: what comes while
 * another thread notes, or finds no room, is left to the plain count of
 * unpriced calls. */
#ifndef LLMLAB_CLIENT_UNPRICED_H
#define LLMLAB_CLIENT_UNPRICED_H

#include <stdint.h>

#include "base/json_write.h"
#include "delivery/fork_lock.h"

enum { LLMLAB__UNPRICED_NAMES = 32 };

typedef struct llmlab__unpriced_name_s {
    char provider[32];
    char model[128];
    uint64_t calls;
} llmlab__unpriced_name_t;

typedef struct llmlab__unpriced_s {
    llmlab__fork_lock_t lock;
    unsigned count;
    llmlab__unpriced_name_t names[LLMLAB__UNPRICED_NAMES];
} llmlab__unpriced_t;

/* Any thread. */
void llmlab__unpriced_note(llmlab__unpriced_t *unpriced, const char *provider,
                           const char *model);
/* An array of {"provider","model","calls"}. */
void llmlab__unpriced_write(llmlab__unpriced_t *unpriced,
                            llmlab__json_out_t *out);

#endif
