/* Room for the texts that a price depends on, with their NUL. A longer one is
 * not stated: client and server must agree on that, to price alike. */
#ifndef LLMLAB_PRICING_FACTS_H
#define LLMLAB_PRICING_FACTS_H

#define LLMLAB__FACT_PROVIDER       64
#define LLMLAB__FACT_MODEL          256
#define LLMLAB__FACT_SERVICE_TIER   64
#define LLMLAB__FACT_REGION         64
#define LLMLAB__FACT_SPEED          32
#define LLMLAB__FACT_SEARCH_CONTEXT 16

#endif
