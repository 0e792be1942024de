/* Costs as JSON and as CSV. */
#ifndef LLMLAB_API_COST_WRITE_H
#define LLMLAB_API_COST_WRITE_H

#include "http/request.h"
#include "services/cost_service.h"

typedef struct llmlab__cost_answer_s {
    llmlab__request_t *request;
    const llmlab__cost_query_t *query;
    llmlab__dimension_t order[LLMLAB__DIMENSIONS]; /* as asked for */
    size_t dimensions;
    const llmlab__cost_result_t *result;
} llmlab__cost_answer_t;

/* By their names in a question; the last is NULL. */
extern const char *const llmlab__cost_dimensions[LLMLAB__DIMENSIONS + 1];
extern const char *const llmlab__cost_granularities[];

void llmlab__cost_sums_write(llmlab__json_out_t *out,
                             const llmlab__sums_t *sums);
/* A row's value of a dimension, or null. */
void llmlab__cost_value_write(const llmlab__cost_answer_t *answer,
                              llmlab__json_out_t *out,
                              llmlab__dimension_t dimension,
                              const llmlab__cost_row_t *row);
void llmlab__cost_write_json(const llmlab__cost_answer_t *answer,
                             llmlab__buf_t *out);
void llmlab__cost_write_csv(const llmlab__cost_answer_t *answer,
                            llmlab__buf_t *out);

/* costs.c: tell why a question has no answer. */
void llmlab__cost_refuse(llmlab__request_t *request, llmlab_status_t status,
                         const llmlab__cost_query_t *query,
                         const llmlab__cost_result_t *result);

#endif
