/* What a question is narrowed to: provider=, model=, agent=, status=,
 * environment=, key=, user=, tag=, session=. */
#ifndef LLMLAB_API_FILTER_H
#define LLMLAB_API_FILTER_H

#include "http/request.h"

typedef struct llmlab__filter_s {
    unsigned only; /* bits by llmlab__dimension_t */
    /* Label ids and the like; -1: the project has no such label, so that
     * nothing can match. */
    int64_t value[LLMLAB__DIMENSIONS];
    const char *session; /* NULL: any */
} llmlab__filter_t;

/* False when the reply is set. */
bool llmlab__filter_read(llmlab__request_t *request, llmlab__filter_t *out);

#endif
