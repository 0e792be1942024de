/* What records add to the counters, and the counters read. */
#include <string.h>

#include "base/u128.h"
#include "trace/span.h"

#define RELAXED memory_order_relaxed

/* Readers take the two halves only between equal, even versions. */
void
llmlab__count_cost(llmlab__recorder_t *recorder, llmlab_money_t cost)
{
    uint32_t version = atomic_load_explicit(&recorder->cost_version, RELAXED);
    llmlab_money_t sum = {atomic_load_explicit(&recorder->cost_low, RELAXED),
                          atomic_load_explicit(&recorder->cost_high, RELAXED)};
    llmlab__u128_t total;

    if (llmlab__u128_add(&total, llmlab__u128_of(sum), llmlab__u128_of(cost))) {
        return;
    }
    sum = llmlab__money_of(total);
    atomic_store_explicit(&recorder->cost_version, version + 1, RELAXED);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&recorder->cost_low, sum.low, RELAXED);
    atomic_store_explicit(&recorder->cost_high, sum.high, RELAXED);
    atomic_store_explicit(&recorder->cost_version, version + 2,
                          memory_order_release);
}

static llmlab_money_t
read_cost(const llmlab__recorder_t *recorder)
{
    llmlab_money_t cost;
    uint32_t before;
    uint32_t after;

    do {
        before =
            atomic_load_explicit(&recorder->cost_version, memory_order_acquire);
        cost.low = atomic_load_explicit(&recorder->cost_low, RELAXED);
        cost.high = atomic_load_explicit(&recorder->cost_high, RELAXED);
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&recorder->cost_version, RELAXED);
    } while (before != after || before % 2 != 0);
    return cost;
}

bool
llmlab__count_price(llmlab__recorder_t *recorder,
                    const llmlab__record_t *record)
{
    llmlab_money_t cost = {record->cost[0], record->cost[1]};

    if (record->priced != LLMLAB_UNPRICED) {
        llmlab__count_cost(recorder, cost);
        llmlab__count(&recorder->estimated_calls,
                      record->priced == LLMLAB_ESTIMATED_RATE);
        return true;
    }
    if (record->usage_source == LLMLAB_USAGE_NONE &&
        record->outcome != LLMLAB_SUCCESS) {
        return true; /* failed and used nothing: that cost nothing */
    }
    llmlab__count(&recorder->unpriced_calls, 1);
    return false;
}

void
llmlab__count_lost(llmlab__recorder_t *recorder, const llmlab__record_t *record)
{
    if ((record->flags & LLMLAB__RECORD_PROVIDER_COST) == 0) {
        llmlab__count_price(recorder, record);
    }
}

static void
add_recorder(llmlab__tracer_counts_t *out, const llmlab__recorder_t *recorder,
             uint64_t *started, uint64_t *ended)
{
    llmlab_money_t cost = read_cost(recorder);
    llmlab__u128_t total;

    *ended += atomic_load_explicit(&recorder->ended, RELAXED);
    *started += atomic_load_explicit(&recorder->started, RELAXED);
    out->accepted += atomic_load_explicit(&recorder->accepted, RELAXED);
    out->unsampled += atomic_load_explicit(&recorder->unsampled, RELAXED);
    out->calls += atomic_load_explicit(&recorder->calls, RELAXED);
    out->unpriced_calls +=
        atomic_load_explicit(&recorder->unpriced_calls, RELAXED);
    out->estimated_calls +=
        atomic_load_explicit(&recorder->estimated_calls, RELAXED);
    out->input_tokens += atomic_load_explicit(&recorder->input_tokens, RELAXED);
    out->output_tokens +=
        atomic_load_explicit(&recorder->output_tokens, RELAXED);
    if (!llmlab__u128_add(&total, llmlab__u128_of(out->cost),
                          llmlab__u128_of(cost))) {
        out->cost = llmlab__money_of(total);
    }
}

void
llmlab__tracer_counts(const llmlab__tracer_t *tracer,
                      llmlab__tracer_counts_t *out)
{
    const llmlab__recorders_t *recorders;
    uint64_t generation = llmlab__fork_generation();
    uint64_t started = 0;
    uint64_t ended = 0;

    memset(out, 0, sizeof(*out));
    if (atomic_load(&tracer->counted_generation) == generation) {
        /* Drops are read before what was accepted, so that accepted is never
         * the smaller of the two. */
        for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
            out->dropped[i] =
                atomic_load_explicit(&tracer->dropped[i], memory_order_acquire);
        }
        out->accepted = atomic_load(&tracer->accepted_outside);
        out->stale_ends = atomic_load(&tracer->stale_ends);
    }
    /* Only now: whoever dropped one of those had recorders. */
    recorders = atomic_load(&tracer->recorders);
    if (recorders == NULL || recorders->generation != generation) {
        return;
    }
    ended = atomic_load(&recorders->ended_outside);
    add_recorder(out, &recorders->late, &started, &ended);
    for (uint32_t i = 0; i < recorders->capacity; i++) {
        const llmlab__recorder_t *recorder = atomic_load(&recorders->at[i]);

        if (recorder != NULL) {
            add_recorder(out, recorder, &started, &ended);
        }
    }
    out->open_spans = started > ended ? started - ended : 0;
}
