/* What a service manager hands over and is told: listening sockets
 * (LISTEN_FDS), so that no connection is refused while the server is replaced,
 * and when it is ready (NOTIFY_SOCKET). */
#ifndef LLMLAB_SERVER_ACTIVATION_H
#define LLMLAB_SERVER_ACTIVATION_H

/* The socket handed over: 0 for requests, 1 for metrics. -1: none. */
int llmlab__activation_socket(int index);
/* "READY=1", "STOPPING=1". Nothing happens when nobody listens. */
void llmlab__activation_notify(const char *state);

#endif
