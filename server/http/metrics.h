/* Counters, and their text form for Prometheus (0.0.4). */
#ifndef LLMLAB_HTTP_METRICS_H
#define LLMLAB_HTTP_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

#define LLMLAB__METRIC_ROUTES  160
#define LLMLAB__METRIC_BUCKETS 12

struct llmlab__server_s;

typedef struct llmlab__route_metrics_s {
    _Atomic uint64_t by_class[6]; /* 2: 2xx, ... */
    _Atomic uint64_t buckets[LLMLAB__METRIC_BUCKETS];
    _Atomic uint64_t duration_ns;
} llmlab__route_metrics_t;

typedef struct llmlab__metrics_s {
    llmlab__route_metrics_t routes[LLMLAB__METRIC_ROUTES];
    _Atomic uint64_t body_bytes;
    _Atomic uint64_t inflated_bytes;
    _Atomic uint64_t in_flight;
    _Atomic int64_t connections;
    unsigned connections_limit;
    int64_t start_ns;
} llmlab__metrics_t;

void llmlab__metrics_request(llmlab__metrics_t *metrics, unsigned route,
                             unsigned status, int64_t duration_ns);
void llmlab__metrics_write(struct llmlab__server_s *server, llmlab__buf_t *out);

#endif
