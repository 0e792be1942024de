/* A stored call priced again, as if it came now. */
#ifndef LLMLAB_SERVICES_REPRICING_H
#define LLMLAB_SERVICES_REPRICING_H

#include <llmlab/pricing.h>

#include "services/ingest.h"
#include "store/store.h"

/* What it is done with; one thread at a time. */
typedef struct llmlab__repricing_s {
    llmlab__batch_t *batch;
    llmlab__limits_t limits;
} llmlab__repricing_t;

llmlab_status_t llmlab__repricing_init(llmlab__repricing_t *repricing);
void llmlab__repricing_cleanup(llmlab__repricing_t *repricing);

/* By the same code as a call that comes. book NULL: the built-in table. False:
 * it cannot be priced, and *out is as it was. */
bool llmlab__call_reprice(llmlab__repricing_t *repricing,
                          const llmlab_price_book_t *book,
                          const llmlab__span_view_t *call,
                          llmlab__call_price_t *out);

#endif
