/* Spans a second that a real llmlab-server stores, durably, with keys checked;
 * a bare SQLite loop inserting the same rows is the baseline of the same run.
 * Then how long questions take that nobody asked before, and how many are
 * answered a second, with a body and the key checked, while spans arrive.
 *
 *   --spans N        1,000,000; 10,000,000 is the long variant
 *   --connections N  16
 *   --batch N        100 spans a request
 *   --dir DIR        where the databases go: a real disk
 *   --keep           and stay */
#include "bench/support/bench.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/support/ask.h"
#include "bench/support/bare.h"
#include "bench/support/batches.h"
#include "bench/support/http.h"
#include "bench/support/server.h"

#define MAX_CONNECTIONS 64
#define ROUND_SPANS     100000 /* made, then sent: memory stays bounded */
#define BARE_SPANS      1000000
#define DAYS            20 /* that the spans spread over */

typedef struct sender_s {
    bench_request_t *requests;
    pthread_barrier_t *start;
    uint64_t accepted;
    uint64_t json_bytes;
    uint64_t refused; /* replies that asked to come again */
    int count;
    int fd;
    bool broken;
    bench_feed_t feed;
} sender_t;

typedef struct plan_s {
    uint64_t spans;
    int connections;
    int batch;
    bench_server_t server;
} plan_t;

/* Send one batch until it is stored. */
static bool
send_one(sender_t *sender, const bench_request_t *request)
{
    char body[4096];

    for (;;) {
        int status = bench_http_ask(sender->fd, request->bytes, request->size,
                                    body, sizeof body);
        const char *accepted = strstr(body, "\"accepted\":");

        if (status == 200 && accepted != NULL &&
            strstr(body, "\"rejected\":[]") != NULL) {
            sender->accepted += strtoull(accepted + 11, NULL, 10);
            sender->json_bytes += request->json_size;
            return true;
        }
        if (status != 429 && status != 503) {
            fprintf(stderr, "server: %d %.300s\n", status, body);
            return false;
        }
        sender->refused++;
        usleep(5000);
    }
}

static void *
run_sender(void *payload)
{
    sender_t *sender = payload;
    int i;

    pthread_barrier_wait(sender->start);
    for (i = 0; i < sender->count; i++) {
        if (!sender->broken && !send_one(sender, &sender->requests[i])) {
            sender->broken = true;
        }
        free(sender->requests[i].bytes);
    }
    return NULL;
}

/* Make and send one round; the seconds of sending. */
static double
run_round(plan_t *plan, sender_t *senders, int batches_each)
{
    pthread_t threads[MAX_CONNECTIONS];
    pthread_barrier_t start;
    int64_t began;
    int i;
    int k;

    pthread_barrier_init(&start, NULL, (unsigned)plan->connections + 1);
    for (i = 0; i < plan->connections; i++) {
        senders[i].count = batches_each;
        senders[i].start = &start;
        for (k = 0; k < batches_each; k++) {
            bench_feed_next(&senders[i].feed, &senders[i].requests[k]);
        }
        pthread_create(&threads[i], NULL, run_sender, &senders[i]);
    }
    pthread_barrier_wait(&start);
    began = bench_now();
    for (i = 0; i < plan->connections; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&start);
    return (double)(bench_now() - began) / 1e9;
}

