/* A client, and what the files of this room share of it. */
#ifndef LLMLAB_CLIENT_CLIENT_H
#define LLMLAB_CLIENT_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <llmlab/client.h>

#include "base/log.h"
#include "client/settings.h"
#include "client/unpriced.h"
#include "delivery/fork_lock.h"
#include "delivery/worker.h"
#include "trace/tracer.h"

/* States: disabled from the start, or open. A client that is closed is gone.
 * An open one has no worker until its first record, in each process anew. */
struct llmlab_client_s {
    llmlab__tracer_t tracer; /* first: a client is a tracer */
    llmlab__settings_t settings;
    llmlab__log_t log;
    llmlab_transport_t transport; /* send == NULL: the built-in one */
    llmlab__mock_t *mock;         /* of the memory exporter */
    llmlab__unpriced_t unpriced;
    uint64_t opened_in; /* the fork generation of the opener */

    llmlab__fork_lock_t lock; /* making the worker */
    _Atomic(llmlab__worker_t *) worker;
    _Atomic uint64_t worker_generation; /* whose process it belongs to */
    bool told_no_tmpfs;
};

static inline llmlab_client_t *
llmlab__client_of(llmlab__tracer_t *tracer)
{
    return (llmlab_client_t *)(void *)tracer;
}

/* This process' worker; NULL when nothing was recorded here yet. */
llmlab__worker_t *llmlab__client_worker(const llmlab_client_t *client);

/* What the settings say to the worker. */
void llmlab__client_options(const llmlab_client_t *client,
                            llmlab__delivery_options_t *out);

/* The tracer's hook: make worker and rings for this process. */
bool llmlab__client_prepare(llmlab__tracer_t *tracer);

/* Free a client whose worker is gone. */
void llmlab__client_free(llmlab_client_t *client);

#endif
