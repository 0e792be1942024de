/* The one thread that writes. Batches that wait are stored together, in one
 * transaction; the longer a commit takes, the more of them the next one
 * takes. */
#ifndef LLMLAB_SERVICES_WRITER_H
#define LLMLAB_SERVICES_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* Records that may wait before new batches are turned away. */
#define LLMLAB__WRITER_DEPTH 400000

typedef struct llmlab__writer_s llmlab__writer_t;

llmlab_status_t llmlab__writer_start(llmlab__writer_t **out,
                                     llmlab__store_t *store);
/* Hand a batch over; batch->done is called on the writer's thread. False, and
 * nothing handed over, when too much waits already or it is stopping. */
bool llmlab__writer_submit(llmlab__writer_t *writer, llmlab__batch_t *batch);
/* Records that wait. */
uint64_t llmlab__writer_depth(llmlab__writer_t *writer);
/* Store what waits, then end the thread. Batches are refused from then on. */
void llmlab__writer_stop(llmlab__writer_t *writer);
/* After the stop, when nobody uses it any more. NULL: no-op. */
void llmlab__writer_destroy(llmlab__writer_t *writer);

#endif
