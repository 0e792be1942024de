/* What a reply means, and how long to wait before the next try. */
#ifndef LLMLAB_DELIVERY_RETRY_H
#define LLMLAB_DELIVERY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

typedef enum llmlab__verdict_e {
    LLMLAB__VERDICT_DONE,  /* stored, item by item as the reply says */
    LLMLAB__VERDICT_RETRY, /* for the moment: again after a random time */
    LLMLAB__VERDICT_HOLD,  /* key, project or address: keep, probe slowly */
    LLMLAB__VERDICT_SPLIT, /* too large: halve */
    LLMLAB__VERDICT_DEAD   /* will never be taken: set aside */
} llmlab__verdict_t;

/* http_status 0: no reply. echoed: the body repeats the batch. */
llmlab__verdict_t llmlab__verdict(int http_status, bool echoed);

typedef struct llmlab__backoff_s {
    int64_t base_ms;
    int64_t max_ms;
    unsigned failures; /* in a row */
} llmlab__backoff_t;

/* Full jitter: a random time up to base * 2^failures, at most max, and never
 * before retry_after_ms has passed (-1: not stated; beyond an hour it counts
 * as an hour). Counts the failure. Milliseconds. */
int64_t llmlab__backoff_next(llmlab__backoff_t *backoff, llmlab__rng_t *rng,
                             int64_t retry_after_ms);

#endif
