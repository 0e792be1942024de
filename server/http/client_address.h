/* Who asks, by address: the peer's, or what a proxy that is trusted says. */
#ifndef LLMLAB_HTTP_CLIENT_ADDRESS_H
#define LLMLAB_HTTP_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define LLMLAB__PROXIES_MAX         16
#define LLMLAB__CLIENT_ADDRESS_TEXT 48

/* A range of addresses; IPv4 is kept as ::ffff:0:0/96. */
typedef struct llmlab__network_s {
    unsigned char address[16];
    unsigned bits;
} llmlab__network_t;

/* "10.0.0.0/8", "::1", "192.0.2.7". False when it is none. */
bool llmlab__network_parse(const char *text, llmlab__network_t *out);

/* The address as text. forwarded: X-Forwarded-For, or NULL; it is read from
 * its end, as far as proxies that are trusted have written it. */
void llmlab__client_address(const struct sockaddr *peer, const char *forwarded,
                            const llmlab__network_t *proxies, size_t count,
                            char out[LLMLAB__CLIENT_ADDRESS_TEXT]);

#endif
