/* Which transaction last changed the sums of a project's day. Transactions
 * are numbered, the number is stored with each, and the writer says here what
 * one changes before it commits: a reader that sees number S, and here no
 * change above S, sees the newest sums. */
#ifndef LLMLAB_STORE_CHANGES_H
#define LLMLAB_STORE_CHANGES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

typedef struct llmlab__change_s {
    int64_t project; /* 0: empty */
    int64_t day;     /* since 1970 */
    uint64_t number;
} llmlab__change_t;

typedef struct llmlab__changes_s {
    pthread_mutex_t lock;
    uint64_t base; /* before it nobody knows which */
    llmlab__change_t *slots;
    size_t count;
    size_t capacity; /* a power of two */
} llmlab__changes_t;

void llmlab__changes_init(llmlab__changes_t *changes);
void llmlab__changes_cleanup(llmlab__changes_t *changes);
/* All that was before this number may have changed anything. */
void llmlab__changes_set_base(llmlab__changes_t *changes, uint64_t number);
void llmlab__changes_note(llmlab__changes_t *changes, int64_t project,
                          int64_t day, uint64_t number);
/* The last change of some days (from included, to excluded). */
uint64_t llmlab__changes_last(llmlab__changes_t *changes, int64_t project,
                              int64_t from, int64_t to);

#endif
