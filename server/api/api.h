/* The handlers: one file a resource. */
#ifndef LLMLAB_API_API_H
#define LLMLAB_API_API_H

#include "http/request.h"

void llmlab__api_healthz(llmlab__request_t *request);
void llmlab__api_readyz(llmlab__request_t *request);
void llmlab__api_costs(llmlab__request_t *request);
void llmlab__api_traces_list(llmlab__request_t *request);
void llmlab__api_trace_get(llmlab__request_t *request);
void llmlab__api_audit_list(llmlab__request_t *request);
void llmlab__api_jobs_list(llmlab__request_t *request);
void llmlab__api_job_get(llmlab__request_t *request);
void llmlab__api_job_create(llmlab__request_t *request);
void llmlab__api_job_change(llmlab__request_t *request);
void llmlab__api_job_run(llmlab__request_t *request);
void llmlab__api_job_cancel(llmlab__request_t *request);
void llmlab__api_settings_get(llmlab__request_t *request);
void llmlab__api_settings_change(llmlab__request_t *request);
/* Reply to a batch that the store has seen. */
void llmlab__api_ingest_reply(llmlab__request_t *request);

#endif
