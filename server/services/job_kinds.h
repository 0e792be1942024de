/* What the server can do as a job. */
#ifndef LLMLAB_SERVICES_JOB_KINDS_H
#define LLMLAB_SERVICES_JOB_KINDS_H

#include "services/scheduler.h"

extern const llmlab__job_kind_t llmlab__job_kinds[];

/* Delete what is older than each project's retention. */
llmlab_status_t llmlab__job_retention(llmlab__job_run_t *run);
/* Delete a project's trace, or all traces of a user: {"trace": id} or
 * {"user": id}. */
llmlab_status_t llmlab__job_erase(llmlab__job_run_t *run);
/* Price a project's stored calls again: {"start": time, "end": time,
 * "apply": bool}. */
llmlab_status_t llmlab__job_reprice(llmlab__job_run_t *run);
/* Write lines of a project's rows into a file: {"of", "start_ns", "end_ns"}. */
llmlab_status_t llmlab__job_export(llmlab__job_run_t *run);
/* Compare the sums of the last hours with their calls: {"hours": 48}. */
llmlab_status_t llmlab__job_check(llmlab__job_run_t *run);
/* Copy the database into the folder of backups: {"keep": 3}. */
llmlab_status_t llmlab__job_backup(llmlab__job_run_t *run);

#endif
