#include "delivery/ledger.h"

void
llmlab__ledger_read(const llmlab__ledger_t *ledger, llmlab_stats_t *out)
{
    out->delivered += atomic_load(&ledger->delivered);
    out->rejected += atomic_load(&ledger->rejected);
    out->dead += atomic_load(&ledger->dead);
    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        out->dropped[i] += atomic_load(&ledger->dropped[i]);
    }
    out->spooled += atomic_load(&ledger->spooled);
    out->in_flight += atomic_load(&ledger->in_flight);
    out->queued += atomic_load(&ledger->queued);

    out->duplicates += atomic_load(&ledger->duplicates);
    out->batches += atomic_load(&ledger->batches);
    out->attempts += atomic_load(&ledger->attempts);
    out->retries += atomic_load(&ledger->retries);
    out->bytes_sent += atomic_load(&ledger->bytes_sent);
    out->memory_bytes += atomic_load(&ledger->memory_bytes);
    out->last_status = (llmlab_status_t)atomic_load(&ledger->last_status);
    out->last_http_status = atomic_load(&ledger->last_http_status);
}

void
llmlab__ledger_read_recovered(const llmlab__ledger_t *ledger,
                              llmlab_stats_t *out)
{
    out->recovered += atomic_load(&ledger->delivered);
    out->recovery_lost +=
        atomic_load(&ledger->rejected) + atomic_load(&ledger->dead);
    for (int i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        out->recovery_lost += atomic_load(&ledger->dropped[i]);
    }
    out->recovering += atomic_load(&ledger->spooled);
    out->recovering += atomic_load(&ledger->in_flight);
    out->recovering += atomic_load(&ledger->queued);
}
