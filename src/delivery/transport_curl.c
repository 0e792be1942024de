#include "delivery/transport.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "delivery/curl_setup.h"

/* While a reply is awaited, the rings are emptied so often. */
#define SLICE_MS 10

typedef struct curl_transport_s {
    CURLM *multi;
    CURL *easy;
    llmlab__idle_fn idle;
    void *payload;
    char error[CURL_ERROR_SIZE];
} curl_transport_t;

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static bool global_ok;

static void
global_init(void)
{
    global_ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

bool
llmlab__curl_ready(void)
{
    pthread_once(&global_once, global_init);
    return global_ok;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *payload)
{
    if (llmlab_response_append(payload, bytes, size * count) != 0) {
        return 0;
    }
    return size * count;
}

static struct curl_slist *
make_headers(const char *const *headers)
{
    struct curl_slist *list = NULL;

    for (; *headers != NULL; headers++) {
        struct curl_slist *longer = curl_slist_append(list, *headers);

        if (longer == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

/* One of them holds the key. */
static void
free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *at = headers; at != NULL; at = at->next) {
        sodium_memzero(at->data, strlen(at->data));
    }
    curl_slist_free_all(headers);
}

static bool
should_stop(const llmlab_request_t *request)
{
    /* The flag is atomic where it lives; the public header is C99. */
    return __atomic_load_n(request->stop, __ATOMIC_SEQ_CST) != 0;
}

/* Drive the transfer until it ends, the deadline passes or a stop is asked
 * for. */
static CURLcode
run(curl_transport_t *transport, const llmlab_request_t *request)
{
    CURLMsg *message;
    int running = 1;
    int left;

    for (;;) {
        if (curl_multi_perform(transport->multi, &running) != CURLM_OK) {
            return CURLE_FAILED_INIT;
        }
        if (running == 0) {
            break;
        }
        if (should_stop(request)) {
            return CURLE_ABORTED_BY_CALLBACK;
        }
        if (llmlab__clock_mono_ns() >= request->deadline_ns) {
            return CURLE_OPERATION_TIMEDOUT;
        }
        transport->idle(transport->payload);
        curl_multi_poll(transport->multi, NULL, 0, SLICE_MS, NULL);
    }
    message = curl_multi_info_read(transport->multi, &left);
    return message == NULL ? CURLE_FAILED_INIT : message->data.result;
}

static void
read_reply(curl_transport_t *transport, llmlab_response_t *response)
{
    long status = 0;
    curl_off_t retry_after = 0;

    curl_easy_getinfo(transport->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transport->easy, CURLINFO_RETRY_AFTER, &retry_after);
    response->http_status = (int)status;
    /* libcurl reads seconds and dates, and says 0 for neither. */
    if (retry_after > 0) {
        response->retry_after_ms =
            retry_after > INT64_MAX / 1000 ? INT64_MAX : retry_after * 1000;
    }
}

static const char *
describe(const curl_transport_t *transport, CURLcode code)
{
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return "given up";
    }
    if (code == CURLE_OPERATION_TIMEDOUT && transport->error[0] == '\0') {
        return "no reply in time";
    }
    /* Our URL has no user: what stands before the @ is a proxy's password. */
    return transport->error[0] != '\0' && strchr(transport->error, '@') == NULL
               ? transport->error
               : curl_easy_strerror(code);
}

static int
transport_send(void *self, const llmlab_request_t *request,
               llmlab_response_t *response)
{
    curl_transport_t *transport = self;
    CURL *easy = transport->easy;
    struct curl_slist *headers = make_headers(request->headers);
    CURLcode code = CURLE_OUT_OF_MEMORY;

    transport->error[0] = '\0';
    if (headers == NULL) {
        goto out;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)request->body_size);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, response);
    if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK ||
        curl_multi_add_handle(transport->multi, easy) != CURLM_OK) {
        goto out;
    }
    code = run(transport, request);
    if (code == CURLE_OK) {
        read_reply(transport, response);
    }
    curl_multi_remove_handle(transport->multi, easy);
out:
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    free_headers(headers);
    if (code != CURLE_OK) {
        snprintf(response->error, sizeof(response->error), "%.159s",
                 describe(transport, code));
        return -1;
    }
    return 0;
}

static void
transport_wake(void *self)
{
    curl_transport_t *transport = self;

    curl_multi_wakeup(transport->multi);
}

static void
transport_destroy(void *self)
{
    curl_transport_t *transport = self;

    curl_easy_cleanup(transport->easy);
    curl_multi_cleanup(transport->multi);
    llmlab__free(transport);
}

bool
llmlab__transport_curl_new(llmlab__transport_t *out,
                           const llmlab__delivery_options_t *options,
                           llmlab__idle_fn idle, void *payload)
{
    curl_transport_t *transport;

    memset(out, 0, sizeof(*out));
    transport = llmlab__calloc(1, sizeof(*transport));
    if (transport == NULL) {
        return false;
    }
    transport->idle = idle;
    transport->payload = payload;
    transport->multi = curl_multi_init();
    transport->easy = curl_easy_init();
    curl_easy_setopt(transport->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(transport->easy, CURLOPT_POST, 1L);
    out->hooks.struct_size = sizeof(out->hooks);
    out->hooks.send = transport_send;
    out->hooks.destroy = transport_destroy;
    out->hooks.self = transport;
    out->wake = transport_wake;
    if (transport->multi == NULL || transport->easy == NULL ||
        !llmlab__curl_setup(transport->easy, options, transport->error)) {
        transport_destroy(transport);
        memset(out, 0, sizeof(*out));
        return false;
    }
    return true;
}
