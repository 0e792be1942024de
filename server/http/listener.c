#include "http/listener.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include <microhttpd.h>
#include <sodium.h>

#include "api/api.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "http/address.h"
#include "http/body.h"
#include "http/cors.h"
#include "http/lane.h"
#include "http/peers.h"
#include "http/router.h"
#include "log.h"

#define IDLE_SECONDS     60
#define CONNECTION_BYTES (32 * 1024)
#define CONNECTIONS_MAX  4096
/* Descriptors for the database, the log and the like. */
#define FILES_RESERVED 128
/* Requests at rest keep their memory for the next ones. */
#define REST_MAX     64
#define LANE_THREADS 2
/* Of a stream at a time. */
#define STREAM_BYTES (64 * 1024)
/* Requests of strangers that may wait in the lane: each hashes a password. */
#define OPEN_MAX 16

struct llmlab__listener_s {
    llmlab__server_t *server;
    struct MHD_Daemon *daemon;
    int socket;
    bool metrics;
    char address[LLMLAB__ADDRESS_TEXT];
    pthread_mutex_t lock;
    llmlab__request_t *rest;
    size_t rest_count;
    llmlab__peers_t peers;
    llmlab__lane_t *lane; /* NULL: it serves metrics */
};

/* What on_uri leaves for on_request when an address hides something. */
static char hidden;

const char *
llmlab__request_param(const llmlab__request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection,
                                       MHD_GET_ARGUMENT_KIND, name);
}

const char *
llmlab__request_header(const llmlab__request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                       name);
}

const char *
llmlab__request_cookie(const llmlab__request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND,
                                       name);
}

static void
request_free(llmlab__request_t *request)
{
    llmlab__batch_destroy(request->batch);
    llmlab__inflate_cleanup(&request->inflate);
    llmlab__buf_cleanup(&request->reply.body);
    llmlab__free(request);
}

typedef struct forwarded_s {
    char text[1024];
    size_t size;
} forwarded_t;

/* Several headers are one list. What a proxy that is trusted has written is at
 * its end: a list too long loses its beginning. */
static enum MHD_Result
on_header(void *payload, enum MHD_ValueKind kind, const char *name,
          const char *value)
{
    forwarded_t *list = payload;
    size_t size;

    (void)kind;
    if (value == NULL || strcasecmp(name, "X-Forwarded-For") != 0) {
        return MHD_YES;
    }
    size = strlen(value);
    if (size + 2 > sizeof(list->text)) {
        value += size + 2 - sizeof(list->text);
        size = sizeof(list->text) - 2;
    }
    if (list->size + size + 2 > sizeof(list->text)) {
        list->size = 0;
    }
    if (list->size > 0) {
        list->text[list->size++] = ',';
    }
    memcpy(list->text + list->size, value, size + 1);
    list->size += size;
    return MHD_YES;
}

static void
address_read(const llmlab__server_t *server, llmlab__request_t *request)
{
    forwarded_t list = {.size = 0};

    if (server->proxy_count > 0) {
        (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND,
                                        on_header, &list);
    }
    llmlab__client_address(
        MHD_get_connection_info(request->connection,
                                MHD_CONNECTION_INFO_CLIENT_ADDRESS)
            ->client_addr,
        list.size > 0 ? list.text : NULL, server->proxies, server->proxy_count,
        request->address);
}

static llmlab__request_t *
request_take(llmlab__listener_t *listener, struct MHD_Connection *connection)
{
    llmlab__request_t *request;

    pthread_mutex_lock(&listener->lock);
    request = listener->rest;
    if (request != NULL) {
        listener->rest = request->next;
        listener->rest_count--;
    }
    pthread_mutex_unlock(&listener->lock);
    if (request == NULL) {
        request = llmlab__calloc(1, sizeof(*request));
        if (request == NULL) {
            return NULL;
        }
        llmlab__buf_init(&request->reply.body);
    }
    request->server = listener->server;
    request->connection = connection;
    request->peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
            ->socket_context;
    request->begin_ns = llmlab__clock_mono_ns();
    address_read(listener->server, request);
    atomic_fetch_add(&listener->server->metrics.in_flight, 1);
    return request;
}

