#include "http/router.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "http/cors.h"

#define JSON_CHANGE (LLMLAB__ROUTE_JSON | LLMLAB__ROUTE_CHANGE)
#define JSON_LANE   (LLMLAB__ROUTE_JSON | LLMLAB__ROUTE_LANE)

const llmlab__route_t llmlab__routes[] = {
    {"GET", "/healthz", LLMLAB__ACCESS_OPEN, 0, llmlab__api_healthz},
    {"GET", "/readyz", LLMLAB__ACCESS_OPEN, 0, llmlab__api_readyz},
    {"POST", "/v1/projects/{project}/traces", LLMLAB__ACCESS_INGEST,
     LLMLAB__ROUTE_BATCH, NULL},
    {"GET", "/v1/projects/{project}/traces", LLMLAB__ACCESS_READ, 0,
     llmlab__api_traces_list},
    {"GET", "/v1/projects/{project}/traces/{trace_id}", LLMLAB__ACCESS_READ, 0,
     llmlab__api_trace_get},
    {"GET", "/v1/projects/{project}/traces/{trace_id}/steps",
     LLMLAB__ACCESS_READ, LLMLAB__ROUTE_LANE, llmlab__api_trace_steps},
    {"DELETE", "/v1/projects/{project}/traces/{trace_id}", LLMLAB__ACCESS_ADMIN,
     LLMLAB__ROUTE_LANE, llmlab__api_trace_delete},
    {"DELETE", "/v1/projects/{project}/users", LLMLAB__ACCESS_ADMIN,
     LLMLAB__ROUTE_CHANGE, llmlab__api_user_erase},
    {"GET", "/v1/projects/{project}/costs", LLMLAB__ACCESS_READ, 0,
     llmlab__api_costs},
    {"GET", "/v1/projects", LLMLAB__ACCESS_READ, 0, llmlab__api_projects_list},
    {"POST", "/v1/projects", LLMLAB__ACCESS_SERVER, JSON_CHANGE,
     llmlab__api_project_create},
    {"GET", "/v1/projects/{project}", LLMLAB__ACCESS_READ, 0,
     llmlab__api_project_get},
    {"PATCH", "/v1/projects/{project}", LLMLAB__ACCESS_ADMIN, JSON_CHANGE,
     llmlab__api_project_patch},
    {"DELETE", "/v1/projects/{project}", LLMLAB__ACCESS_OWNER,
     LLMLAB__ROUTE_CHANGE, llmlab__api_project_delete},
    {"GET", "/v1/projects/{project}/keys", LLMLAB__ACCESS_ADMIN, 0,
     llmlab__api_keys_list},
    {"POST", "/v1/projects/{project}/keys", LLMLAB__ACCESS_ADMIN, JSON_CHANGE,
     llmlab__api_key_create},
    {"GET", "/v1/projects/{project}/keys/{key_id}", LLMLAB__ACCESS_ADMIN, 0,
     llmlab__api_key_get},
    {"PATCH", "/v1/projects/{project}/keys/{key_id}", LLMLAB__ACCESS_ADMIN,
     JSON_CHANGE, llmlab__api_key_patch},
    {"DELETE", "/v1/projects/{project}/keys/{key_id}", LLMLAB__ACCESS_ADMIN,
     LLMLAB__ROUTE_CHANGE, llmlab__api_key_revoke},
    {"POST", "/v1/projects/{project}/keys/{key_id}/rotate",
     LLMLAB__ACCESS_ADMIN, JSON_CHANGE | LLMLAB__ROUTE_MAY_LACK_BODY,
     llmlab__api_key_rotate},
    {"GET", "/v1/projects/{project}/calls", LLMLAB__ACCESS_READ, 0,
     llmlab__api_calls_list},
    {"GET", "/v1/projects/{project}/scores", LLMLAB__ACCESS_READ, 0,
     llmlab__api_scores_list},
    {"POST", "/v1/projects/{project}/scores", LLMLAB__ACCESS_SCORE, JSON_CHANGE,
     llmlab__api_scores_create},
    {"GET", "/v1/projects/{project}/scores/summary", LLMLAB__ACCESS_READ, 0,
     llmlab__api_scores_summary},
    {"GET", "/v1/projects/{project}/scores/{score_id}", LLMLAB__ACCESS_READ, 0,
     llmlab__api_score_get},
    {"DELETE", "/v1/projects/{project}/scores/{score_id}", LLMLAB__ACCESS_WRITE,
     LLMLAB__ROUTE_CHANGE, llmlab__api_score_delete},
    {"GET", "/v1/projects/{project}/sessions", LLMLAB__ACCESS_READ, 0,
     llmlab__api_sessions_list},
    {"GET", "/v1/projects/{project}/users", LLMLAB__ACCESS_READ, 0,
     llmlab__api_users_list},
    {"GET", "/v1/projects/{project}/facets", LLMLAB__ACCESS_READ, 0,
     llmlab__api_facets_list},
    {"GET", "/v1/projects/{project}/audit", LLMLAB__ACCESS_ADMIN, 0,
     llmlab__api_audit_list},
    {"GET", "/v1/projects/{project}/members", LLMLAB__ACCESS_READ, 0,
     llmlab__api_members_list},
    {"PATCH", "/v1/projects/{project}/members/{account_id}",
     LLMLAB__ACCESS_ADMIN, JSON_CHANGE, llmlab__api_member_patch},
    {"DELETE", "/v1/projects/{project}/members/{account_id}",
     LLMLAB__ACCESS_ADMIN, LLMLAB__ROUTE_CHANGE, llmlab__api_member_delete},
    {"GET", "/v1/projects/{project}/invitations", LLMLAB__ACCESS_ADMIN, 0,
     llmlab__api_invitations_list},
    {"POST", "/v1/projects/{project}/invitations", LLMLAB__ACCESS_ADMIN,
     JSON_CHANGE, llmlab__api_invitation_create},
    {"DELETE", "/v1/projects/{project}/invitations/{invitation_id}",
     LLMLAB__ACCESS_ADMIN, LLMLAB__ROUTE_CHANGE, llmlab__api_invitation_delete},
    {"GET", "/v1/projects/{project}/providers", LLMLAB__ACCESS_READ, 0,
     llmlab__api_providers_list},
    {"POST", "/v1/projects/{project}/providers", LLMLAB__ACCESS_ADMIN,
     JSON_CHANGE, llmlab__api_provider_create},
    {"GET", "/v1/projects/{project}/providers/{provider_id}",
     LLMLAB__ACCESS_READ, 0, llmlab__api_provider_get},
    {"PATCH", "/v1/projects/{project}/providers/{provider_id}",
     LLMLAB__ACCESS_ADMIN, JSON_CHANGE, llmlab__api_provider_patch},
    {"DELETE", "/v1/projects/{project}/providers/{provider_id}",
     LLMLAB__ACCESS_ADMIN, LLMLAB__ROUTE_CHANGE, llmlab__api_provider_delete},
    {"POST", "/v1/projects/{project}/providers/{provider_id}/verify",
     LLMLAB__ACCESS_ADMIN, LLMLAB__ROUTE_LANE, llmlab__api_provider_verify},
    {"POST", "/v1/auth/setup", LLMLAB__ACCESS_OPEN, JSON_LANE,
     llmlab__api_setup},
    {"POST", "/v1/auth/login", LLMLAB__ACCESS_OPEN, JSON_LANE,
     llmlab__api_login},
    {"POST", "/v1/auth/accept", LLMLAB__ACCESS_OPEN, JSON_LANE,
     llmlab__api_accept},
    {"POST", "/v1/auth/reset", LLMLAB__ACCESS_OPEN, JSON_LANE,
     llmlab__api_reset},
    {"POST", "/v1/auth/logout", LLMLAB__ACCESS_ACCOUNT, LLMLAB__ROUTE_CHANGE,
     llmlab__api_logout},
    {"POST", "/v1/auth/token", LLMLAB__ACCESS_ANY, LLMLAB__ROUTE_LANE,
     llmlab__api_token},
    {"POST", "/v1/auth/password", LLMLAB__ACCESS_ACCOUNT, JSON_LANE,
     llmlab__api_password},
    {"GET", "/v1/auth/me", LLMLAB__ACCESS_ACCOUNT, 0, llmlab__api_me},
    {"GET", "/v1/accounts", LLMLAB__ACCESS_SERVER, 0,
     llmlab__api_accounts_list},
    {"PATCH", "/v1/accounts/{account_id}", LLMLAB__ACCESS_SERVER, JSON_CHANGE,
     llmlab__api_account_patch},
    {"POST", "/v1/accounts/{account_id}/reset", LLMLAB__ACCESS_SERVER,
     LLMLAB__ROUTE_CHANGE, llmlab__api_account_reset},
    {"GET", "/v1/audit", LLMLAB__ACCESS_SERVER, 0, llmlab__api_audit_list},
    {"GET", "/v1/projects/{project}/settings", LLMLAB__ACCESS_READ, 0,
     llmlab__api_settings_get},
    {"PATCH", "/v1/projects/{project}/settings", LLMLAB__ACCESS_ADMIN,
     LLMLAB__ROUTE_JSON | LLMLAB__ROUTE_CHANGE, llmlab__api_settings_change},
    {"GET", "/v1/projects/{project}/prices", LLMLAB__ACCESS_READ, 0,
     llmlab__api_prices_list},
    {"POST", "/v1/projects/{project}/prices", LLMLAB__ACCESS_ADMIN, JSON_LANE,
     llmlab__api_price_create},
    {"GET", "/v1/projects/{project}/prices/file", LLMLAB__ACCESS_READ, 0,
     llmlab__api_price_file},
    {"POST", "/v1/projects/{project}/prices/reprice", LLMLAB__ACCESS_ADMIN,
     JSON_CHANGE | LLMLAB__ROUTE_MAY_LACK_BODY, llmlab__api_reprice},
    {"GET", "/v1/projects/{project}/jobs", LLMLAB__ACCESS_ADMIN, 0,
     llmlab__api_jobs_list},
    {"GET", "/v1/projects/{project}/jobs/{job}", LLMLAB__ACCESS_ADMIN, 0,
     llmlab__api_project_job_get},
    {"GET", "/v1/projects/{project}/prices/{price_id}", LLMLAB__ACCESS_READ, 0,
     llmlab__api_price_get},
    {"PATCH", "/v1/projects/{project}/prices/{price_id}", LLMLAB__ACCESS_ADMIN,
     JSON_LANE, llmlab__api_price_patch},
    {"DELETE", "/v1/projects/{project}/prices/{price_id}", LLMLAB__ACCESS_ADMIN,
     LLMLAB__ROUTE_LANE, llmlab__api_price_delete},
    {"GET", "/v1/sdk/config", LLMLAB__ACCESS_ANY, 0, llmlab__api_sdk_config},
    {"GET", "/v1/projects/{project}/exports", LLMLAB__ACCESS_READ, 0,
     llmlab__api_exports_list},
    {"POST", "/v1/projects/{project}/exports", LLMLAB__ACCESS_WRITE,
     LLMLAB__ROUTE_JSON | LLMLAB__ROUTE_CHANGE, llmlab__api_export_create},
    {"GET", "/v1/projects/{project}/exports/stream", LLMLAB__ACCESS_READ, 0,
     llmlab__api_export_stream},
    {"GET", "/v1/projects/{project}/exports/{export}", LLMLAB__ACCESS_READ, 0,
     llmlab__api_export_get},
    {"GET", "/v1/projects/{project}/exports/{export}/file", LLMLAB__ACCESS_READ,
     0, llmlab__api_export_file},
    {"GET", "/v1/jobs", LLMLAB__ACCESS_SERVER, 0, llmlab__api_jobs_list},
    {"POST", "/v1/jobs", LLMLAB__ACCESS_SERVER,
     LLMLAB__ROUTE_JSON | LLMLAB__ROUTE_CHANGE, llmlab__api_job_create},
    {"GET", "/v1/jobs/{job}", LLMLAB__ACCESS_SERVER, 0, llmlab__api_job_get},
    {"PATCH", "/v1/jobs/{job}", LLMLAB__ACCESS_SERVER,
     LLMLAB__ROUTE_JSON | LLMLAB__ROUTE_CHANGE, llmlab__api_job_change},
    {"POST", "/v1/jobs/{job}/run", LLMLAB__ACCESS_SERVER, LLMLAB__ROUTE_CHANGE,
     llmlab__api_job_run},
    {"POST", "/v1/jobs/{job}/cancel", LLMLAB__ACCESS_SERVER,
     LLMLAB__ROUTE_CHANGE, llmlab__api_job_cancel},
};
const unsigned llmlab__route_count =
    sizeof(llmlab__routes) / sizeof(llmlab__routes[0]);

