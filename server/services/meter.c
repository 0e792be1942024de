#include "services/meter.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/hash.h"

/* Many locks, so that threads seldom meet. */
#define SHARDS 32
#define SLOTS  1024
#define PROBES 16

typedef struct slot_s {
    llmlab__meter_kind_t kind; /* 0: empty */
    int64_t id;
    int64_t begin_ns; /* of the window, monotonic; 0: none has begun */
    int64_t window_ns;
    int64_t count;
    int64_t used_ns; /* real time; 0: handed over */
    unsigned char mark[32];
} slot_t;

typedef struct shard_s {
    pthread_mutex_t lock;
    slot_t slots[SLOTS];
} shard_t;

struct llmlab__meter_s {
    shard_t shards[SHARDS];
};

llmlab_status_t
llmlab__meter_new(llmlab__meter_t **out)
{
    llmlab__meter_t *meter = llmlab__calloc(1, sizeof(*meter));

    *out = meter;
    if (meter == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for the limits");
    }
    for (int i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_init(&meter->shards[i].lock, NULL);
    }
    return LLMLAB_OK;
}

void
llmlab__meter_destroy(llmlab__meter_t *meter)
{
    if (meter == NULL) {
        return;
    }
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&meter->shards[i].lock);
    }
    llmlab__free(meter);
}

/* Who may be forgotten first: whose window is over, then the oldest. */
static bool
is_older(const slot_t *a, const slot_t *b)
{
    return a->begin_ns + a->window_ns < b->begin_ns + b->window_ns;
}

/* The slot of one, locked; a new one takes the place of the oldest. */
static slot_t *
lock(llmlab__meter_t *meter, llmlab__meter_kind_t kind, int64_t id,
     shard_t **out)
{
    uint64_t key[2] = {(uint64_t)kind, (uint64_t)id};
    uint64_t hash = llmlab__hash_bytes(llmlab__hash_seed, key, sizeof(key));
    shard_t *shard = &meter->shards[hash % SHARDS];
    size_t at = (size_t)(hash / SHARDS % SLOTS);
    slot_t *oldest = NULL;

    *out = shard;
    pthread_mutex_lock(&shard->lock);
    for (size_t i = 0; i < PROBES; i++) {
        slot_t *slot = &shard->slots[(at + i) % SLOTS];

        if (slot->kind == kind && slot->id == id) {
            return slot;
        }
        if (slot->kind == 0) {
            oldest = slot;
            break;
        }
        if (oldest == NULL || is_older(slot, oldest)) {
            oldest = slot;
        }
    }
    memset(oldest, 0, sizeof(*oldest));
    oldest->kind = kind;
    oldest->id = id;
    return oldest;
}

static bool
measure(llmlab__meter_t *meter, llmlab__meter_kind_t kind, int64_t id,
        int64_t quota, int64_t window_ns, int64_t add, llmlab__reading_t *out)
{
    int64_t now = llmlab__clock_mono_ns();
    shard_t *shard;
    slot_t *slot = lock(meter, kind, id, &shard);
    bool allowed;

    if (slot->begin_ns == 0 || now - slot->begin_ns >= window_ns) {
        slot->begin_ns = now;
        slot->window_ns = window_ns;
        slot->count = 0;
    }
    allowed = slot->count < quota;
    if (allowed) {
        slot->count += add;
    }
    if (out != NULL) {
        out->left = allowed ? quota - slot->count : 0;
        out->reset_ns = slot->begin_ns + window_ns - now;
    }
    pthread_mutex_unlock(&shard->lock);
    return allowed;
}

bool
llmlab__meter_take(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                   int64_t id, int64_t quota, int64_t window_ns,
                   llmlab__reading_t *out)
{
    return measure(meter, kind, id, quota, window_ns, 1, out);
}

bool
llmlab__meter_look(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                   int64_t id, int64_t quota, int64_t window_ns,
                   llmlab__reading_t *out)
{
    return measure(meter, kind, id, quota, window_ns, 0, out);
}

void
llmlab__meter_forget(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                     int64_t id)
{
    shard_t *shard;
    slot_t *slot = lock(meter, kind, id, &shard);

    slot->count = 0;
    slot->begin_ns = 0;
    pthread_mutex_unlock(&shard->lock);
}

void
llmlab__meter_use(llmlab__meter_t *meter, llmlab__meter_kind_t kind, int64_t id,
                  const unsigned char *mark)
{
    shard_t *shard;
    slot_t *slot = lock(meter, kind, id, &shard);

    slot->used_ns = llmlab__clock_real_ns();
    if (mark != NULL) {
        memcpy(slot->mark, mark, sizeof(slot->mark));
    }
    pthread_mutex_unlock(&shard->lock);
}

int64_t
llmlab__meter_used(llmlab__meter_t *meter, llmlab__meter_kind_t kind,
                   int64_t id)
{
    shard_t *shard;
    slot_t *slot = lock(meter, kind, id, &shard);
    int64_t used = slot->used_ns;

    pthread_mutex_unlock(&shard->lock);
    return used;
}

unsigned
llmlab__meter_collect(llmlab__meter_t *meter, unsigned most,
                      llmlab__meter_fn visit, void *payload)
{
    unsigned count = 0;

    for (int i = 0; i < SHARDS; i++) {
        shard_t *shard = &meter->shards[i];

        pthread_mutex_lock(&shard->lock);
        for (int j = 0; j < SLOTS && count < most; j++) {
            slot_t *slot = &shard->slots[j];

            if (slot->used_ns != 0) {
                visit(payload, slot->kind, slot->id, slot->mark, slot->used_ns);
                slot->used_ns = 0;
                count++;
            }
        }
        pthread_mutex_unlock(&shard->lock);
    }
    return count;
}
