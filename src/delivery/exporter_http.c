#include "delivery/exporter.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "delivery/compress.h"
#include "delivery/encode.h"
#include "delivery/reply.h"

enum { HEADERS = 6 };

typedef struct http_exporter_s {
    const llmlab__delivery_options_t *options;
    llmlab__sender_t own;
    llmlab__sender_t sender; /* of the batch that is being sent */
    llmlab__transport_t transport;
    llmlab__encoder_t encoder;
    llmlab__compressor_t compressor;
    llmlab__buf_t body; /* compressed */
    char *url;
    char *authorization; /* guarded memory; NULL: none */
    char idempotency[120];
} http_exporter_t;

static char *
make_url(const llmlab__delivery_options_t *options)
{
    size_t size = strlen(options->url);
    size_t room = size + strlen(options->project) + 32;
    char *url = llmlab__alloc(room);

    while (size > 0 && options->url[size - 1] == '/') {
        size--;
    }
    if (url != NULL) {
        snprintf(url, room, "%.*s/v1/projects/%s/traces", (int)size,
                 options->url, options->project);
    }
    return url;
}

static char *
make_authorization(const char *key)
{
    static const char name[] = "Authorization: Bearer ";
    size_t room = sizeof(name) + strlen(key);
    char *header = sodium_init() < 0 ? NULL : sodium_malloc(room);

    if (header != NULL) {
        snprintf(header, room, "%s%s", name, key);
    }
    return header;
}

/* The body to send: gzip, or the JSON itself. */
static bool
make_body(http_exporter_t *exporter, llmlab__delivery_t *delivery)
{
    llmlab__encoder_t *encoder = &exporter->encoder;

    exporter->sender = exporter->own;
    if (delivery->owner != NULL) {
        exporter->sender = (llmlab__sender_t){
            delivery->owner->language, delivery->owner->instance,
            delivery->owner->service, delivery->owner->environment,
            delivery->owner->release};
    }
    if (!llmlab__encode(encoder, &exporter->sender, delivery->batch,
                        delivery->totals, llmlab__clock_real_ns())) {
        return false;
    }
    delivery->corrupt = encoder->corrupt;
    return exporter->options->compress_level == 0 ||
           llmlab__compress(&exporter->compressor, encoder->json.data,
                            encoder->json.size, &exporter->body);
}

static void
fill_request(http_exporter_t *exporter, const llmlab__delivery_t *delivery,
             llmlab_request_t *request, const char *headers[HEADERS])
{
    bool is_gzip = exporter->options->compress_level > 0;
    size_t count = 0;

    snprintf(exporter->idempotency, sizeof(exporter->idempotency),
             "Idempotency-Key: %s-%llu-%u", exporter->sender.instance,
             (unsigned long long)delivery->batch->first,
             delivery->batch->count);
    if (exporter->authorization != NULL) {
        headers[count++] = exporter->authorization;
    }
    headers[count++] = "Content-Type: application/json";
    if (is_gzip) {
        headers[count++] = "Content-Encoding: gzip";
    }
    headers[count++] = exporter->idempotency;
    headers[count++] = "Expect:"; /* no extra round trip for larger bodies */
    headers[count] = NULL;

    memset(request, 0, sizeof(*request));
    request->struct_size = sizeof(*request);
    request->url = exporter->url;
    request->headers = headers;
    request->body = is_gzip ? exporter->body.data : exporter->encoder.json.data;
    request->body_size =
        is_gzip ? exporter->body.size : exporter->encoder.json.size;
    request->deadline_ns =
        llmlab__clock_mono_ns() + exporter->options->http_timeout_ns;
    request->stop = (const int *)(const void *)delivery->stop;
}

