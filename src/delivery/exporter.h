/* Where batches go. An exporter takes one batch at a time and tells what
 * became of it; the worker decides what happens next. */
#ifndef LLMLAB_DELIVERY_EXPORTER_H
#define LLMLAB_DELIVERY_EXPORTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/client.h>

#include "delivery/batch.h"
#include "delivery/options.h"
#include "delivery/retry.h"
#include "delivery/transport.h"

typedef struct llmlab__delivery_s {
    /* In. */
    const llmlab__batch_t *batch;
    const llmlab_stats_t *totals;         /* the ledger, as of now */
    const llmlab__segment_owner_t *owner; /* whose records these are, when they
                                             are not this instance's; or NULL */
    const atomic_int *stop;               /* non-zero: give up soon */
    /* Out. */
    llmlab__verdict_t verdict;
    int http_status; /* 0: no reply, or no HTTP */
    int64_t retry_after_ms;
    uint64_t rejected;
    uint64_t duplicates;
    uint64_t corrupt; /* records that failed their check here */
    size_t bytes_sent;
    char reason[200]; /* for the log, when not DONE or some were rejected */
} llmlab__delivery_t;

typedef struct llmlab__exporter_s {
    void *self;
    /* @thread worker */
    void (*deliver)(void *self, llmlab__delivery_t *delivery);
    /* End a wait inside deliver() early. @thread any. May be NULL. */
    void (*wake)(void *self);
    size_t (*memory)(void *self);
    void (*destroy)(void *self);
} llmlab__exporter_t;

/* Each: false when out of memory or when what the settings ask for cannot be
 * had, with the detail set. instance is borrowed. @thread worker */

/* JSON over HTTP; takes the transport over, in any case. */
bool llmlab__exporter_http(llmlab__exporter_t *out,
                           const llmlab__delivery_options_t *options,
                           const char *instance,
                           const llmlab__transport_t *transport);
/* One batch a line. */
bool llmlab__exporter_file(llmlab__exporter_t *out,
                           const llmlab__delivery_options_t *options,
                           const char *instance);
/* One call a line, for people. */
bool llmlab__exporter_console(llmlab__exporter_t *out);

#endif
