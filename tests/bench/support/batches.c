#include "bench/support/batches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ZLIB_CONST
#include <zlib.h>

/* Spans of one trace: an agent's run and its model calls. */
#define TRACE_SPANS 5
#define SPAN_BYTES  1024

static const struct {
    const char *provider;
    const char *api;
    const char *asked;
    const char *served;
} models[] = {
    {"openai", "chat_completions", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"},
    {"openai", "responses", "gpt-4.1", "gpt-4.1-2025-04-14"},
    {"anthropic", "messages", "claude-3-5-haiku-latest",
     "claude-3-5-haiku-20241022"},
    {"gemini", "generate_content", "gemini-2.5-flash", "gemini-2.5-flash"},
};

static uint64_t
draw(bench_feed_t *feed)
{
    feed->random ^= feed->random << 13;
    feed->random ^= feed->random >> 7;
    feed->random ^= feed->random << 17;
    return feed->random;
}

void
bench_feed_init(bench_feed_t *feed, int number, const char *key, int per_batch,
                int64_t start_ns, int64_t step_ns)
{
    memset(feed, 0, sizeof *feed);
    feed->random = (uint64_t)start_ns ^ ((uint64_t)number + 1) << 32;
    feed->next = 1;
    feed->per_batch = per_batch;
    feed->start_ns = start_ns;
    feed->step_ns = step_ns;
    snprintf(feed->key, sizeof feed->key, "%s", key);
    snprintf(feed->instance, sizeof feed->instance,
             "%08x-%04x-7%03x-8%03x-%012llx",
             (unsigned)(start_ns / 1000000 >> 16),
             (unsigned)(start_ns / 1000000 & 0xffff),
             (unsigned)(draw(feed) & 0xfff), (unsigned)(draw(feed) & 0xfff),
             (unsigned long long)(draw(feed) & 0xffffffffffff));
}

static size_t
put_time(char *out, size_t capacity, int64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm tm;
    size_t size;

    gmtime_r(&seconds, &tm);
    size = strftime(out, capacity, "%Y-%m-%dT%H:%M:%S", &tm);
    return size + (size_t)snprintf(out + size, capacity - size, ".%09lldZ",
                                   (long long)(ns % 1000000000));
}

static size_t
put_root(bench_feed_t *feed, char *out, uint64_t id)
{
    char start[40];

    put_time(start, sizeof start, feed->start_ns);
    return (size_t)snprintf(
        out, SPAN_BYTES,
        "{\"span_id\":\"%016llx\",\"parent_id\":null,\"n\":%llu,\"type\":"
        "\"agent\",\"name\":\"answer_question\",\"agent\":\"agent-%u\","
        "\"user\":\"user-%u\",\"session\":\"s-%u\",\"tags\":[\"production\"],"
        "\"status\":\"success\",\"start\":\"%s\",\"latency_ms\":%u.25,"
        "\"attributes\":{}}",
        (unsigned long long)id, (unsigned long long)feed->next,
        (unsigned)(id >> 8) % 5, (unsigned)(id >> 16) % 200,
        (unsigned)(id >> 24) % 2000, start, (unsigned)(id >> 32) % 5000);
}

static size_t
put_call(bench_feed_t *feed, char *out, uint64_t root, uint64_t id)
{
    unsigned model = (unsigned)(id >> 3) % 4;
    char start[40];

    put_time(start, sizeof start, feed->start_ns);
    return (size_t)snprintf(
        out, SPAN_BYTES,
        "{\"span_id\":\"%016llx\",\"parent_id\":\"%016llx\",\"n\":%llu,"
        "\"type\":\"llm_call\",\"name\":\"answer\",\"agent\":\"agent-%u\","
        "\"user\":\"user-%u\",\"session\":\"s-%u\",\"tags\":[\"production\"],"
        "\"status\":\"success\",\"start\":\"%s\",\"latency_ms\":%u.125,"
        "\"provider\":\"%s\",\"api\":\"%s\",\"request_model\":\"%s\","
        "\"model\":\"%s\",\"finish_reason\":\"stop\",\"usage\":{"
        "\"input_tokens\":%u,\"cache_read_tokens\":%u,\"output_tokens\":%u},"
        "\"usage_complete\":true,\"cost_detail\":{\"match\":\"exact\","
        "\"pricing\":\"priced\",\"usage_source\":\"provider\",\"cost_source\":"
        "\"computed\"},\"attributes\":{}}",
        (unsigned long long)id, (unsigned long long)root,
        (unsigned long long)feed->next, (unsigned)(root >> 8) % 5,
        (unsigned)(root >> 16) % 200, (unsigned)(root >> 24) % 2000, start,
        (unsigned)(id >> 32) % 3000, models[model].provider, models[model].api,
        models[model].asked, models[model].served,
        1024 + (unsigned)(id >> 20) % 4096, (unsigned)(id >> 40) % 1024,
        (unsigned)(id >> 50) % 800);
}

/* Every record of the batch, trace by trace. */
static size_t
put_traces(bench_feed_t *feed, char *out)
{
    size_t used = 0;
    uint64_t root = 0;
    int i;

    for (i = 0; i < feed->per_batch; i++) {
        if (i % TRACE_SPANS == 0) {
            root = draw(feed) | 1;
            used += (size_t)sprintf(
                out + used,
                "%s{\"trace_id\":\"%012llx%020llx\",\"agent_name\":"
                "\"answer_question\",\"status\":\"success\",\"steps\":[",
                i == 0 ? "" : "]},",
                (unsigned long long)(feed->start_ns / 1000000),
                (unsigned long long)(draw(feed)));
            used += put_root(feed, out + used, root);
        } else {
            out[used++] = ',';
            used += put_call(feed, out + used, root, draw(feed) | 1);
        }
        feed->next++;
        feed->start_ns += feed->step_ns;
    }
    return used + (size_t)sprintf(out + used, "]}]");
}

static size_t
deflate_all(const char *text, size_t size, char *out, size_t capacity)
{
    static _Thread_local z_stream z;
    static _Thread_local int ready;

    if (!ready) {
        deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
        ready = 1;
    }
    deflateReset(&z);
    z.next_in = (const Bytef *)text;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)capacity;
    deflate(&z, Z_FINISH);
    return capacity - z.avail_out;
}

