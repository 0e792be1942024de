/* The worker's side of the ledger. One writer; any thread may read.
 *
 * A record moves ring -> queued -> in_flight -> spooled -> a sink (delivered,
 * rejected, dead, dropped); it may skip some of these. It is taken out of where
 * it was before it is put where it goes. A reader reads in the opposite order,
 * sinks first. So whoever reads while records move may miss one, and never sees
 * one twice. */
#ifndef LLMLAB_DELIVERY_LEDGER_H
#define LLMLAB_DELIVERY_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#include <llmlab/client.h>

typedef struct llmlab__ledger_s {
    _Atomic uint64_t queued;
    _Atomic uint64_t in_flight; /* and not on disk */
    _Atomic uint64_t spooled;   /* on disk, in flight or not */
    _Atomic uint64_t delivered;
    _Atomic uint64_t rejected;
    _Atomic uint64_t dead;
    _Atomic uint64_t dropped[LLMLAB_DROP_CAPACITY];
    _Atomic uint64_t duplicates;
    _Atomic uint64_t batches;
    _Atomic uint64_t attempts;
    _Atomic uint64_t retries;
    _Atomic uint64_t bytes_sent;
    _Atomic uint64_t memory_bytes; /* segments and buffers */
    _Atomic int last_status;
    _Atomic int last_http_status;
} llmlab__ledger_t;

/* From one place to another. */
static inline void
llmlab__ledger_move(_Atomic uint64_t *from, _Atomic uint64_t *to,
                    uint64_t count)
{
    atomic_fetch_sub(from, count);
    atomic_fetch_add(to, count);
}

/* Add what the ledger says to *out, sinks first. */
void llmlab__ledger_read(const llmlab__ledger_t *ledger, llmlab_stats_t *out);

/* The same of a ledger of what earlier processes left. */
void llmlab__ledger_read_recovered(const llmlab__ledger_t *ledger,
                                   llmlab_stats_t *out);

#endif
