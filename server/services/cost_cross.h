/* Costs by what is not rolled up together: read from the spans. */
#ifndef LLMLAB_SERVICES_COST_CROSS_H
#define LLMLAB_SERVICES_COST_CROSS_H

#include "services/cost_service.h"

/* As llmlab__cost_query(). Exact: it is refused unless every call that the
 * roll-ups know of is found. */
llmlab_status_t llmlab__cost_cross(llmlab__store_t *store,
                                   llmlab__reader_t *reader,
                                   const llmlab__cost_query_t *query,
                                   llmlab__cost_result_t *out);

#endif
