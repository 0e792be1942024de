/* How a request gets to the server: libcurl, the mock, or the user's own. */
#ifndef LLMLAB_DELIVERY_TRANSPORT_H
#define LLMLAB_DELIVERY_TRANSPORT_H

#include <stdbool.h>

#include <llmlab/sys/transport.h>

#include "delivery/options.h"

/* Called by a transport that can, now and then while it waits: the worker
 * empties the rings. */
typedef void (*llmlab__idle_fn)(void *payload);

typedef struct llmlab__transport_s {
    llmlab_transport_t hooks;
    /* End a wait inside send() early. Any thread. May be NULL. */
    void (*wake)(void *self);
} llmlab__transport_t;

void llmlab__response_init(llmlab_response_t *response);
void llmlab__response_clear(llmlab_response_t *response); /* keeps nothing */

/* @thread worker */
bool llmlab__transport_curl_new(llmlab__transport_t *out,
                                const llmlab__delivery_options_t *options,
                                llmlab__idle_fn idle, void *payload);

/* Global initialisation of libcurl, once in a process, never undone: others
 * in this program may use libcurl too. False when libcurl cannot be used. */
bool llmlab__curl_ready(void);

#endif
