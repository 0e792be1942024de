/* Threads beside the HTTP side's, for requests that wait: for their turn to
 * change something, for a password's hash, for a long answer. */
#ifndef LLMLAB_HTTP_LANE_H
#define LLMLAB_HTTP_LANE_H

#include "http/request.h"

typedef struct llmlab__lane_s llmlab__lane_t;
typedef void (*llmlab__lane_fn)(llmlab__request_t *request);

llmlab_status_t llmlab__lane_start(llmlab__lane_t **out, unsigned threads,
                                   llmlab__lane_fn run);
/* False when too many wait, or it is stopping. */
bool llmlab__lane_submit(llmlab__lane_t *lane, llmlab__request_t *request);
/* Run what waits, then end. NULL: no-op. */
void llmlab__lane_stop(llmlab__lane_t *lane);

#endif
