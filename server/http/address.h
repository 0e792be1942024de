/* Addresses to listen on, as text. */
#ifndef LLMLAB_HTTP_ADDRESS_H
#define LLMLAB_HTTP_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

#include <llmlab/status.h>

#define LLMLAB__ADDRESS_TEXT 80

/* Open a listening socket on "HOST:PORT" (numbers only; IPv6 in brackets) and
 * write the address with the port in use. */
llmlab_status_t llmlab__address_listen(const char *address, int *out_socket,
                                       char out[LLMLAB__ADDRESS_TEXT]);

/* The same of a socket that listens already. */
llmlab_status_t llmlab__address_adopt(int socket,
                                      char out[LLMLAB__ADDRESS_TEXT]);

#endif
