/* The HTTP side: libmicrohttpd with epoll and a small pool of threads. */
#ifndef LLMLAB_HTTP_LISTENER_H
#define LLMLAB_HTTP_LISTENER_H

#include <stdint.h>

#include "server.h"

typedef struct llmlab__listener_s llmlab__listener_t;

typedef struct llmlab__listen_options_s {
    const char *address;  /* "127.0.0.1:7400", "[::1]:7400" */
    const char *tls_cert; /* PEM texts; NULL: plain HTTP */
    const char *tls_key;
    unsigned threads;
    int socket;   /* that listens already; -1: open the address */
    bool metrics; /* serves /metrics and nothing else */
} llmlab__listen_options_t;

/* LLMLAB_EINVAL (not an address), LLMLAB_EIO (cannot listen). */
llmlab_status_t llmlab__listener_start(llmlab__listener_t **out,
                                       llmlab__server_t *server,
                                       const llmlab__listen_options_t *options);
/* LLMLAB_EINVAL with the reason when the text is no HOST:PORT. */
llmlab_status_t llmlab__address_check(const char *address);
/* Is only this machine able to reach the address? */
bool llmlab__address_is_local(const char *address);
uint16_t llmlab__listener_port(const llmlab__listener_t *listener);
/* The address with the port in use: "127.0.0.1:40123". */
const char *llmlab__listener_address(const llmlab__listener_t *listener);
/* End connections that take too long to say what they want. Called each second
 * or so. */
void llmlab__listener_reap(llmlab__listener_t *listener);
/* Connections that are open. */
unsigned llmlab__listener_connections(llmlab__listener_t *listener);
/* Accept no more connections; those that are open go on. */
void llmlab__listener_quiesce(llmlab__listener_t *listener);
/* Requests begun and not yet answered must be none. */
void llmlab__listener_stop(llmlab__listener_t *listener);

#endif
