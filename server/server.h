/* What every request can reach. Constant after start, but for the counters. */
#ifndef LLMLAB_SERVER_H
#define LLMLAB_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/client_address.h"
#include "http/metrics.h"
#include "services/answer_cache.h"
#include "services/ingest.h"
#include "services/meter.h"
#include "services/price_books.h"
#include "services/scheduler.h"
#include "services/trace_shape.h"
#include "services/vault.h"
#include "services/writer.h"
#include "store/store.h"

#define LLMLAB__ORIGINS_MAX 16

typedef struct llmlab__server_s {
    llmlab__store_t *store;
    llmlab__writer_t *writer;
    llmlab__scheduler_t *scheduler;
    llmlab__answer_cache_t *answers;
    llmlab__price_books_t *books;
    llmlab__shapes_t *shapes; /* NULL: none are kept */
    llmlab__limits_t limits;
    const char *export_dir;
    const char *backup_dir;
    unsigned char secret[32]; /* signs cursors */
    llmlab__meter_t *meter;
    llmlab__meter_t *tries; /* wrong passwords: strangers fill it */
    llmlab__vault_t vault;
    llmlab__signer_t signer;
    int64_t key_quota;                              /* requests a minute */
    int64_t account_quota;                          /* the same */
    llmlab__network_t proxies[LLMLAB__PROXIES_MAX]; /* trusted */
    size_t proxy_count;
    const char *origins[LLMLAB__ORIGINS_MAX]; /* of pages that may ask */
    size_t origin_count;
    unsigned char setup_token[32]; /* its hash */
    _Atomic bool setup_open;       /* there is no account yet */
    _Atomic int open_under_way;    /* requests of strangers that take long */
    _Atomic bool purge_wanted;     /* a project was deleted */
    llmlab__metrics_t metrics;
    _Atomic bool draining;
    _Atomic uint64_t held_bytes; /* of bodies under way, together */
} llmlab__server_t;

#endif
