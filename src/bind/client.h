/* The clients of the flat layer. */
#ifndef LLMLAB_BIND_CLIENT_H
#define LLMLAB_BIND_CLIENT_H

#include <llmlab/client.h>

#include "bind/handle.h"

/* The client of a handle. The caller must hold a slot made for that client,
 * which keeps it open until the slot is freed. LLMLAB_ECLOSED, LLMLAB_EINVAL
 * (never given out), LLMLAB_EDISABLED (0). */
llmlab_status_t llmlab__bind_client_get(llmlab_client_t **out, int client);

/* Keep a client open until llmlab__handle_free(pin). */
llmlab_status_t llmlab__bind_client_pin(llmlab__slot_t **pin,
                                        llmlab_client_t **out, int client);

#endif