static void
request_rest(llmlab__listener_t *listener, llmlab__request_t *request)
{
    llmlab__batch_t *batch = request->batch;
    llmlab__inflate_t inflate = request->inflate;

    if (request->reply.stream != NULL) {
        request->reply.stream->end(request->reply.stream);
    }
    if (request->reply.file > 0) {
        (void)close(request->reply.file);
    }
    llmlab__buf_cleanup(&request->reply.body);
    llmlab__kept_release(request->reply.kept);
    /* Passwords and providers' keys may be in it. */
    cJSON_Delete(request->json);
    if (request->body.data != NULL) {
        sodium_memzero(request->body.data, request->body.capacity);
    }
    llmlab__buf_cleanup(&request->body);
    if (batch != NULL) {
        llmlab__batch_clear(batch);
    }
    llmlab__project_book_release(request->book);
    memset(request, 0, sizeof(*request));
    llmlab__buf_init(&request->reply.body);
    request->batch = batch;
    request->inflate = inflate;
    pthread_mutex_lock(&listener->lock);
    if (listener->rest_count < REST_MAX) {
        request->next = listener->rest;
        listener->rest = request;
        listener->rest_count++;
        request = NULL;
    }
    pthread_mutex_unlock(&listener->lock);
    if (request != NULL) {
        request_free(request);
    }
}

static void
on_completed(void *cls, struct MHD_Connection *connection, void **state,
             enum MHD_RequestTerminationCode code)
{
    llmlab__listener_t *listener = cls;
    llmlab__request_t *request = *state;
    int64_t duration;

    (void)connection;
    (void)code;
    if (request == NULL || *state == &hidden) {
        return;
    }
    *state = NULL;
    llmlab__peers_await(&listener->peers, request->peer, LLMLAB__AWAIT_NEXT);
    duration = llmlab__clock_mono_ns() - request->begin_ns;
    if (request->open_counted) {
        atomic_fetch_sub(&listener->server->open_under_way, 1);
    }
    llmlab__body_let_go(request);
    if (request->route != NULL && request->reply.status != 0) {
        llmlab__metrics_request(&listener->server->metrics,
                                (unsigned)(request->route - llmlab__routes),
                                request->reply.status, duration);
    }
    llmlab__server_log_request(
        request->route != NULL ? request->route->method : "-",
        request->route != NULL ? request->route->pattern : "-",
        request->reply.status, duration);
    atomic_fetch_sub(&listener->server->metrics.in_flight, 1);
    request_rest(listener, request);
}

static void
body_free(void *body)
{
    llmlab__free(body);
}

static void
kept_free(void *kept)
{
    llmlab__kept_release(kept);
}

static void
header_add(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value);
}

static ssize_t
stream_read(void *cls, uint64_t position, char *out, size_t capacity)
{
    llmlab__stream_t *stream = cls;
    ssize_t size = stream->read(stream, out, capacity);

    (void)position;
    return size > 0    ? size
           : size == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                       : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void
stream_end(void *cls)
{
    llmlab__stream_t *stream = cls;

    stream->end(stream);
}

/* The response owns the reply's body from here on. */
static struct MHD_Response *
response_make(llmlab__reply_t *reply)
{
    struct MHD_Response *response;

    if (reply->stream != NULL) {
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
                                                     STREAM_BYTES, stream_read,
                                                     reply->stream, stream_end);
    } else if (reply->file > 0) {
        response = MHD_create_response_from_fd64(reply->file_size, reply->file);
    } else if (reply->kept != NULL) {
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            reply->kept->size, reply->kept->bytes, kept_free, reply->kept);
    } else {
        response = MHD_create_response_from_buffer_with_free_callback(
            reply->body.size, reply->body.data, body_free);
        if (response != NULL) {
            llmlab__buf_init(&reply->body);
        }
    }
    if (response != NULL) {
        reply->stream = NULL;
        reply->file = 0;
        reply->kept = NULL;
    }
    return response;
}

