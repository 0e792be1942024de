/* What every request can reach. Constant after start, but for the counters. */
#ifndef LLMLAB_SERVER_H
#define LLMLAB_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/metrics.h"
#include "services/answer_cache.h"
#include "services/ingest.h"
#include "services/scheduler.h"
#include "services/writer.h"
#include "store/store.h"

typedef struct llmlab__server_s {
    llmlab__store_t *store;
    llmlab__writer_t *writer;
    llmlab__scheduler_t *scheduler;
    llmlab__answer_cache_t *answers;
    llmlab__limits_t limits;
    unsigned char secret[32]; /* signs cursors */
    llmlab__metrics_t metrics;
    _Atomic bool draining;
    _Atomic uint64_t held_bytes; /* of bodies under way, together */
} llmlab__server_t;

#endif