static void
read_response(http_exporter_t *exporter, llmlab__delivery_t *delivery,
              const llmlab_response_t *response)
{
    const llmlab__batch_t *batch = delivery->batch;
    llmlab__reply_t reply;

    llmlab__reply_read(&reply, response->body, response->body_size,
                       exporter->sender.instance, batch->first, batch->count);
    delivery->http_status = response->http_status;
    delivery->retry_after_ms = response->retry_after_ms;
    delivery->verdict = llmlab__verdict(response->http_status, reply.echoed);
    if (delivery->verdict != LLMLAB__VERDICT_DONE) {
        snprintf(delivery->reason, sizeof(delivery->reason), "HTTP %d%s",
                 response->http_status,
                 response->http_status / 100 == 2 ? ", not from llmlab-server"
                                                  : "");
        return;
    }
    delivery->rejected = reply.rejected;
    delivery->duplicates = reply.duplicates;
    if (reply.rejected > 0) {
        snprintf(delivery->reason, sizeof(delivery->reason), "%s: %s",
                 reply.field, reply.type);
    }
}

static void
http_deliver(void *self, llmlab__delivery_t *delivery)
{
    http_exporter_t *exporter = self;
    const llmlab_transport_t *hooks = &exporter->transport.hooks;
    const char *headers[HEADERS];
    llmlab_request_t request;
    llmlab_response_t response;

    delivery->verdict = LLMLAB__VERDICT_RETRY;
    delivery->retry_after_ms = -1;
    if (!make_body(exporter, delivery)) {
        snprintf(delivery->reason, sizeof(delivery->reason), "out of memory");
        return;
    }
    fill_request(exporter, delivery, &request, headers);
    delivery->bytes_sent = request.body_size;
    llmlab__response_init(&response);
    if (hooks->send(hooks->self, &request, &response) == 0 &&
        response.http_status > 0) {
        read_response(exporter, delivery, &response);
    } else {
        response.error[sizeof(response.error) - 1] = '\0';
        snprintf(delivery->reason, sizeof(delivery->reason), "%s",
                 response.error[0] != '\0' ? response.error : "no reply");
    }
    llmlab__response_clear(&response);
}

static void
http_wake(void *self)
{
    http_exporter_t *exporter = self;

    if (exporter->transport.wake != NULL) {
        exporter->transport.wake(exporter->transport.hooks.self);
    }
}

static size_t
http_memory(void *self)
{
    const http_exporter_t *exporter = self;

    return llmlab__encoder_memory(&exporter->encoder) + exporter->body.capacity;
}

static void
http_destroy(void *self)
{
    http_exporter_t *exporter = self;
    llmlab_transport_t *hooks = &exporter->transport.hooks;

    if (hooks->destroy != NULL) {
        hooks->destroy(hooks->self);
    }
    llmlab__encoder_cleanup(&exporter->encoder);
    llmlab__compressor_cleanup(&exporter->compressor);
    llmlab__buf_cleanup(&exporter->body);
    llmlab__free(exporter->url);
    sodium_free(exporter->authorization);
    llmlab__free(exporter);
}

bool
llmlab__exporter_http(llmlab__exporter_t *out,
                      const llmlab__delivery_options_t *options,
                      const char *instance,
                      const llmlab__transport_t *transport)
{
    http_exporter_t *exporter = llmlab__calloc(1, sizeof(*exporter));

    if (exporter == NULL) {
        if (transport->hooks.destroy != NULL) {
            transport->hooks.destroy(transport->hooks.self);
        }
        llmlab__fail(LLMLAB_ENOMEM, "out of memory");
        return false;
    }
    exporter->options = options;
    exporter->own =
        (llmlab__sender_t){options->language, instance, options->service,
                           options->environment, options->release};
    exporter->transport = *transport;
    llmlab__encoder_init(&exporter->encoder);
    llmlab__compressor_init(&exporter->compressor, options->compress_level);
    llmlab__buf_init(&exporter->body);
    exporter->url = make_url(options);
    if (options->api_key[0] != '\0') {
        exporter->authorization = make_authorization(options->api_key);
    }
    if (exporter->url == NULL ||
        (options->api_key[0] != '\0' && exporter->authorization == NULL)) {
        http_destroy(exporter);
        llmlab__fail(LLMLAB_ENOMEM, "out of memory");
        return false;
    }
    out->self = exporter;
    out->deliver = http_deliver;
    out->wake = http_wake;
    out->memory = http_memory;
    out->destroy = http_destroy;
    return true;
}
