/* A client: opens from settings, carries spans to the server, tells what
 * became of each. */
#ifndef LLMLAB_CLIENT_H
#define LLMLAB_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/config.h>
#include <llmlab/export.h>
#include <llmlab/pricing.h>
#include <llmlab/status.h>

typedef struct llmlab_client_s llmlab_client_t;

/** Why a record was dropped: X(enumerator, name). Added at the end. */
#define LLMLAB_DROP_MAP(X)                                                 \
    X(RING_FULL, "ring_full")   /* its thread's ring had no room */        \
    X(TOO_LARGE, "too_large")   /* larger than a ring may carry */         \
    X(NO_MEMORY, "no_memory")   /* no ring within queue.max_bytes */       \
    X(REENTERED, "reentered")   /* recorded from a signal handler */       \
    X(SPOOL_FULL, "spool_full") /* the oldest, to keep within the cap */   \
    X(EXPIRED, "expired")       /* undeliverable until delivery.timeout */ \
    X(CLOSED, "closed")         /* pending at the close, or at exit() */   \
    X(CORRUPT, "corrupt")       /* failed its checks on the way */

typedef enum llmlab_drop_e {
#define LLMLAB_DROP_ENUM_(name, wire) LLMLAB_DROP_##name,
    LLMLAB_DROP_MAP(LLMLAB_DROP_ENUM_)
#undef LLMLAB_DROP_ENUM_
        LLMLAB_DROP_REASONS
} llmlab_drop_t;

#define LLMLAB_DROP_CAPACITY 16

/** The ledger: what became of every record. accepted >= delivered + queued +
 * in_flight + spooled + rejected + dead + sum of dropped[] whenever it is
 * read, and equal when nothing moves. A record that found no room (a full ring)
 * is in dropped[] and in accepted too.
 * Fixed value type; set struct_size by llmlab_stats_init(). */
typedef struct llmlab_stats_s {
    size_t struct_size;
    uint64_t accepted;  /* ended spans and one-shot records, sampled or not */
    uint64_t delivered; /* stored by the server, or written by the exporter */
    uint64_t queued;    /* in the rings and in open batches */
    uint64_t
        in_flight;    /* not on disk, in a request that is awaited or retried */
    uint64_t spooled; /* on disk: the next process sends what stays there */
    uint64_t rejected; /* refused by the server, one by one */
    uint64_t dead;     /* in batches the server refused whole */
    uint64_t dropped[LLMLAB_DROP_CAPACITY];
    uint64_t duplicates; /* of delivered: the server had them already */
    uint64_t unsampled;  /* of accepted: gone up as counts only */
    uint64_t open_spans; /* started, not yet ended */
    uint64_t stale_ends; /* spans ended twice, or in a forked child */
    uint64_t batches;    /* accepted by the server */
    uint64_t attempts;   /* requests sent */
    uint64_t retries;    /* of attempts: not the first of their batch */
    uint64_t bytes_sent; /* bodies as sent, compressed */
    uint64_t calls;      /* model calls recorded */
    /* These two and cost grow when a call is priced: at once where its cost
     * was asked for or its reply read, else when it leaves the queue, so that
     * they are exact after a flush. */
    uint64_t unpriced_calls;
    uint64_t estimated_calls; /* priced at an estimated rate */
    uint64_t input_tokens;
    uint64_t output_tokens;
    llmlab_money_t cost;         /* effective cost of all recorded calls */
    uint64_t memory_bytes;       /* rings, batches, in flight */
    llmlab_status_t last_status; /* of the last upload */
    int last_http_status;        /* 0: none yet */
    /* Of earlier processes whose spool this one sends; not in the sum above. */
    uint64_t recovered;     /* delivered */
    uint64_t recovering;    /* still to deliver */
    uint64_t recovery_lost; /* refused, torn, or dropped to keep the cap */
    /* The prices in use, see prices.url. */
    char price_table[40];         /* their version, "2026-11-01" */
    int64_t price_age_s;          /* since that date; -1: the version is none */
    uint64_t price_updates;       /* files that were taken */
    uint64_t price_refusals;      /* files that were not: the prices stayed */
    llmlab_status_t price_status; /* of the last fetch; LLMLAB_OK before one */
    int64_t price_checked_ns;     /* Unix time of the last good one; 0: none */
} llmlab_stats_t;

