/* The handlers: one file a resource. */
#ifndef LLMLAB_API_API_H
#define LLMLAB_API_API_H

#include "http/request.h"

void llmlab__api_healthz(llmlab__request_t *request);
void llmlab__api_readyz(llmlab__request_t *request);
void llmlab__api_costs(llmlab__request_t *request);
void llmlab__api_calls_list(llmlab__request_t *request);
void llmlab__api_sessions_list(llmlab__request_t *request);
void llmlab__api_users_list(llmlab__request_t *request);
void llmlab__api_facets_list(llmlab__request_t *request);
void llmlab__api_traces_list(llmlab__request_t *request);
void llmlab__api_trace_get(llmlab__request_t *request);
void llmlab__api_audit_list(llmlab__request_t *request);
void llmlab__api_trace_delete(llmlab__request_t *request);
void llmlab__api_user_erase(llmlab__request_t *request);
void llmlab__api_exports_list(llmlab__request_t *request);
void llmlab__api_export_create(llmlab__request_t *request);
void llmlab__api_export_stream(llmlab__request_t *request);
void llmlab__api_export_get(llmlab__request_t *request);
void llmlab__api_export_file(llmlab__request_t *request);
void llmlab__api_jobs_list(llmlab__request_t *request);
void llmlab__api_job_get(llmlab__request_t *request);
void llmlab__api_job_create(llmlab__request_t *request);
void llmlab__api_job_change(llmlab__request_t *request);
void llmlab__api_job_run(llmlab__request_t *request);
void llmlab__api_job_cancel(llmlab__request_t *request);
void llmlab__api_settings_get(llmlab__request_t *request);
void llmlab__api_settings_change(llmlab__request_t *request);
void llmlab__api_projects_list(llmlab__request_t *request);
void llmlab__api_project_create(llmlab__request_t *request);
void llmlab__api_project_get(llmlab__request_t *request);
void llmlab__api_project_patch(llmlab__request_t *request);
void llmlab__api_project_delete(llmlab__request_t *request);
void llmlab__api_keys_list(llmlab__request_t *request);
void llmlab__api_key_create(llmlab__request_t *request);
void llmlab__api_key_get(llmlab__request_t *request);
void llmlab__api_key_patch(llmlab__request_t *request);
void llmlab__api_key_rotate(llmlab__request_t *request);
void llmlab__api_key_revoke(llmlab__request_t *request);
void llmlab__api_login(llmlab__request_t *request);
void llmlab__api_logout(llmlab__request_t *request);
void llmlab__api_token(llmlab__request_t *request);
void llmlab__api_password(llmlab__request_t *request);
void llmlab__api_me(llmlab__request_t *request);
void llmlab__api_setup(llmlab__request_t *request);
void llmlab__api_accept(llmlab__request_t *request);
void llmlab__api_reset(llmlab__request_t *request);
void llmlab__api_members_list(llmlab__request_t *request);
void llmlab__api_member_patch(llmlab__request_t *request);
void llmlab__api_member_delete(llmlab__request_t *request);
void llmlab__api_invitations_list(llmlab__request_t *request);
void llmlab__api_invitation_create(llmlab__request_t *request);
void llmlab__api_invitation_delete(llmlab__request_t *request);
void llmlab__api_accounts_list(llmlab__request_t *request);
void llmlab__api_account_patch(llmlab__request_t *request);
void llmlab__api_account_reset(llmlab__request_t *request);
void llmlab__api_providers_list(llmlab__request_t *request);
void llmlab__api_provider_create(llmlab__request_t *request);
void llmlab__api_provider_get(llmlab__request_t *request);
void llmlab__api_provider_patch(llmlab__request_t *request);
void llmlab__api_provider_delete(llmlab__request_t *request);
void llmlab__api_provider_verify(llmlab__request_t *request);
/* Reply to a batch that the store has seen. */
void llmlab__api_ingest_reply(llmlab__request_t *request);

void llmlab__api_trace_steps(llmlab__request_t *request);
void llmlab__api_scores_list(llmlab__request_t *request);
void llmlab__api_scores_create(llmlab__request_t *request);
void llmlab__api_scores_summary(llmlab__request_t *request);
void llmlab__api_score_get(llmlab__request_t *request);
void llmlab__api_score_delete(llmlab__request_t *request);

void llmlab__api_prices_list(llmlab__request_t *request);
void llmlab__api_price_create(llmlab__request_t *request);
void llmlab__api_price_get(llmlab__request_t *request);
void llmlab__api_price_patch(llmlab__request_t *request);
void llmlab__api_price_delete(llmlab__request_t *request);
void llmlab__api_reprice(llmlab__request_t *request);
void llmlab__api_project_job_get(llmlab__request_t *request);
void llmlab__api_price_file(llmlab__request_t *request);
void llmlab__api_sdk_config(llmlab__request_t *request);

#endif