/* Match segment by segment. parts get what the braces match. */
static bool
matches(const char *pattern, const char *path, size_t starts[], size_t sizes[])
{
    size_t part = 0;
    const char *begin = path;

    while (*pattern == '/' && *path == '/') {
        size_t wanted = strcspn(pattern + 1, "/");
        size_t size = strcspn(path + 1, "/");

        if (pattern[1] == '{') {
            if (size == 0 || part == LLMLAB__PATH_PARTS) {
                return false;
            }
            starts[part] = (size_t)(path + 1 - begin);
            sizes[part++] = size;
        } else if (wanted != size || memcmp(pattern + 1, path + 1, size) != 0) {
            return false;
        }
        pattern += 1 + wanted;
        path += 1 + size;
    }
    return *pattern == '\0' && *path == '\0';
}

static bool
method_is(const llmlab__route_t *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static bool
not_allowed(llmlab__request_t *request, const char *method)
{
    if (strcmp(method, "OPTIONS") == 0 &&
        llmlab__cors_preflight(request, request->reply.allow)) {
        return false;
    }
    return llmlab__reply_refuse(request, 405, "method-not-allowed",
                                "The method is not allowed here", NULL,
                                "%.16s is not allowed on this address; %s is",
                                method, request->reply.allow);
}

bool
llmlab__route(llmlab__request_t *request, const char *method, const char *url)
{
    size_t size = strlen(url);
    size_t starts[LLMLAB__PATH_PARTS] = {0};
    size_t sizes[LLMLAB__PATH_PARTS] = {0};

    if (size >= sizeof(request->path)) {
        return llmlab__reply_refuse(request, 404, "not-found", "Not found",
                                    NULL, "nothing is at this address");
    }
    memcpy(request->path, url, size + 1);
    for (unsigned i = 0; i < llmlab__route_count; i++) {
        const llmlab__route_t *route = &llmlab__routes[i];
        char *allow = request->reply.allow;

        if (!matches(route->pattern, url, starts, sizes)) {
            continue;
        }
        if (method_is(route, method)) {
            request->route = route;
            allow[0] = '\0';
            for (int part = 0; part < LLMLAB__PATH_PARTS; part++) {
                request->parts[part] = request->path + starts[part];
                if (sizes[part] > 0) {
                    request->path[starts[part] + sizes[part]] = '\0';
                }
            }
            return true;
        }
        (void)snprintf(allow + strlen(allow),
                       sizeof(request->reply.allow) - strlen(allow), "%s%s",
                       *allow == '\0' ? "" : ", ", route->method);
    }
    if (request->reply.allow[0] != '\0') {
        return not_allowed(request, method);
    }
    return llmlab__reply_refuse(request, 404, "not-found", "Not found", NULL,
                                "nothing is at this address");
}
