#include "store/sqlite/changes.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "store/hash.h"

/* Days in memory: 24 bytes each. Above it the oldest knowledge goes. */
#define CHANGES_MAX (256 * 1024)

void
llmlab__changes_init(llmlab__changes_t *changes)
{
    memset(changes, 0, sizeof(*changes));
    (void)pthread_mutex_init(&changes->lock, NULL);
}

void
llmlab__changes_cleanup(llmlab__changes_t *changes)
{
    llmlab__free(changes->slots);
    (void)pthread_mutex_destroy(&changes->lock);
}

void
llmlab__changes_set_base(llmlab__changes_t *changes, uint64_t number)
{
    pthread_mutex_lock(&changes->lock);
    changes->base = number;
    pthread_mutex_unlock(&changes->lock);
}

static llmlab__change_t *
slot_find(const llmlab__changes_t *changes, int64_t project, int64_t day)
{
    uint64_t hash =
        llmlab__hash_mix(llmlab__hash_mix((uint64_t)project) ^ (uint64_t)day);
    size_t mask = changes->capacity - 1;
    size_t at = hash & mask;

    while (changes->slots[at].project != 0 &&
           (changes->slots[at].project != project ||
            changes->slots[at].day != day)) {
        at = (at + 1) & mask;
    }
    return &changes->slots[at];
}

/* Room for one more. Without memory what is known shrinks to "anything may
 * have changed", which is slow and never wrong. */
static bool
room(llmlab__changes_t *changes, uint64_t number)
{
    size_t capacity = changes->capacity == 0 ? 256 : changes->capacity * 2;
    llmlab__change_t *old = changes->slots;
    size_t old_capacity = changes->capacity;

    if (changes->count * 2 < changes->capacity) {
        return true;
    }
    changes->slots = capacity > CHANGES_MAX
                         ? NULL
                         : llmlab__calloc(capacity, sizeof(*changes->slots));
    changes->capacity = changes->slots == NULL ? 0 : capacity;
    if (changes->slots == NULL) {
        changes->count = 0;
        changes->base = number;
    }
    for (size_t i = 0; i < old_capacity && changes->slots != NULL; i++) {
        if (old[i].project != 0) {
            *slot_find(changes, old[i].project, old[i].day) = old[i];
        }
    }
    llmlab__free(old);
    return changes->slots != NULL;
}

void
llmlab__changes_note(llmlab__changes_t *changes, int64_t project, int64_t day,
                     uint64_t number)
{
    llmlab__change_t *slot;

    pthread_mutex_lock(&changes->lock);
    if (room(changes, number)) {
        slot = slot_find(changes, project, day);
        changes->count += slot->project == 0;
        slot->project = project;
        slot->day = day;
        slot->number = number;
    }
    pthread_mutex_unlock(&changes->lock);
}

uint64_t
llmlab__changes_last(llmlab__changes_t *changes, int64_t project, int64_t from,
                     int64_t to)
{
    uint64_t last;

    pthread_mutex_lock(&changes->lock);
    last = changes->base;
    for (int64_t day = from; day < to && changes->capacity > 0; day++) {
        const llmlab__change_t *slot = slot_find(changes, project, day);

        if (slot->project != 0 && slot->number > last) {
            last = slot->number;
        }
    }
    pthread_mutex_unlock(&changes->lock);
    return last;
}
