#include "delivery/retry.h"

#include "base/sabotage.h"

#define RETRY_AFTER_MAX_MS (INT64_C(3600) * 1000)

llmlab__verdict_t
llmlab__verdict(int http_status, bool echoed)
{
    if (llmlab__sabotaged("nothing_is_retried") && !echoed) {
        return LLMLAB__VERDICT_DEAD;
    }
    if (http_status >= 200 && http_status < 300) {
        /* Without the echo somebody else answered, such as a login page. */
        return echoed ? LLMLAB__VERDICT_DONE : LLMLAB__VERDICT_RETRY;
    }
    switch (http_status) {
    case 408:
    case 425:
    case 429:
        return LLMLAB__VERDICT_RETRY;
    case 401:
    case 403:
    case 404:
    case 407: /* the proxy's key */
        return LLMLAB__VERDICT_HOLD;
    case 413:
        return LLMLAB__VERDICT_SPLIT;
    default:
        break;
    }
    if (http_status >= 300 && http_status < 400) {
        /* Not followed: the key would go to whoever is named. The address is
         * wrong, or a login page is in between. */
        return LLMLAB__VERDICT_HOLD;
    }
    return http_status >= 400 && http_status < 500 ? LLMLAB__VERDICT_DEAD
                                                   : LLMLAB__VERDICT_RETRY;
}

int64_t
llmlab__backoff_next(llmlab__backoff_t *backoff, llmlab__rng_t *rng,
                     int64_t retry_after_ms)
{
    int64_t bound = backoff->base_ms;
    int64_t wait;

    for (unsigned i = 0; i < backoff->failures && bound < backoff->max_ms;
         i++) {
        bound *= 2;
    }
    if (bound > backoff->max_ms) {
        bound = backoff->max_ms;
    }
    backoff->failures++;
    wait = (int64_t)(llmlab__rng_next(rng) % (uint64_t)(bound + 1));
    if (retry_after_ms > RETRY_AFTER_MAX_MS) {
        retry_after_ms = RETRY_AFTER_MAX_MS;
    }
    /* On top of what the server asks for, so that its clients do not all come
     * back in the same moment. */
    return retry_after_ms > 0 ? retry_after_ms + wait : wait;
}
