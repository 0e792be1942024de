/* What the resources that make jobs share. */
#ifndef LLMLAB_API_JOBS_H
#define LLMLAB_API_JOBS_H

#include "http/request.h"

/* The members of a job's object. */
void llmlab__job_members(llmlab__json_out_t *out, const llmlab__job_t *job);
/* Find the job of an id given as text. False when the reply is set. */
bool llmlab__job_load(llmlab__request_t *request, const char *text,
                      llmlab__job_t *out);
/* Make it, within the request's change, and audit it. False when the reply is
 * set. */
bool llmlab__job_submit(llmlab__request_t *request, llmlab__job_t *job);
void llmlab__job_reply(llmlab__request_t *request, unsigned status,
                       const llmlab__job_t *job);

#endif