/* Hand the reply to MHD. The body goes with it. */
static enum MHD_Result
reply_queue(llmlab__request_t *request)
{
    llmlab__reply_t *reply = &request->reply;
    bool revisable = reply->kept != NULL || reply->status == 304;
    struct MHD_Response *response;
    enum MHD_Result result;

    if (reply->body.failed) {
        return MHD_NO;
    }
    llmlab__cors_headers(request);
    response = response_make(reply);
    if (response == NULL) {
        return MHD_NO;
    }
    if (reply->content_type != NULL) {
        header_add(response, "Content-Type", reply->content_type);
    }
    for (unsigned i = 0; i < reply->header_count; i++) {
        header_add(response, reply->headers[i].name,
                   reply->text + reply->headers[i].offset);
    }
    header_add(response, "Cache-Control",
               revisable ? "private, no-cache" : "no-store");
    header_add(response, "X-Content-Type-Options", "nosniff");
    if (reply->status == 401) {
        header_add(response, "WWW-Authenticate", "Bearer realm=\"llmlab\"");
    }
    if (reply->allow[0] != '\0') {
        header_add(response, "Allow", reply->allow);
    }
    if (reply->retry) {
        header_add(response, "Retry-After", "1");
    }
    if (reply->close || atomic_load(&request->server->draining)) {
        header_add(response, "Connection", "close");
    }
    result = MHD_queue_response(request->connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* On the writer's thread. */
static void
on_stored(llmlab__batch_t *batch)
{
    llmlab__request_t *request = batch->owner;

    MHD_resume_connection(request->connection);
}

/* The batch is whole: read it and hand it to the writer. */
static enum MHD_Result
ingest_end(llmlab__request_t *request)
{
    llmlab__server_t *server = request->server;
    llmlab__batch_t *batch = request->batch;
    llmlab__problem_t problem;

    atomic_fetch_add(&server->metrics.body_bytes, request->received);
    atomic_fetch_add(&server->metrics.inflated_bytes, batch->body.size);
    batch->now_ns = llmlab__clock_real_ns();
    request->book =
        llmlab__price_books_hold(server->books, request->project.id);
    if (request->book == NULL) {
        llmlab__reply_failure(request, "cannot read prices");
        return reply_queue(request);
    }
    if (!llmlab__ingest_parse(batch, &server->limits, request->book->book,
                              &problem)) {
        llmlab__reply_problem(request, &problem);
        return reply_queue(request);
    }
    batch->owner = request;
    batch->done = on_stored;
    request->handed_over = true;
    MHD_suspend_connection(request->connection);
    if (!llmlab__writer_submit(server->writer, batch)) {
        request->handed_over = false;
        llmlab__reply_refuse(request, 503, "busy", "Too much waits already",
                             NULL, "try again");
        MHD_resume_connection(request->connection);
    }
    return MHD_YES;
}

/* Run the handler, on this thread. */
static void
run(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;

    if ((request->route->flags & LLMLAB__ROUTE_CHANGE) != 0) {
        if (llmlab__change_begin(request)) {
            request->route->handle(request);
            llmlab__change_end(request);
        }
        return;
    }
    request->reader = store->ops->acquire(store);
    if (request->reader == NULL) {
        llmlab__reply_failure(request, "cannot open the database to read");
        return;
    }
    request->route->handle(request);
    store->ops->release(store, request->reader);
    request->reader = NULL;
}

/* On a thread of the lane. */
static void
run_in_lane(llmlab__request_t *request)
{
    if (llmlab__body_end(request)) {
        run(request);
    }
    MHD_resume_connection(request->connection);
}

static bool
needs_lane(const llmlab__request_t *request)
{
    return (request->route->flags & (LLMLAB__ROUTE_JSON | LLMLAB__ROUTE_LANE |
                                     LLMLAB__ROUTE_CHANGE)) != 0;
}

/* Who asks, and whether the body will be taken; the answer itself when it needs
 * neither a body nor long. */
static void
handle(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    bool allowed;

    request->reader = store->ops->acquire(store);
    if (request->reader == NULL) {
        llmlab__reply_failure(request, "cannot open the database to read");
        return;
    }
    allowed = llmlab__request_authorize(request) && llmlab__body_begin(request);
    if (allowed && request->route->handle != NULL && !needs_lane(request)) {
        request->route->handle(request);
    }
    store->ops->release(store, request->reader);
    request->reader = NULL;
}

/* The request is whole, and no reply is set. */
static enum MHD_Result
finish(llmlab__listener_t *listener, llmlab__request_t *request)
{
    if (!needs_lane(request)) {
        return llmlab__body_end(request) ? ingest_end(request)
                                         : reply_queue(request);
    }
    if (request->route->access == LLMLAB__ACCESS_OPEN) {
        request->open_counted = true;
        if (atomic_fetch_add(&request->server->open_under_way, 1) >= OPEN_MAX) {
            llmlab__reply_header(request, "Retry-After", "1");
            llmlab__reply_refuse(request, 429, "too-many-requests",
                                 "Too many requests", NULL,
                                 "others log in just now; again in 1 s");
            return reply_queue(request);
        }
    }
    MHD_suspend_connection(request->connection);
    if (!llmlab__lane_submit(listener->lane, request)) {
        llmlab__reply_refuse(request, 503, "busy", "Too much waits already",
                             NULL, "try again");
        MHD_resume_connection(request->connection);
    }
    return MHD_YES;
}

/* The headers are here. */
static enum MHD_Result
request_begin(llmlab__listener_t *listener, llmlab__request_t *request,
              const char *url, const char *method)
{
    uint64_t size;

    llmlab__peers_await(&listener->peers, request->peer, LLMLAB__AWAIT_NOTHING);
    if (request->reply.status != 0) {
        /* Refused already. */
    } else if (listener->metrics) {
        if (strcmp(url, "/metrics") != 0 || strcmp(method, "GET") != 0) {
            llmlab__reply_refuse(request, 404, "not-found", "Not found", NULL,
                                 "/metrics is all there is");
        } else {
            request->reply.status = 200;
            request->reply.content_type =
                "text/plain; version=0.0.4; charset=utf-8";
            llmlab__metrics_write(request->server, &request->reply.body);
        }
    } else if (llmlab__route(request, method, url)) {
        handle(request);
    }
    if (llmlab__body_announced(request, &size)) {
        llmlab__peers_await(&listener->peers, request->peer,
                            LLMLAB__AWAIT_BODY);
    }
    if (request->reply.status == 0) {
        return MHD_YES; /* the body comes next */
    }
    /* The answer waits for the end of the request, or MHD would close the
     * connection with it. A small body is swallowed first for the same reason:
     * a client that still writes may never read the answer. */
    if (llmlab__body_announced(request, &size) &&
        size > request->server->limits.max_body) {
        request->reply.close = true;
        return reply_queue(request);
    }
    return MHD_YES;
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url,
           const char *method, const char *version, const char *data,
           size_t *size, void **state)
{
    llmlab__listener_t *listener = cls;
    llmlab__request_t *request = *state;

    (void)version;
    if (request == NULL || *state == &hidden) {
        bool hides = request != NULL;

        request = request_take(listener, connection);
        *state = request;
        if (request == NULL) {
            return MHD_NO;
        }
        if (hides) {
            llmlab__reply_refuse(request, 400, "bad-address",
                                 "The address is malformed", NULL,
                                 "%%00 is nowhere allowed, %%2F in no path");
        }
        return request_begin(listener, request, url, method);
    }
    if (*size > 0) {
        request->received += *size;
        if (request->received > llmlab__body_limit(request)) {
            if (request->reply.status == 0) {
                llmlab__body_too_large(request);
            }
            /* What goes on far beyond the limit is cut off. */
            if (request->received > 4 * request->server->limits.max_body) {
                return MHD_NO;
            }
        } else if (request->reply.status == 0) {
            (void)llmlab__body_feed(request, data, *size);
        }
        *size = 0;
        return MHD_YES;
    }
    llmlab__peers_await(&listener->peers, request->peer, LLMLAB__AWAIT_NOTHING);
    if (request->reply.status != 0) {
        return reply_queue(request);
    }
    if (request->handed_over) {
        llmlab__api_ingest_reply(request);
        return reply_queue(request);
    }
    return finish(listener, request);
}

/* A NUL would end a text early, and an escaped slash turn one part of a path
 * into two: what is shown would not be what is meant. */
static void *
on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    const char *query = strchr(uri, '?');
    const char *slash = strcasestr(uri, "%2f");

    (void)cls;
    (void)connection;
    return strstr(uri, "%00") != NULL ||
                   (slash != NULL && (query == NULL || slash < query))
               ? &hidden
               : NULL;
}

static void
on_connection(void *cls, struct MHD_Connection *connection, void **context,
              enum MHD_ConnectionNotificationCode code)
{
    llmlab__listener_t *listener = cls;

    if (!listener->metrics) {
        atomic_fetch_add(&listener->server->metrics.connections,
                         code == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
    }
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = llmlab__peers_add(
            &listener->peers, MHD_get_connection_info(
                                  connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                                  ->connect_fd);
    } else {
        llmlab__peers_remove(&listener->peers, *context);
        *context = NULL;
    }
}

/* How many connections there may be: as many as descriptors allow. */
static unsigned
connections_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return 512;
    }
    if (files.rlim_cur < CONNECTIONS_MAX + FILES_RESERVED &&
        files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max < CONNECTIONS_MAX + FILES_RESERVED
                             ? files.rlim_max
                             : CONNECTIONS_MAX + FILES_RESERVED;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        (void)getrlimit(RLIMIT_NOFILE, &files);
    }
    return files.rlim_cur >= CONNECTIONS_MAX + FILES_RESERVED ? CONNECTIONS_MAX
           : files.rlim_cur > 2 * FILES_RESERVED
               ? (unsigned)files.rlim_cur - FILES_RESERVED
               : FILES_RESERVED;
}

