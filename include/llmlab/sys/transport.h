/* Unstable: may change with any minor version.
 *
 * A transport sends one request and tells the reply. The library keeps queue,
 * batching, retry and deadlines; replacing the transport replaces only HTTP. */
#ifndef LLMLAB_SYS_TRANSPORT_H
#define LLMLAB_SYS_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/config.h>
#include <llmlab/export.h>

typedef struct llmlab_request_s {
    size_t struct_size;
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; holds the
                                   key: do not log it */
    const void *body;           /* as sent: compressed */
    size_t body_size;
    int64_t deadline_ns; /* CLOCK_MONOTONIC: give up then */
    const int *stop;     /* becomes non-zero: return soon (atomic) */
} llmlab_request_t;

typedef struct llmlab_response_s {
    size_t struct_size;
    int http_status;        /* 0: no reply */
    int64_t retry_after_ms; /* -1: not stated */
    char *body;             /* llmlab's memory: filled by
                               llmlab_response_append() */
    size_t body_size;
    char error[160]; /* why there is no reply */
} llmlab_response_t;

/** All hooks run on the worker thread, one at a time. */
typedef struct llmlab_transport_s {
    size_t struct_size;
    /** One request, one reply. 0 when a reply was received, -1 otherwise.
     * Until it returns, records wait in their rings: a slow one wants a large
     * queue.max_bytes. (The built-in one has the rings emptied meanwhile.) */
    int (*send)(void *self, const llmlab_request_t *request,
                llmlab_response_t *response);
    /** Free self. Called once. May be NULL. */
    void (*destroy)(void *self);
    void *self;
} llmlab_transport_t;

LLMLAB_BEGIN_DECLS

/** Use another transport. Copied; the first client opened from this
 * configuration owns transport->self. */
LLMLAB_API void
llmlab_config_set_transport(llmlab_config_t *config,
                            const llmlab_transport_t *transport);

/** Add bytes to a response's body; more than 1 MiB in all is cut. 0, or -1
 * without memory or with a NULL. */
LLMLAB_API int llmlab_response_append(llmlab_response_t *response,
                                      const void *bytes, size_t size);

LLMLAB_END_DECLS

#endif
