/* Signed price files, fetched by the worker between its other duties: a newer
 * one takes the place of the book in use. What is no such file is refused, and
 * the book stays. */
#ifndef LLMLAB_DELIVERY_PRICE_UPDATE_H
#define LLMLAB_DELIVERY_PRICE_UPDATE_H

#include <stdatomic.h>
#include <stdint.h>

#include <llmlab/client.h>

#include "delivery/options.h"
#include "trace/tracer.h"

typedef struct llmlab__price_update_s llmlab__price_update_t;

/* What became of the fetches so far. */
typedef struct llmlab__price_update_state_s {
    uint64_t taken;
    uint64_t refused;
    llmlab_status_t status; /* of the last fetch; OK before the first */
    char detail[200];       /* why it failed; "" when it did not */
    int64_t checked_ns;     /* Unix time of the last that did not; 0: none */
} llmlab__price_update_state_t;

/* The options have prices_url. NULL when out of memory. */
llmlab__price_update_t *
llmlab__price_update_new(const llmlab__delivery_options_t *options,
                         llmlab__tracer_t *tracer, const atomic_bool *is_muted);
void llmlab__price_update_destroy(llmlab__price_update_t *update);

/* Do what is due. Returns when to call again. CLOCK_MONOTONIC. @thread worker
 */
int64_t llmlab__price_update_step(llmlab__price_update_t *update,
                                  int64_t now_ns);
/* Give an unfinished fetch up. @thread worker */
void llmlab__price_update_stop(llmlab__price_update_t *update);

/* Any thread. */
void llmlab__price_update_read(llmlab__price_update_t *update,
                               llmlab__price_update_state_t *out);

#endif
