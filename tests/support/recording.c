#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "queue/ring_set.h"
#include "support/recording.h"

static recording_t *
of(llmlab__tracer_t *tracer)
{
    return (recording_t *)(void *)tracer;
}

/* A lock that another thread of the parent held at the fork does not bind the
 * child: its word is of another generation. */
static void
lock(recording_t *recording, uint64_t generation)
{
    uint64_t seen = 0;

    while (
        !atomic_compare_exchange_weak(&recording->locked, &seen, generation)) {
        if (seen == generation) {
            sched_yield();
            seen = 0;
        }
    }
}

static bool
prepare(llmlab__tracer_t *tracer)
{
    recording_t *recording = of(tracer);
    llmlab__ring_options_t options = {.max_bytes = recording->max_bytes,
                                      .ring_bytes = recording->ring_bytes,
                                      .directory = NULL};
    uint64_t generation = llmlab__fork_generation();
    llmlab__ring_set_t *rings = NULL;

    if (recording->refuse) {
        return false;
    }
    lock(recording, generation);
    if (atomic_load(&tracer->rings) == NULL ||
        atomic_load(&tracer->generation) != generation) {
        atomic_fetch_add(&recording->prepared, 1);
        if (llmlab__ring_set_new(&rings, &options) == LLMLAB_OK) {
            atomic_store(&tracer->rings, rings);
            atomic_store(&tracer->generation, generation);
        }
    }
    atomic_store(&recording->locked, 0);
    return atomic_load(&tracer->rings) != NULL;
}

static void
root_ended(llmlab__tracer_t *tracer)
{
    atomic_fetch_add(&of(tracer)->roots, 1);
}

static void
unpriced(llmlab__tracer_t *tracer, const char *provider, const char *model)
{
    recording_t *recording = of(tracer);

    (void)provider;
    atomic_fetch_add(&recording->unpriced, 1);
    snprintf(recording->unpriced_model, sizeof(recording->unpriced_model), "%s",
             model == NULL ? "" : model);
}

recording_t *
recording_open(void)
{
    recording_t *recording = calloc(1, sizeof(*recording));
    llmlab__tracer_t *tracer = &recording->tracer;

    llmlab__tracer_init(tracer);
    tracer->enabled = true;
    tracer->hooks.prepare = prepare;
    tracer->hooks.root_ended = root_ended;
    tracer->hooks.unpriced = unpriced;
    atomic_store(&tracer->clock_offset_ns, llmlab__clock_offset_ns());
    recording->max_bytes = 1 << 20;
    recording->ring_bytes = 1 << 16;
    llmlab__buf_init(&recording->taken);
    return recording;
}

void
recording_close(recording_t *recording)
{
    llmlab__tracer_cleanup(&recording->tracer);
    llmlab__ring_set_destroy(atomic_load(&recording->tracer.rings));
    llmlab__buf_cleanup(&recording->taken);
    free(recording);
}

static bool
take(void *payload, const void *record, uint32_t size)
{
    recording_t *recording = payload;
    _Alignas(8) unsigned char room[(1 << 17) + LLMLAB__SETTLE_ROOM];
    const llmlab__record_t *settled;

    assert_non_null(record);
    assert_true(llmlab__record_check(record, size));
    settled = llmlab__record_settle(&recording->tracer, record, room);
    assert_true(llmlab__record_check(settled, settled->size));
    assert_int_equal(settled->flags & LLMLAB__RECORD_PRICE_LATER, 0);
    if (settled != record) {
        llmlab__record_count(&recording->tracer, settled);
    }
    llmlab__buf_append(&recording->taken, settled, settled->size);
    recording->count++;
    return true;
}

size_t
recording_drain(recording_t *recording)
{
    llmlab__ring_set_t *rings = atomic_load(&recording->tracer.rings);
    size_t count;

    if (recording->at == recording->taken.size) {
        llmlab__buf_clear(&recording->taken);
        recording->at = 0;
    }
    if (rings == NULL) {
        return 0;
    }
    count = llmlab__ring_set_peek(rings, take, recording, SIZE_MAX);
    llmlab__ring_set_release(rings);
    return count;
}

const llmlab__record_t *
recording_next(recording_t *recording)
{
    const llmlab__record_t *record;

    if (recording->at == recording->taken.size) {
        recording_drain(recording);
    }
    if (recording->at == recording->taken.size) {
        return NULL;
    }
    record = (const llmlab__record_t *)(const void *)(recording->taken.data +
                                                      recording->at);
    recording->at += record->size;
    return record;
}

bool
recording_item(const llmlab__record_t *record, llmlab__item_type_t type, int n,
               llmlab__item_view_t *out)
{
    uint32_t cursor = 0;

    while (llmlab__record_next(record, &cursor, out)) {
        if (out->type == type && n-- == 0) {
            return true;
        }
    }
    return false;
}

bool
recording_has(const llmlab__record_t *record, llmlab__item_type_t type,
              const char *text)
{
    llmlab__item_view_t item;

    return recording_item(record, type, 0, &item) &&
           item.value_size == strlen(text) &&
           memcmp(item.value, text, item.value_size) == 0;
}

bool
recording_attribute(const llmlab__record_t *record, const char *key,
                    llmlab__item_view_t *out)
{
    uint32_t cursor = 0;

    while (llmlab__record_next(record, &cursor, out)) {
        if (out->key_size == strlen(key) &&
            memcmp(out->key, key, out->key_size) == 0 && out->key_size > 0) {
            return true;
        }
    }
    return false;
}

int
recording_items(const llmlab__record_t *record)
{
    llmlab__item_view_t item;
    uint32_t cursor = 0;
    int count = 0;

    while (llmlab__record_next(record, &cursor, &item)) {
        count++;
    }
    return count;
}
