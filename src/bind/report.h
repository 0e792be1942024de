/* What the flat layer tells of usage and cost, as JSON. */
#ifndef LLMLAB_BIND_REPORT_H
#define LLMLAB_BIND_REPORT_H

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#include "base/json_write.h"
#include "bind/llmlab_bind.h"

/* {"cost_usd",...} as a text. */
llmlab_bind_text_t llmlab__report_cost(const llmlab_cost_t *cost);

/* A reply and what it costs as a text. read tells how reading went; base holds
 * what the reply does not say (model, tier, time, batch) and may be NULL. */
llmlab_bind_text_t llmlab__report_reply(const llmlab_reply_t *reply,
                                        llmlab_status_t read,
                                        const llmlab_call_facts_t *base);

#endif
