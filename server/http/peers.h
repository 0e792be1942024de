/* The open connections of a listener, and how long each may take to say what
 * it wants: the HTTP library starts its clock anew with every byte, so that a
 * client that drips, or sends nothing at all, would keep others out. */
#ifndef LLMLAB_HTTP_PEERS_H
#define LLMLAB_HTTP_PEERS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

typedef struct llmlab__peer_s {
    struct llmlab__peer_s *next;
    struct llmlab__peer_s *previous;
    int fd;
    int64_t since_ns;
    int64_t patience_ns; /* 0: without end, it is our turn */
} llmlab__peer_t;

typedef struct llmlab__peers_s {
    pthread_mutex_t lock;
    llmlab__peer_t *first;
    size_t count;
    size_t crowded; /* above it patience is short */
} llmlab__peers_t;

void llmlab__peers_init(llmlab__peers_t *peers, size_t crowded);
/* All peers are gone. */
void llmlab__peers_cleanup(llmlab__peers_t *peers);
/* NULL: out of memory; the connection then has no clock of ours. */
llmlab__peer_t *llmlab__peers_add(llmlab__peers_t *peers, int fd);
/* Before its descriptor is closed. NULL is fine. */
void llmlab__peers_remove(llmlab__peers_t *peers, llmlab__peer_t *peer);

typedef enum llmlab__await_e {
    LLMLAB__AWAIT_HEADERS, /* of a new connection */
    LLMLAB__AWAIT_BODY,
    LLMLAB__AWAIT_NEXT, /* request on the same connection */
    LLMLAB__AWAIT_NOTHING
} llmlab__await_t;

/* What the peer is to do next; its clock starts anew. NULL is fine. */
void llmlab__peers_await(llmlab__peers_t *peers, llmlab__peer_t *peer,
                         llmlab__await_t what);
/* End the connections whose time is up. Called each second or so. */
void llmlab__peers_reap(llmlab__peers_t *peers);

#endif