/** What a flush or close left behind. */
typedef struct llmlab_flush_result_s {
    uint64_t delivered; /* during this call */
    uint64_t rejected;  /* during this call, dead letters included */
    uint64_t dropped;   /* during this call, for any reason */
    uint64_t spooled;   /* now on disk, safe for the next process */
    uint64_t pending;   /* neither delivered nor spooled at the deadline */
} llmlab_flush_result_t;

LLMLAB_BEGIN_DECLS

/**
 * Open a client. No thread is started and no network touched: the worker
 * starts with the first record; or at once when an earlier process with the
 * same url, project and key has left calls in the spool, which it then sends.
 * @param out    owned by the caller: llmlab_client_close() frees it. On an
 *               error *out is a disabled client if one could be made (spans on
 *               it are cheap no-ops), so that a program need not check; NULL
 *               only when out of memory
 * @param config copied; may be NULL (variables and defaults only)
 * @return LLMLAB_OK; LLMLAB_EDISABLED (LLMLAB_ENABLED=0, or no key for the
 *         server exporter: one log line); LLMLAB_ECONFIG (detail and one log
 *         line); LLMLAB_ENOMEM; LLMLAB_EINVAL (out is NULL)
 */
LLMLAB_API llmlab_status_t llmlab_client_open(llmlab_client_t **out,
                                              const llmlab_config_t *config);

/**
 * Deliver what was recorded before this call.
 * @param timeout_ms returns by then plus 50 ms, whatever the network does; 0
 *                   asks the worker and does not wait; negative: 2000
 * @param result     filled in any case; may be NULL
 * @return LLMLAB_OK (all of it delivered, rejected or, at the deadline,
 *         spooled); LLMLAB_ETIMEOUT; LLMLAB_EAUTH (key), LLMLAB_ENOTFOUND
 * (project or address) or LLMLAB_ENETWORK: why it is still here, told at once
 *         where the server refuses; LLMLAB_EDISABLED; LLMLAB_EFORKED (the
 *         client is the parent's and was not used here yet: nothing to flush)
 * Blocks up to timeout_ms. Any thread; not inside a log function.
 */
LLMLAB_API llmlab_status_t llmlab_client_flush(llmlab_client_t *client,
                                               int64_t timeout_ms,
                                               llmlab_flush_result_t *result);

/**
 * Flush, stop the worker, free the client. Spans still open are lost; ending
 * them afterwards is undefined, so end them first. Other threads must not use
 * the client any more. What is still pending then stays in the spool, for the
 * next process; without a spool it is dropped, and one log line tells how much
 * and why. A process that exits without closing does the same.
 * In a forked child that never used it: frees nothing, touches no socket,
 * returns LLMLAB_OK.
 * @return as llmlab_client_flush; the client is gone in any case. NULL: OK
 */
LLMLAB_API llmlab_status_t llmlab_client_close(llmlab_client_t *client,
                                               int64_t timeout_ms);

/** 1 if spans on this client are recorded; 0 for NULL or a disabled one. */
LLMLAB_API int llmlab_client_enabled(const llmlab_client_t *client);

/** Zeroes *stats and sets its struct_size. */
LLMLAB_API void llmlab_stats_init(llmlab_stats_t *stats);

/** Read the ledger. Does not block. Any thread. */
LLMLAB_API llmlab_status_t llmlab_client_stats(const llmlab_client_t *client,
                                               llmlab_stats_t *out);

/** The ledger as one JSON object, names of unpriced models and the price
 * table's version included. *out is owned by the caller: llmlab_free(). */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t llmlab_client_stats_json(
    const llmlab_client_t *client, char **out, size_t *out_size);

/** A drop reason's name on the wire, "ring_full"; NULL out of range. */
LLMLAB_API const char *llmlab_drop_name(llmlab_drop_t reason);

/** Frees what the library returned as an owned string. NULL: no-op. */
LLMLAB_API void llmlab_free(void *memory);

LLMLAB_END_DECLS

#endif
