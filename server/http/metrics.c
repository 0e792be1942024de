#include "http/metrics.h"

#include <stdio.h>
#include <unistd.h>

#include <llmlab/pricing.h>
#include <llmlab/version.h>

#include "http/router.h"
#include "server.h"

static const double bounds[LLMLAB__METRIC_BUCKETS - 1] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10};

void
llmlab__metrics_request(llmlab__metrics_t *metrics, unsigned route,
                        unsigned status, int64_t duration_ns)
{
    llmlab__route_metrics_t *counts = &metrics->routes[route];
    double seconds = (double)duration_ns / 1e9;
    unsigned bucket = 0;

    while (bucket < LLMLAB__METRIC_BUCKETS - 1 && seconds > bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add(&counts->buckets[bucket], 1);
    atomic_fetch_add(&counts->duration_ns, (uint64_t)duration_ns);
    atomic_fetch_add(&counts->by_class[status / 100 > 5 ? 5 : status / 100], 1);
}

static void
family(llmlab__buf_t *out, const char *name, const char *type, const char *help)
{
    llmlab__buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                       type);
}

static void
write_requests(const llmlab__metrics_t *metrics, llmlab__buf_t *out)
{
    family(out, "llmlab_http_requests_total", "counter",
           "Requests answered, by route and class of status.");
    for (unsigned i = 0; i < llmlab__route_count; i++) {
        for (unsigned class = 2; class < 6; class ++) {
            uint64_t count = atomic_load(&metrics->routes[i].by_class[class]);

            if (count > 0) {
                llmlab__buf_printf(out,
                                   "llmlab_http_requests_total{route=\"%s\","
                                   "method=\"%s\",code=\"%uxx\"} %llu\n",
                                   llmlab__routes[i].pattern,
                                   llmlab__routes[i].method, class,
                                   (unsigned long long)count);
            }
        }
    }
    family(out, "llmlab_http_request_duration_seconds", "histogram",
           "Time from a request's first byte to its answer.");
    for (unsigned i = 0; i < llmlab__route_count; i++) {
        const llmlab__route_metrics_t *route = &metrics->routes[i];
        uint64_t count = 0;

        for (unsigned j = 0; j < LLMLAB__METRIC_BUCKETS; j++) {
            char bound[16] = "+Inf";

            count += atomic_load(&route->buckets[j]);
            if (j < LLMLAB__METRIC_BUCKETS - 1) {
                (void)snprintf(bound, sizeof(bound), "%g", bounds[j]);
            }
            llmlab__buf_printf(out,
                               "llmlab_http_request_duration_seconds_bucket{"
                               "route=\"%s\",method=\"%s\",le=\"%s\"} %llu\n",
                               llmlab__routes[i].pattern,
                               llmlab__routes[i].method, bound,
                               (unsigned long long)count);
        }
        llmlab__buf_printf(
            out,
            "llmlab_http_request_duration_seconds_sum{route=\"%s\","
            "method=\"%s\"} %.9f\n"
            "llmlab_http_request_duration_seconds_count{route=\"%s\","
            "method=\"%s\"} %llu\n",
            llmlab__routes[i].pattern, llmlab__routes[i].method,
            (double)atomic_load(&route->duration_ns) / 1e9,
            llmlab__routes[i].pattern, llmlab__routes[i].method,
            (unsigned long long)count);
    }
}

static void
number(llmlab__buf_t *out, const char *name, const char *type, const char *help,
       uint64_t value)
{
    family(out, name, type, help);
    llmlab__buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void
job_line(llmlab__buf_t *out, const char *kind, const char *result,
         uint64_t count)
{
    llmlab__buf_printf(out,
                       "llmlab_job_runs_total{kind=\"%s\",result=\"%s\"} "
                       "%llu\n",
                       kind, result, (unsigned long long)count);
}

static void
write_jobs(llmlab__scheduler_t *scheduler, llmlab__buf_t *out)
{
    llmlab__job_numbers_t numbers;
    const char *kind;

    if (scheduler == NULL) {
        return;
    }
    family(out, "llmlab_job_runs_total", "counter",
           "Runs of jobs by how they ended; dead: no attempt was left.");
    for (unsigned i = 0;
         llmlab__scheduler_numbers(scheduler, i, &kind, &numbers); i++) {
        job_line(out, kind, "done", numbers.done);
        job_line(out, kind, "failed", numbers.failed);
        job_line(out, kind, "dead", numbers.dead);
    }
    family(out, "llmlab_job_last_success_timestamp_seconds", "gauge",
           "When a job of the kind was last done; 0: not since the start.");
    for (unsigned i = 0;
         llmlab__scheduler_numbers(scheduler, i, &kind, &numbers); i++) {
        llmlab__buf_printf(out,
                           "llmlab_job_last_success_timestamp_seconds{"
                           "kind=\"%s\"} %.3f\n",
                           kind, (double)numbers.succeeded_ns / 1e9);
    }
    family(out, "llmlab_job_last_duration_seconds", "gauge",
           "How long the last run that was done took.");
    for (unsigned i = 0;
         llmlab__scheduler_numbers(scheduler, i, &kind, &numbers); i++) {
        llmlab__buf_printf(out,
                           "llmlab_job_last_duration_seconds{kind=\"%s\"} "
                           "%.9f\n",
                           kind, (double)numbers.duration_ns / 1e9);
    }
}

static uint64_t
resident_bytes(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &total, &resident) != 2) {
            resident = 0;
        }
        (void)fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