static void
on_log(void *cls, const char *format, va_list arguments)
{
    char text[512];
    size_t size;

    (void)cls;
    (void)vsnprintf(text, sizeof(text), format, arguments);
    size = strlen(text);
    if (size > 0 && text[size - 1] == '\n') {
        text[size - 1] = '\0';
    }
    llmlab__server_log(LLMLAB_LOG_DEBUG, "http", "%s", text);
}

llmlab_status_t
llmlab__listener_start(llmlab__listener_t **out, llmlab__server_t *server,
                       const llmlab__listen_options_t *options)
{
    llmlab__listener_t *listener = llmlab__calloc(1, sizeof(*listener));
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG |
                     MHD_ALLOW_SUSPEND_RESUME |
                     (options->tls_cert != NULL ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->tls_key},
        {MHD_OPTION_END, 0, NULL}};
    unsigned limit = connections_limit();
    llmlab_status_t status;

    *out = NULL;
    if (listener == NULL) {
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for the listener");
    }
    if (options->tls_cert == NULL) {
        tls[0].option = MHD_OPTION_END;
    }
    listener->server = server;
    listener->metrics = options->metrics;
    (void)pthread_mutex_init(&listener->lock, NULL);
    listener->socket = options->socket;
    status = options->socket >= 0
                 ? llmlab__address_adopt(options->socket, listener->address)
                 : llmlab__address_listen(options->address, &listener->socket,
                                          listener->address);
    if (status != LLMLAB_OK) {
        llmlab__free(listener);
        return status;
    }
    if (!options->metrics) {
        status = llmlab__lane_start(&listener->lane, LANE_THREADS, run_in_lane);
        if (status != LLMLAB_OK) {
            (void)close(listener->socket);
            llmlab__free(listener);
            return status;
        }
    }
    llmlab__peers_init(&listener->peers, limit / 2);
    if (!options->metrics) {
        server->metrics.connections_limit = limit;
    }
    listener->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, listener, MHD_OPTION_EXTERNAL_LOGGER,
        on_log, NULL, MHD_OPTION_LISTEN_SOCKET, listener->socket,
        MHD_OPTION_THREAD_POOL_SIZE, options->metrics ? 0u : options->threads,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, listener,
        MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (listener->daemon == NULL) {
        (void)close(listener->socket);
        llmlab__lane_stop(listener->lane);
        llmlab__free(listener);
        return llmlab__fail(LLMLAB_EIO, "cannot serve on %s%s",
                            options->address,
                            options->tls_cert == NULL
                                ? ""
                                : ": the certificate or its key is no PEM, or "
                                  "they do not belong together");
    }
    *out = listener;
    return LLMLAB_OK;
}

