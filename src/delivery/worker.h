/* The one thread of a client: empties the rings, numbers records, cuts
 * batches, hands them to the exporter, and keeps the deadlines of flush and
 * close. It starts with the first record. */
#ifndef LLMLAB_DELIVERY_WORKER_H
#define LLMLAB_DELIVERY_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <llmlab/client.h>
#include <llmlab/sys/transport.h>

#include "delivery/options.h"
#include "delivery/transport_mock.h"
#include "queue/ring_set.h"
#include "trace/tracer.h"

typedef struct llmlab__worker_s llmlab__worker_t;

typedef struct llmlab__worker_config_s {
    llmlab__delivery_options_t options;
    llmlab__ring_options_t rings;
    llmlab__tracer_t *tracer;
    llmlab_transport_t transport; /* send == NULL: the built-in one. Owned
                                     once the thread has started */
    llmlab__mock_t *mock;         /* of the memory exporter; borrowed */
    /* What the worker borrows lives until this is called: by the worker's
     * thread when it ends after it was abandoned. */
    void (*release)(void *owner);
    void *owner;
} llmlab__worker_config_t;

/* Rings, no thread yet. */
llmlab_status_t llmlab__worker_new(llmlab__worker_t **out,
                                   const llmlab__worker_config_t *config);
/* Start the thread, once. False when the system has none to give. */
bool llmlab__worker_start(llmlab__worker_t *worker);
llmlab__ring_set_t *llmlab__worker_rings(const llmlab__worker_t *worker);

/* Seal what is there soon: a root span has ended. Any thread, no wait. */
void llmlab__worker_hurry(llmlab__worker_t *worker);

/* As llmlab_client_flush; timeout_ms is not negative. */
llmlab_status_t llmlab__worker_flush(llmlab__worker_t *worker,
                                     int64_t timeout_ms,
                                     llmlab_flush_result_t *result);

/* Have the flushes from now on wait for what earlier processes left, too. */
void llmlab__worker_want_all(llmlab__worker_t *worker);

/* Ask the thread to end and wait for it until the deadline. True: it has, and
 * the worker may be destroyed. False: it is abandoned and destroys itself. */
bool llmlab__worker_stop(llmlab__worker_t *worker, int64_t deadline_ns);
/* Its thread has ended or never began. */
void llmlab__worker_destroy(llmlab__worker_t *worker);

/* Read the ledger: sinks before sources. worker may be NULL (nothing recorded
 * yet). Any thread. */
void llmlab__worker_stats(const llmlab__worker_t *worker,
                          const llmlab__tracer_t *tracer, llmlab_stats_t *out);
/* Why the last fetch of prices failed; "" when none did. Any thread. */
void llmlab__worker_price_detail(const llmlab__worker_t *worker, char *out,
                                 size_t size);

#endif
