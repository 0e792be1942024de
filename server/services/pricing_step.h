/* The effective cost of a step: what the provider stated, else what the
 * server's price book says at the step's start. */
#ifndef LLMLAB_SERVICES_PRICING_STEP_H
#define LLMLAB_SERVICES_PRICING_STEP_H

#include "services/ingest_step.h"
#include "store/usage_sums.h"

typedef struct llmlab__step_facts_s {
    llmlab_usage_t usage;
    const llmlab__usage_parts_t *parts; /* NULL: none */
    bool has_usage;
    bool is_call;
    bool batch;
    bool has_provider_cost;
    bool has_client_cost;
    int64_t provider_nano;
    int64_t provider_rest;
    int64_t client_nano;
    int64_t client_rest;
    uint8_t usage_source;
    uint8_t cost_source; /* as the client says */
    bool has_cost_source;
    llmlab__text_t service_tier;
    llmlab__text_t region;
    llmlab__text_t speed;
    llmlab__text_t search_context;
    llmlab__text_t request_model;
} llmlab__step_facts_t;

/* Fill the row's cost and sums. False when a number does not fit. */
bool llmlab__step_price(llmlab__row_t *row, const llmlab__step_facts_t *facts,
                        const llmlab_price_book_t *book);

#endif
