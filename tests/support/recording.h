/* A tracer without client, worker and network: what was recorded is read back
 * from its rings. */
#ifndef LLMLAB_TESTS_RECORDING_H
#define LLMLAB_TESTS_RECORDING_H

#include <pthread.h>

#include "base/buf.h"
#include "trace/record.h"
#include "trace/tracer.h"

typedef struct recording_s {
    llmlab__tracer_t tracer; /* first: it is what a client begins with */
    _Atomic uint64_t locked; /* by the fork generation that holds it */
    size_t max_bytes;
    size_t ring_bytes;
    bool refuse; /* prepare() answers false */
    _Atomic int prepared;
    _Atomic int roots;
    _Atomic int unpriced;
    char unpriced_model[160];
    llmlab__buf_t taken; /* records read from the rings */
    size_t at;
    uint64_t count; /* records ever taken, chunks too */
} recording_t;

/* 1 MiB in rings of 64 KiB, everything sampled, no content. */
recording_t *recording_open(void);
void recording_close(recording_t *recording);

static inline llmlab_client_t *
recording_client(recording_t *recording)
{
    return (llmlab_client_t *)(void *)recording;
}

/* Read what the rings hold, check it, free it there. Returns how many. */
size_t recording_drain(recording_t *recording);
/* The next record, oldest first; NULL when there is none. Borrowed until the
 * next drain. Drains by itself. */
const llmlab__record_t *recording_next(recording_t *recording);

/* The n-th item of a type (0 is the first). */
bool recording_item(const llmlab__record_t *record, llmlab__item_type_t type,
                    int n, llmlab__item_view_t *out);
/* Has the record a first item of this type with this text? */
bool recording_has(const llmlab__record_t *record, llmlab__item_type_t type,
                   const char *text);
/* The attribute with this key. */
bool recording_attribute(const llmlab__record_t *record, const char *key,
                         llmlab__item_view_t *out);
/* How many items, of any type. */
int recording_items(const llmlab__record_t *record);

#endif
