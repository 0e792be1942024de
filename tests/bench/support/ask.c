#include "bench/support/ask.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/support/batches.h"
#include "bench/support/http.h"

#define CONNECTIONS 32
#define SECONDS     5
#define FEED_RATE   1000 /* spans a second */

/* What is asked for again and again: each of these by turns. */
static const char *const repeated[] = {
    "costs?group_by=model",
    "costs?group_by=agent",
    "costs?granularity=daily",
    "costs?group_by=provider,model&tz=Asia/Kathmandu",
};
enum { REPEATED = sizeof repeated / sizeof *repeated };

typedef struct feeder_s {
    const bench_server_t *server;
    _Atomic bool stop;
    uint64_t sent;
    bool broken;
} feeder_t;

/* A thousand spans a second, now, into the same project. */
static void *
feed(void *payload)
{
    feeder_t *feeder = payload;
    int fd = bench_http_connect(feeder->server->port);
    int64_t began = bench_now();
    bench_feed_t batches;
    char body[4096];

    bench_feed_init(&batches, 1000, feeder->server->key, 100,
                    (int64_t)time(NULL) * 1000000000 - 60000000000,
                    1000000000 / FEED_RATE);
    while (!atomic_load(&feeder->stop) && !feeder->broken) {
        bench_request_t request;
        int64_t wait;

        bench_feed_next(&batches, &request);
        feeder->broken = bench_http_ask(fd, request.bytes, request.size, body,
                                        sizeof body) != 200 ||
                         strstr(body, "\"accepted\":100,") == NULL;
        free(request.bytes);
        feeder->sent += 100;
        wait = began + (int64_t)feeder->sent * 1000000000 / FEED_RATE -
               bench_now();
        if (wait > 0) {
            usleep((useconds_t)(wait / 1000));
        }
    }
    close(fd);
    return NULL;
}

typedef struct link_s {
    int fd;
    size_t used;
    int64_t asked;
    int kind;
    char buffer[65536];
} link_t;

static bool
link_ask(link_t *link, char requests[REPEATED][512], const size_t *sizes)
{
    link->kind = (link->kind + 1) % REPEATED;
    link->used = 0;
    link->asked = bench_now();
    return send(link->fd, requests[link->kind], sizes[link->kind],
                MSG_NOSIGNAL) == (ssize_t)sizes[link->kind];
}

