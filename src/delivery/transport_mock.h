/* The server of exporter=memory: keeps each batch's JSON, answers as it was
 * told to. */
#ifndef LLMLAB_DELIVERY_TRANSPORT_MOCK_H
#define LLMLAB_DELIVERY_TRANSPORT_MOCK_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

#include "delivery/transport.h"

typedef struct llmlab__mock_s llmlab__mock_t;

/* NULL when out of memory. */
llmlab__mock_t *llmlab__mock_new(void);
void llmlab__mock_destroy(llmlab__mock_t *mock);

/* A transport to it; destroying the transport leaves the mock. */
void llmlab__mock_transport(llmlab__mock_t *mock, llmlab__transport_t *out);

/* Any thread. */
llmlab_status_t llmlab__mock_take(llmlab__mock_t *mock, char **out,
                                  size_t *out_size);
llmlab_status_t llmlab__mock_push(llmlab__mock_t *mock, int http_status,
                                  int64_t retry_after_ms);

#endif