void
bench_feed_next(bench_feed_t *feed, bench_request_t *out)
{
    size_t capacity = (size_t)feed->per_batch * SPAN_BYTES + 4096;
    uint64_t first = feed->next;
    char *json = malloc(capacity);
    char *body = malloc(capacity);
    char sent[40];
    size_t size;
    size_t packed;

    put_time(sent, sizeof sent, feed->start_ns);
    size = (size_t)snprintf(
        json, 1024,
        "{\"schema\":1,\"sdk\":{\"name\":\"libllmlab\",\"version\":\"0.1.0\","
        "\"language\":\"c\",\"instance\":\"%s\",\"service\":\"bench\","
        "\"environment\":\"prod\",\"release\":\"1.0.0\"},\"batch\":{\"first\":"
        "%llu,\"count\":%d,\"sent_at\":\"%s\",\"totals\":{\"accepted\":%llu,"
        "\"delivered\":%llu,\"rejected\":0,\"dropped\":{}},\"unsampled\":[]},"
        "\"traces\":[",
        feed->instance, (unsigned long long)first, feed->per_batch, sent,
        (unsigned long long)(first + (uint64_t)feed->per_batch - 1),
        (unsigned long long)(first - 1));
    size += put_traces(feed, json + size);
    size += (size_t)sprintf(json + size, ",\"scores\":[]}");
    packed = deflate_all(json, size, body, capacity);

    out->bytes = malloc(packed + 1024);
    out->json_size = size;
    out->size = (size_t)snprintf(
        out->bytes, 1024,
        "POST /v1/projects/-/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
        "Content-Encoding: gzip\r\nIdempotency-Key: %s-%llu-%d\r\n"
        "User-Agent: libllmlab/0.1.0 (c)\r\nContent-Length: %zu\r\n\r\n",
        feed->key, feed->instance, (unsigned long long)first, feed->per_batch,
        packed);
    memcpy(out->bytes + out->size, body, packed);
    out->size += packed;
    free(json);
    free(body);
}