/* 1: a whole answer with 200 and a body; 0: more is to come; -1: broken. */
static int
link_read(link_t *link)
{
    ssize_t got = recv(link->fd, link->buffer + link->used,
                       sizeof link->buffer - 1 - link->used, 0);
    char *end;
    char *length;
    size_t size;

    if (got <= 0) {
        return -1;
    }
    link->used += (size_t)got;
    link->buffer[link->used] = '\0';
    end = strstr(link->buffer, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    length = strstr(link->buffer, "Content-Length: ");
    if (strncmp(link->buffer, "HTTP/1.1 200", 12) != 0 || length == NULL) {
        return -1;
    }
    size = (size_t)(end + 4 - link->buffer) + strtoul(length + 16, NULL, 10);
    if (size <= (size_t)(end + 4 - link->buffer) ||
        size >= sizeof link->buffer) {
        return -1;
    }
    return link->used >= size;
}

static uint64_t
ask_all(bench_t *bench, const bench_server_t *server, double *times,
        size_t capacity)
{
    static link_t links[CONNECTIONS];
    static char requests[REPEATED][512];
    size_t sizes[REPEATED];
    struct epoll_event events[CONNECTIONS];
    int64_t end = bench_now() + INT64_C(1000000000) * SECONDS;
    int poll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t answers = 0;
    bool good = true;
    int i;

    for (i = 0; i < REPEATED; i++) {
        char path[256];

        snprintf(path, sizeof path, "/v1/projects/-/%s", repeated[i]);
        sizes[i] = bench_http_get(requests[i], sizeof requests[i], path,
                                  server->read_key);
    }
    for (i = 0; i < CONNECTIONS; i++) {
        struct epoll_event event = {EPOLLIN, {.u32 = (uint32_t)i}};

        links[i].fd = bench_http_connect(server->port);
        links[i].kind = i;
        epoll_ctl(poll, EPOLL_CTL_ADD, links[i].fd, &event);
        good = link_ask(&links[i], requests, sizes) && good;
    }
    while (good && bench_now() < end) {
        int ready = epoll_wait(poll, events, CONNECTIONS, 1000);

        for (i = 0; i < ready && good; i++) {
            link_t *link = &links[events[i].data.u32];
            int state = link_read(link);

            good = state >= 0;
            if (state > 0) {
                times[answers % capacity] =
                    (double)(bench_now() - link->asked) / 1e6;
                answers++;
                good = link_ask(link, requests, sizes);
            }
        }
    }
    for (i = 0; i < CONNECTIONS; i++) {
        close(links[i].fd);
    }
    close(poll);
    if (!good) {
        bench_broken(bench, "a question under load was not answered by 200");
    }
    return answers;
}

void
bench_ask_many(bench_t *bench, const bench_server_t *server,
               uint64_t *spans_sent)
{
    static double times[1 << 20];
    feeder_t feeder = {.server = server};
    double seconds;
    pthread_t thread;
    uint64_t answers;
    size_t count;
    int64_t began;
    double cpu = bench_server_cpu(server);

    pthread_create(&thread, NULL, feed, &feeder);
    usleep(200000);
    began = bench_now();
    answers = ask_all(bench, server, times, sizeof times / sizeof *times);
    seconds = (double)(bench_now() - began) / 1e9;
    atomic_store(&feeder.stop, true);
    pthread_join(thread, NULL);
    cpu = bench_server_cpu(server) - cpu;
    *spans_sent = feeder.sent;
    if (feeder.broken) {
        bench_broken(bench, "a batch under load was not stored");
    }
    count = answers < sizeof times / sizeof *times
                ? (size_t)answers
                : sizeof times / sizeof *times;
    bench_row(bench, "costs questions while 1,000 spans/s arrive",
              (double)answers / seconds, "/s", NAN, 20000);
    bench_row(bench, "server CPU a question, the spans included",
              cpu / (double)answers * 1e6, "us", NAN, NAN);
    if (count > 0) {
        bench_sort(times, count);
        bench_row(bench, "the same: p99", bench_percentile(times, count, 0.99),
                  "ms", 50, NAN);
    }
}

/* What nobody asked before: each time another end of the range. */
static const struct {
    const char *name;
    const char *path;
} questions[] = {
    {"costs: a month by day and model",
     "costs?granularity=daily&group_by=model&"},
    {"costs: a month by day, model, agent",
     "costs?granularity=daily&group_by=model,agent&"},
    {"costs: a month by model and status, +05:45",
     "costs?group_by=model,status&tz=Asia/Kathmandu&"},
    {"costs: a month by user", "costs?group_by=user&"},
    {"costs: a month by agent, percentiles",
     "costs?group_by=agent&latency=true&"},
    {"calls: newest", "calls?"},
    {"calls: of a user", "calls?user=user-7&"},
    {"calls: errors", "calls?status=error&"},
    {"calls: of a model and an agent",
     "calls?model=gpt-4.1-2025-04-14&agent=agent-3&"},
    {"sessions", "sessions?"},
    {"users", "users?"},
    {"facets: models", "facets?field=model&"},
    {"traces: newest", "traces?"},
    {"traces: dearest", "traces?order_by=cost&"},
    {"traces: dearest of an agent", "traces?order_by=cost&agent=agent-2&"},
    {"traces: of a user", "traces?user=user-9&"},
};
enum { QUESTIONS = sizeof questions / sizeof *questions, TIMES = 30 };

static double
ask(int fd, const bench_server_t *server, const char *path, char *body,
    size_t capacity)
{
    char request[1024];
    size_t size =
        bench_http_get(request, sizeof request, path, server->read_key);
    int64_t began = bench_now();
    int status = bench_http_ask(fd, request, size, body, capacity);

    if (status != 200) {
        fprintf(stderr, "%s: %d %.200s\n", path, status, body);
        return -1;
    }
    return (double)(bench_now() - began) / 1e6;
}

static void
end_of_range(int back, char out[64])
{
    time_t end = (time(NULL) / 900 - back) * 900;
    struct tm tm;

    gmtime_r(&end, &tm);
    strftime(out, 64, "end=%Y-%m-%dT%H:%M:%SZ", &tm);
}

void
bench_ask_new(bench_t *bench, const bench_server_t *server)
{
    static double all[(QUESTIONS + 1) * TIMES];
    static char body[8 << 20];
    int fd = bench_http_connect(server->port);
    double times[TIMES];
    char path[512];
    char end[64];
    char label[96];
    size_t count = 0;
    int kind;
    int i;

    for (kind = 0; kind <= QUESTIONS; kind++) {
        for (i = 0; i < TIMES; i++) {
            if (kind < QUESTIONS) {
                end_of_range(i + 1, end);
                snprintf(path, sizeof path, "/v1/projects/-/%s%s",
                         questions[kind].path, end);
            } else {
                const char *id;

                end_of_range(i * 40 + 1, end);
                snprintf(path, sizeof path, "/v1/projects/-/traces?limit=1&%s",
                         end);
                ask(fd, server, path, body, sizeof body);
                id = strstr(body, "\"trace_id\":\"");
                snprintf(path, sizeof path, "/v1/projects/-/traces/%.32s",
                         id == NULL ? "none" : id + 12);
            }
            times[i] = ask(fd, server, path, body, sizeof body);
            if (times[i] < 0) {
                bench_broken(bench, "no answer to a question");
                close(fd);
                return;
            }
            all[count++] = times[i];
        }
        snprintf(label, sizeof label, "%s: median",
                 kind < QUESTIONS ? questions[kind].name : "a trace");
        bench_row(bench, label, bench_median(times, TIMES), "ms", NAN, NAN);
    }
    close(fd);
    bench_sort(all, count);
    bench_row(bench, "questions asked for the first time: p99",
              bench_percentile(all, count, 0.99), "ms", 50, NAN);
}
