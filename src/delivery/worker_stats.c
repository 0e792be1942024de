#include <stdio.h>

#include "delivery/worker_state.h"

static void
read_tracer(const llmlab__tracer_t *tracer, llmlab_stats_t *out)
{
    llmlab__tracer_counts_t counts;

    llmlab__tracer_counts(tracer, &counts);
    out->accepted = counts.accepted;
    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        out->dropped[i] += counts.dropped[i];
    }
    out->unsampled = counts.unsampled;
    out->open_spans = counts.open_spans;
    out->stale_ends = counts.stale_ends;
    out->calls = counts.calls;
    out->unpriced_calls = counts.unpriced_calls;
    out->estimated_calls = counts.estimated_calls;
    out->input_tokens = counts.input_tokens;
    out->output_tokens = counts.output_tokens;
    out->cost = counts.cost;
}

static void
read_prices(const llmlab__worker_t *worker, llmlab_stats_t *out)
{
    llmlab__price_update_state_t state;

    if (worker->prices == NULL) {
        return;
    }
    llmlab__price_update_read(worker->prices, &state);
    out->price_updates = state.taken;
    out->price_refusals = state.refused;
    out->price_status = state.status;
    out->price_checked_ns = state.checked_ns;
}

void
llmlab__worker_price_detail(const llmlab__worker_t *worker, char *out,
                            size_t size)
{
    llmlab__price_update_state_t state = {0};

    if (worker != NULL && worker->prices != NULL) {
        llmlab__price_update_read(worker->prices, &state);
    }
    snprintf(out, size, "%s", state.detail);
}

void
llmlab__worker_stats(const llmlab__worker_t *worker,
                     const llmlab__tracer_t *tracer, llmlab_stats_t *out)
{
    if (worker != NULL) {
        llmlab__ledger_read_recovered(&worker->recovered, out);
        llmlab__ledger_read(&worker->ledger, out);
        out->queued += llmlab__ring_set_pending(worker->rings);
        out->memory_bytes += llmlab__ring_set_memory(worker->rings);
        read_prices(worker, out);
    }
    read_tracer(tracer, out);
}