uint16_t
llmlab__listener_port(const llmlab__listener_t *listener)
{
    const char *colon = strrchr(listener->address, ':');

    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

const char *
llmlab__listener_address(const llmlab__listener_t *listener)
{
    return listener->address;
}

void
llmlab__listener_reap(llmlab__listener_t *listener)
{
    if (listener != NULL) {
        llmlab__peers_reap(&listener->peers);
    }
}

unsigned
llmlab__listener_connections(llmlab__listener_t *listener)
{
    unsigned count = 0;

    if (listener != NULL) {
        pthread_mutex_lock(&listener->peers.lock);
        count = (unsigned)listener->peers.count;
        pthread_mutex_unlock(&listener->peers.lock);
    }
    return count;
}

void
llmlab__listener_quiesce(llmlab__listener_t *listener)
{
    if (listener != NULL) {
        int fd = MHD_quiesce_daemon(listener->daemon);

        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

void
llmlab__listener_stop(llmlab__listener_t *listener)
{
    if (listener == NULL) {
        return;
    }
    llmlab__lane_stop(listener->lane);
    MHD_stop_daemon(listener->daemon);
    while (listener->rest != NULL) {
        llmlab__request_t *request = listener->rest;

        listener->rest = request->next;
        request_free(request);
    }
    llmlab__peers_cleanup(&listener->peers);
    pthread_mutex_destroy(&listener->lock);
    llmlab__free(listener);
}
