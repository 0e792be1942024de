/* One GET at a time, by a thread that has other duties: begin, then step now
 * and then until it is over. Nothing waits. */
#ifndef LLMLAB_DELIVERY_FETCH_H
#define LLMLAB_DELIVERY_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "delivery/options.h"

/* Room for a validator: an ETag, a date. A longer one is not used. */
#define LLMLAB__VALIDATOR_TEXT 256

typedef struct llmlab__fetch_s llmlab__fetch_t;

typedef struct llmlab__fetched_s {
    int http_status; /* 0: nothing came, why tells */
    bool is_too_large;
    char why[160];
    llmlab__buf_t body; /* the fetch's own */
    char etag[LLMLAB__VALIDATOR_TEXT];
    char modified[LLMLAB__VALIDATOR_TEXT];
} llmlab__fetched_t;

/* NULL when out of memory, or when libcurl refuses the settings. */
llmlab__fetch_t *llmlab__fetch_new(const llmlab__delivery_options_t *options,
                                   size_t max_bytes);
/* Gives an unfinished one up. NULL: no-op. */
void llmlab__fetch_destroy(llmlab__fetch_t *fetch);

/* Ask for a URL, unless it is as it was with that etag and date ("" none). */
bool llmlab__fetch_begin(llmlab__fetch_t *fetch, const char *url,
                         const char *etag, const char *modified,
                         int64_t deadline_ns);
/* NULL: not yet over. Else what came, until the next begin. */
const llmlab__fetched_t *llmlab__fetch_step(llmlab__fetch_t *fetch,
                                            int64_t now_ns);

#endif
