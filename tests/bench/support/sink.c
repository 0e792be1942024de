/* A transport that accepts every batch at once: what is measured is the
 * library, up to the bytes on the wire. */
#include "bench/support/bench.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <llmlab/sys/transport.h>

#include <zlib.h>

static _Atomic uint64_t sent_bytes;
static _Atomic uint64_t sent_batches;
static void *last_body;
static size_t last_size;

/* The Idempotency-Key is <instance>-<first>-<count>: the reply echoes it. */
static void
echo(const llmlab_request_t *request, llmlab_response_t *response)
{
    static const char name[] = "Idempotency-Key: ";
    char instance[64] = "";
    char text[256];
    unsigned long long first = 0;
    unsigned long long count = 0;
    size_t i;

    for (i = 0; request->headers[i] != NULL; i++) {
        const char *value = request->headers[i] + sizeof name - 1;
        const char *end;

        if (strncmp(request->headers[i], name, sizeof name - 1) != 0) {
            continue;
        }
        end = strrchr(value, '-');
        count = strtoull(end + 1, NULL, 10);
        for (end--; end > value && *end != '-'; end--) {
        }
        first = strtoull(end + 1, NULL, 10);
        snprintf(instance, sizeof instance, "%.*s", (int)(end - value), value);
    }
    snprintf(text, sizeof text,
             "{\"instance\":\"%s\",\"first\":%llu,\"count\":%llu,"
             "\"accepted\":%llu,\"duplicate\":0,\"rejected\":[]}",
             instance, first, count, count);
    llmlab_response_append(response, text, strlen(text));
}

static int
take(void *self, const llmlab_request_t *request, llmlab_response_t *response)
{
    (void)self;
    atomic_fetch_add(&sent_bytes, request->body_size);
    atomic_fetch_add(&sent_batches, 1);
    if (last_size < request->body_size) {
        last_body = realloc(last_body, request->body_size);
    }
    memcpy(last_body, request->body, request->body_size);
    last_size = request->body_size;
    response->http_status = 200;
    response->retry_after_ms = -1;
    echo(request, response);
    return 0;
}

void
bench_key(char out[BENCH_KEY])
{
    static const char digits[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint32_t crc;
    int i;

    snprintf(out, BENCH_KEY, "llmlab_sk_%030d", 0);
    crc = (uint32_t)crc32(0, (const Bytef *)out, 40);
    for (i = 46; i-- > 40; crc /= 62) {
        out[i] = digits[crc % 62];
    }
    out[46] = '\0';
}

llmlab_client_t *
bench_open(const char *const *settings)
{
    const llmlab_transport_t transport = {sizeof transport, take, NULL, NULL};
    llmlab_config_t *config = llmlab_config_new();
    llmlab_client_t *client = NULL;
    char key[BENCH_KEY];
    llmlab_status_t status;

    bench_key(key);
    status = llmlab_config_set(config, "api_key", key);

    for (; status == LLMLAB_OK && settings != NULL && *settings != NULL;
         settings += 2) {
        status = llmlab_config_set(config, settings[0], settings[1]);
    }
    if (status == LLMLAB_OK) {
        llmlab_config_set_transport(config, &transport);
        status = llmlab_client_open(&client, config);
    }
    if (status != LLMLAB_OK || !llmlab_client_enabled(client)) {
        fprintf(stderr, "cannot open a client: %s: %s\n",
                llmlab_status_name(status), llmlab_status_detail());
        exit(1);
    }
    llmlab_config_destroy(config);
    return client;
}

uint64_t
bench_sent_bytes(void)
{
    return sent_bytes;
}

uint64_t
bench_sent_batches(void)
{
    return sent_batches;
}

const void *
bench_sent_body(size_t *size)
{
    *size = last_size;
    return last_body;
}
