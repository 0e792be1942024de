#include "services/pricing_step.h"

#include <string.h>

#include "pricing/facts.h"
#include "services/ingest_fields.h"
#include "store/usage_sums.h"

/* The price book takes texts with a NUL. */
static const char *
text_copy(char *out, size_t capacity, llmlab__text_t text)
{
    if (text.size == 0 || text.size >= capacity) {
        return NULL;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return out;
}

/* By the server's own book. */
static bool
price_compute(llmlab__row_t *row, const llmlab__step_facts_t *facts,
              const llmlab_price_book_t *book, int64_t *nano, int64_t *rest)
{
    char provider[LLMLAB__FACT_PROVIDER];
    char model[LLMLAB__FACT_MODEL];
    char tier[LLMLAB__FACT_SERVICE_TIER];
    char speed[LLMLAB__FACT_SPEED];
    char region[LLMLAB__FACT_REGION];
    char search_context[LLMLAB__FACT_SEARCH_CONTEXT];
    llmlab_call_facts_t call;
    llmlab_cost_t cost;
    llmlab_status_t status;

    llmlab_call_facts_init(&call);
    call.provider = text_copy(provider, sizeof(provider), row->provider);
    call.model = text_copy(model, sizeof(model), row->model);
    if (call.model == NULL) {
        call.model = text_copy(model, sizeof(model), facts->request_model);
    }
    call.usage = &facts->usage;
    call.time_ns = row->start_ns;
    call.service_tier = text_copy(tier, sizeof(tier), facts->service_tier);
    call.speed = text_copy(speed, sizeof(speed), facts->speed);
    call.region = text_copy(region, sizeof(region), facts->region);
    call.search_context = text_copy(search_context, sizeof(search_context),
                                    facts->search_context);
    call.batch = facts->batch;
    if (facts->parts != NULL) {
        call.parts = facts->parts->of;
        call.part_count = facts->parts->count;
    }
    if (call.model == NULL || !facts->has_usage) {
        return true;
    }
    status = llmlab_cost_compute(&cost, book, &call);
    row->match = (uint8_t)cost.match;
    if (status == LLMLAB_EOVERFLOW) {
        return false;
    }
    if (cost.key != NULL) {
        row->price_key.data = cost.key;
        row->price_key.size = strlen(cost.key);
    }
    if (status != LLMLAB_OK) {
        return true;
    }
    row->priced = (uint8_t)cost.priced;
    row->has_cost = true;
    row->cost_source = LLMLAB_COST_COMPUTED;
    return llmlab__money_split(cost.amount, nano, rest);
}

bool
llmlab__step_price(llmlab__row_t *row, const llmlab__step_facts_t *facts,
                   const llmlab_price_book_t *book)
{
    int64_t *of = row->sums.of;
    int64_t nano = 0;
    int64_t rest = 0;

    of[LLMLAB__SUM_SPANS] = 1;
    of[LLMLAB__SUM_DURATION_NS] = row->duration_ns;
    row->usage_source = facts->usage_source;
    if (!facts->is_call) {
        return true;
    }
    of[LLMLAB__SUM_CALLS] = 1;
    llmlab__usage_sums(&facts->usage, &row->sums);
    if (!price_compute(row, facts, book, &nano, &rest)) {
        return false;
    }
    if (facts->has_provider_cost &&
        !(facts->has_cost_source &&
          facts->cost_source == LLMLAB_COST_COMPUTED)) {
        nano = facts->provider_nano;
        rest = facts->provider_rest;
        row->has_cost = true;
        row->priced = LLMLAB_PRICED;
        row->cost_source = LLMLAB_COST_PROVIDER;
    }
    row->has_client_cost = facts->has_client_cost;
    of[LLMLAB__SUM_COST_NANO] = nano;
    of[LLMLAB__SUM_COST_REST] = rest;
    of[LLMLAB__SUM_CLIENT_NANO] = facts->client_nano;
    of[LLMLAB__SUM_CLIENT_REST] = facts->client_rest;
    /* A failed call without usage cost nothing that is not known; the client
     * counts by the same rule. */
    of[LLMLAB__SUM_UNPRICED] = row->priced == LLMLAB_UNPRICED &&
                               (row->usage_source != LLMLAB_USAGE_NONE ||
                                row->outcome == LLMLAB_SUCCESS);
    of[LLMLAB__SUM_ESTIMATED] = row->priced == LLMLAB_ESTIMATED_RATE;
    return true;
}
