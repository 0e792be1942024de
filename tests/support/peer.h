/* A fault_peer.py of the test's own. Every function fails the test when the
 * peer cannot be had. */
#ifndef LLMLAB_TEST_PEER_H
#define LLMLAB_TEST_PEER_H

#include <stdint.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

typedef struct peer_s {
    pid_t pid;
    int input; /* closing it ends the peer */
    int port;
    char url[64];
    char certificate[64]; /* of a TLS peer: PEM file, self-signed */
} peer_t;

/* False when there is no python3: the test is then skipped. */
int peer_start(peer_t *peer);
/* As above with TLS, as 127.0.0.1; needs openssl, too. */
int peer_start_tls(peer_t *peer);
/* As above; who connects must show the peer's own certificate. */
int peer_start_mutual_tls(peer_t *peer);
void peer_stop(peer_t *peer);
/* A JSON list of words, see fault_peer.py. Not with TLS. */
void peer_script(const peer_t *peer, const char *json);
/* The caller deletes it. Fails the test when a request was malformed. */
cJSON *peer_report(const peer_t *peer);
/* One number of the report. */
double peer_number(const peer_t *peer, const char *name);

/* A key of the right form, the same each time. */
const char *peer_key(void);

#endif
