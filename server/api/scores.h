/* Scores as JSON, and questions for them. */
#ifndef LLMLAB_API_SCORES_H
#define LLMLAB_API_SCORES_H

#include "http/request.h"

/* The members of a score. */
void llmlab__score_write(llmlab__json_out_t *out, const llmlab__score_t *score);
/* The scores of a trace as an array, the latest of very many. False when the
 * store failed. */
bool llmlab__trace_scores_write(llmlab__request_t *request, uint64_t trace_high,
                                uint64_t trace_low, llmlab__json_out_t *out);
/* Read trace_id, span_id, name, source and the time range. False when the reply
 * is set. */
bool llmlab__score_query_read(llmlab__request_t *request,
                              llmlab__score_query_t *out);
/* Write a score as the reply. */
void llmlab__score_reply(llmlab__request_t *request, unsigned status,
                         const llmlab__score_t *score);

#endif