/* Spans a second; 0 when something broke. */
static double
load(bench_t *bench, plan_t *plan)
{
    static sender_t senders[MAX_CONNECTIONS];
    int round_batches = ROUND_SPANS / plan->batch / plan->connections;
    uint64_t per_round = (uint64_t)round_batches * (uint64_t)plan->batch *
                         (uint64_t)plan->connections;
    uint64_t rounds = (plan->spans + per_round - 1) / per_round;
    uint64_t sent = rounds * per_round;
    int64_t window = INT64_C(86400000000000) * DAYS;
    int64_t start = (int64_t)time(NULL) * 1000000000 - window;
    int64_t step = window / (int64_t)sent * plan->connections;
    double seconds = 0;
    double best = 1e9;
    double cpu = bench_server_cpu(&plan->server);
    uint64_t accepted = 0;
    uint64_t bytes = 0;
    uint64_t refused = 0;
    uint64_t i;
    int k;

    for (k = 0; k < plan->connections; k++) {
        senders[k].requests =
            malloc(sizeof(bench_request_t) * (size_t)round_batches);
        senders[k].fd = bench_http_connect(plan->server.port);
        bench_feed_init(&senders[k].feed, k, plan->server.key, plan->batch,
                        start, step);
    }
    for (i = 0; i < rounds; i++) {
        double took = run_round(plan, senders, round_batches);

        seconds += took;
        best = took < best ? took : best;
        if (!bench->json && rounds > 20 && i % (rounds / 20) == 0) {
            fprintf(stderr, "\r  %llu of %llu rounds, %.0f spans/s ",
                    (unsigned long long)i, (unsigned long long)rounds,
                    (double)((i + 1) * per_round) / seconds);
        }
    }
    for (k = 0; k < plan->connections; k++) {
        accepted += senders[k].accepted;
        bytes += senders[k].json_bytes;
        refused += senders[k].refused;
        close(senders[k].fd);
        free(senders[k].requests);
    }
    cpu = bench_server_cpu(&plan->server) - cpu;
    if (accepted != sent) {
        bench_broken(bench, "sent %llu spans, accepted %llu",
                     (unsigned long long)sent, (unsigned long long)accepted);
        return 0;
    }
    plan->spans = accepted;
    bench_row(bench, "JSON a span", (double)bytes / (double)accepted, "bytes",
              NAN, NAN);
    bench_row(bench, "server CPU a span", cpu / (double)accepted * 1e6, "us",
              NAN, NAN);
    bench_row(bench, "requests told to come again", (double)refused, "", NAN,
              NAN);
    bench_row(bench, "stored in the best tenth of a million",
              (double)per_round / best, "spans/s", NAN, NAN);
    return (double)accepted / seconds;
}

static void
compare_bare(bench_t *bench, const plan_t *plan, double rate)
{
    char path[320];
    bench_bare_t bare;
    double bare_rate;

    snprintf(path, sizeof path, "%s/bare.db", plan->server.folder);
    if (bench_bare_run(&bare, plan->server.database, path, BARE_SPANS,
                       plan->batch * plan->connections) != 0) {
        bench_broken(bench, "the bare loop: %s", bare.error);
        return;
    }
    bare_rate = (double)bare.spans / bare.seconds;
    bench_row(bench, "bare SQLite loop, same rows", bare_rate, "spans/s", NAN,
              NAN);
    bench_row(bench, "server over the bare loop", rate / bare_rate, "x", NAN,
              0.5);
}

static void
measure(bench_t *bench, plan_t *plan)
{
    double rate = load(bench, plan);
    uint64_t more = 0;
    int64_t stored;

    if (rate > 0) {
        bench_row(bench, "stored", rate, "spans/s", NAN, 100000);
        bench_ask_new(bench, &plan->server);
        bench_ask_many(bench, &plan->server, &more);
        plan->spans += more;
    }
    if (bench_server_stop(&plan->server) != 0) {
        bench_broken(bench, "the server did not end well");
    }
    stored =
        bench_bare_number(plan->server.database, "SELECT count(*) FROM span");
    bench_row(bench, "sent and not stored",
              (double)plan->spans - (double)stored, "spans", 0, 0);
    if (stored != (int64_t)plan->spans) {
        bench_broken(bench, "the database holds %lld spans of %llu",
                     (long long)stored, (unsigned long long)plan->spans);
    }
    if (rate > 0) {
        compare_bare(bench, plan, rate);
    }
}

static long
number_option(int argc, char **argv, const char *name, long otherwise)
{
    const char *text = bench_option(argc, argv, name);

    return text == NULL ? otherwise : strtol(text, NULL, 10);
}

int
main(int argc, char **argv)
{
    const char *where = bench_option(argc, argv, "--dir");
    bench_t bench;
    plan_t plan;

    bench_begin(&bench, "server", argc, argv);
    if (bench.counting) {
        return 0;
    }
    memset(&plan, 0, sizeof plan);
    plan.spans = (uint64_t)number_option(argc, argv, "--spans", 1000000);
    plan.batch = (int)number_option(argc, argv, "--batch", 100);
    plan.connections = (int)number_option(argc, argv, "--connections", 16);
    if (plan.connections < 1 || plan.connections > MAX_CONNECTIONS ||
        plan.batch < 1 || plan.batch > ROUND_SPANS / plan.connections) {
        bench_broken(&bench, "connections are 1..%d, batches fit a round",
                     MAX_CONNECTIONS);
        return bench_end(&bench);
    }
    if (!bench_server_start(&plan.server,
                            where == NULL ? LLMLAB_BUILD_DIR : where)) {
        bench_broken(&bench, "the server does not start");
        return bench_end(&bench);
    }
    measure(&bench, &plan);
    if (bench_flag(argc, argv, "--keep")) {
        bench_note(&bench, "the databases are in %s", plan.server.folder);
    } else {
        bench_server_remove(&plan.server);
    }
    return bench_end(&bench);
}