llmlab__metrics_write(struct llmlab__server_s *server, llmlab__buf_t *out)
{
    const llmlab__metrics_t *metrics = &server->metrics;
    llmlab__store_numbers_t numbers;

    server->store->ops->numbers(server->store, &numbers);
    family(out, "llmlab_build_info", "gauge",
           "The program's and its price table's version.");
    llmlab__buf_printf(out,
                       "llmlab_build_info{version=\"%s\",prices=\"%s\"} 1\n",
                       llmlab_version(), llmlab_pricing_version());
    write_requests(metrics, out);
    family(out, "llmlab_ingest_spans_total", "counter",
           "Records by what became of them.");
    llmlab__buf_printf(out,
                       "llmlab_ingest_spans_total{result=\"stored\"} %llu\n"
                       "llmlab_ingest_spans_total{result=\"duplicate\"} %llu\n"
                       "llmlab_ingest_spans_total{result=\"rejected\"} %llu\n",
                       (unsigned long long)numbers.spans,
                       (unsigned long long)numbers.duplicates,
                       (unsigned long long)numbers.rejected);
    number(out, "llmlab_ingest_body_bytes_total", "counter",
           "Bytes of ingest bodies as sent.",
           atomic_load(&metrics->body_bytes));
    number(out, "llmlab_ingest_inflated_bytes_total", "counter",
           "Bytes of ingest bodies as JSON.",
           atomic_load(&metrics->inflated_bytes));
    number(out, "llmlab_http_requests_in_flight", "gauge",
           "Requests begun and not yet answered.",
           atomic_load(&metrics->in_flight));
    number(out, "llmlab_http_connections", "gauge", "Open connections.",
           (uint64_t)atomic_load(&metrics->connections));
    number(out, "llmlab_http_connections_limit", "gauge",
           "Connections that may be open; more wait.",
           metrics->connections_limit);
    number(out, "llmlab_ready", "gauge",
           "1 while the server takes work, 0 once it is stopping.",
           !atomic_load(&server->draining));
    number(out, "llmlab_writer_queue_limit_records", "gauge",
           "Records that may wait for the writer; more are turned away.",
           LLMLAB__WRITER_DEPTH);
    number(out, "llmlab_writer_queue_records", "gauge",
           "Records that wait for the writer.",
           llmlab__writer_depth(server->writer));
    number(out, "llmlab_store_transactions_total", "counter",
           "Transactions of the writer.", numbers.transactions);
    number(out, "llmlab_store_checkpoints_total", "counter",
           "Times the log was copied into the database.", numbers.checkpoints);
    number(out, "llmlab_database_size_bytes", "gauge",
           "Size of the database file.", numbers.database_bytes);
    number(out, "llmlab_database_log_bytes", "gauge",
           "Size of the database's write-ahead log.", numbers.log_bytes);
    write_jobs(server->scheduler, out);
    number(out, "llmlab_labels_capped_total", "counter",
           "New names that became `other` because of the day's cap.",
           numbers.capped_labels);
    number(out, "process_resident_memory_bytes", "gauge",
           "Resident memory size in bytes.", resident_bytes());
    family(out, "process_start_time_seconds", "gauge",
           "Start time of the process since unix epoch in seconds.");
    llmlab__buf_printf(out, "process_start_time_seconds %.3f\n",
                       (double)metrics->start_ns / 1e9);
}
