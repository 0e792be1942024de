#include "http/peers.h"

#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"

#define SECOND     INT64_C(1000000000)
#define CROWDED_NS (2 * SECOND)
#define HEADERS_NS (15 * SECOND)
#define BODY_NS    (120 * SECOND)
#define NEXT_NS    (60 * SECOND)

void
llmlab__peers_init(llmlab__peers_t *peers, size_t crowded)
{
    (void)pthread_mutex_init(&peers->lock, NULL);
    peers->first = NULL;
    peers->count = 0;
    peers->crowded = crowded;
}

void
llmlab__peers_cleanup(llmlab__peers_t *peers)
{
    pthread_mutex_destroy(&peers->lock);
}

llmlab__peer_t *
llmlab__peers_add(llmlab__peers_t *peers, int fd)
{
    llmlab__peer_t *peer = llmlab__calloc(1, sizeof(*peer));

    if (peer == NULL) {
        return NULL;
    }
    peer->fd = fd;
    peer->since_ns = llmlab__clock_mono_ns();
    peer->patience_ns = HEADERS_NS;
    pthread_mutex_lock(&peers->lock);
    peer->next = peers->first;
    if (peer->next != NULL) {
        peer->next->previous = peer;
    }
    peers->first = peer;
    peers->count++;
    pthread_mutex_unlock(&peers->lock);
    return peer;
}

void
llmlab__peers_remove(llmlab__peers_t *peers, llmlab__peer_t *peer)
{
    if (peer == NULL) {
        return;
    }
    pthread_mutex_lock(&peers->lock);
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    }
    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        peers->first = peer->next;
    }
    peers->count--;
    pthread_mutex_unlock(&peers->lock);
    llmlab__free(peer);
}

void
llmlab__peers_await(llmlab__peers_t *peers, llmlab__peer_t *peer,
                    llmlab__await_t what)
{
    static const int64_t patience_ns[] = {[LLMLAB__AWAIT_HEADERS] = HEADERS_NS,
                                          [LLMLAB__AWAIT_BODY] = BODY_NS,
                                          [LLMLAB__AWAIT_NEXT] = NEXT_NS,
                                          [LLMLAB__AWAIT_NOTHING] = 0};

    if (peer == NULL) {
        return;
    }
    pthread_mutex_lock(&peers->lock);
    peer->since_ns = llmlab__clock_mono_ns();
    peer->patience_ns = patience_ns[what];
    pthread_mutex_unlock(&peers->lock);
}

void
llmlab__peers_reap(llmlab__peers_t *peers)
{
    int64_t now = llmlab__clock_mono_ns();
    llmlab__peer_t *peer;

    pthread_mutex_lock(&peers->lock);
    for (peer = peers->first; peer != NULL; peer = peer->next) {
        int64_t patience = peer->patience_ns;

        if (peers->count > peers->crowded && patience > CROWDED_NS) {
            patience = CROWDED_NS;
        }
        if (patience > 0 && now - peer->since_ns > patience) {
            /* The library sees the end and closes it. */
            (void)shutdown(peer->fd, SHUT_RDWR);
            peer->patience_ns = 0;
        }
    }
    pthread_mutex_unlock(&peers->lock);
}
