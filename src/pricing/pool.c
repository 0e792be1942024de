#include "pricing/pool.h"

#include <string.h>

#include "base/alloc.h"

#define FIRST_SLOTS 64

typedef struct run_s {
    uint32_t hash;
    uint32_t offset;
    uint32_t size;
} run_t;

void
llmlab__pool_init(llmlab__pool_t *pool)
{
    memset(pool, 0, sizeof(*pool));
}

void
llmlab__pool_cleanup(llmlab__pool_t *pool)
{
    llmlab__buf_cleanup(&pool->bytes);
    llmlab__buf_cleanup(&pool->runs);
    llmlab__free(pool->slots);
    llmlab__pool_init(pool);
}

/* FNV-1a. */
static uint32_t
hash_bytes(const unsigned char *bytes, size_t size)
{
    uint32_t hash = 2166136261u;
    size_t i;

    for (i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

static const run_t *
run_at(const llmlab__pool_t *pool, uint32_t index)
{
    return (const run_t *)(const void *)pool->runs.data + index;
}

static void
place(llmlab__pool_t *pool, uint32_t index)
{
    uint32_t mask = pool->slot_count - 1;
    uint32_t slot = run_at(pool, index)->hash & mask;

    while (pool->slots[slot] != 0) {
        slot = (slot + 1) & mask;
    }
    pool->slots[slot] = index + 1;
}

/* Keep at least half of the slots free. */
static bool
make_room(llmlab__pool_t *pool)
{
    uint32_t count = (uint32_t)(pool->runs.size / sizeof(run_t));
    uint32_t slot_count =
        pool->slot_count > 0 ? pool->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots;
    uint32_t i;

    if (count * 2 < pool->slot_count) {
        return true;
    }
    slots = llmlab__calloc(slot_count, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    llmlab__free(pool->slots);
    pool->slots = slots;
    pool->slot_count = slot_count;
    for (i = 0; i < count; i++) {
        place(pool, i);
    }
    return true;
}

uint32_t
llmlab__pool_add(llmlab__pool_t *pool, const void *bytes, size_t size)
{
    run_t run = {hash_bytes(bytes, size), (uint32_t)pool->bytes.size,
                 (uint32_t)size};
    uint32_t slot;

    if (size == 0 || pool->failed) {
        return 0;
    }
    if (size > UINT32_MAX / 2 - pool->bytes.size || !make_room(pool)) {
        pool->failed = true;
        return 0;
    }
    slot = run.hash & (pool->slot_count - 1);
    while (pool->slots[slot] != 0) {
        const run_t *other = run_at(pool, pool->slots[slot] - 1);

        if (other->hash == run.hash && other->size == size &&
            memcmp(pool->bytes.data + other->offset, bytes, size) == 0) {
            return other->offset;
        }
        slot = (slot + 1) & (pool->slot_count - 1);
    }
    llmlab__buf_append(&pool->bytes, bytes, size);
    llmlab__buf_append(&pool->runs, &run, sizeof(run));
    if (pool->bytes.failed || pool->runs.failed) {
        pool->failed = true;
        return 0;
    }
    pool->slots[slot] = (uint32_t)(pool->runs.size / sizeof(run_t));
    return run.offset;
}
