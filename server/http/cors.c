#include "http/cors.h"

#include <string.h>

static bool
is_allowed(const llmlab__request_t *request, const char *origin)
{
    const llmlab__server_t *server = request->server;

    for (size_t i = 0; origin != NULL && i < server->origin_count; i++) {
        if (strcmp(origin, server->origins[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool
llmlab__origin_is_own(const llmlab__request_t *request)
{
    const char *origin = llmlab__request_header(request, "Origin");
    const char *host = llmlab__request_header(request, "Host");
    const char *name = origin == NULL ? NULL : strstr(origin, "://");

    return origin == NULL ||
           (host != NULL && name != NULL && strcmp(name + 3, host) == 0);
}

void
llmlab__cors_headers(llmlab__request_t *request)
{
    const char *origin = llmlab__request_header(request, "Origin");

    if (request->server->origin_count == 0) {
        return;
    }
    llmlab__reply_header(request, "Vary", "Origin");
    if (is_allowed(request, origin)) {
        llmlab__reply_header(request, "Access-Control-Allow-Origin", "%s",
                             origin);
        llmlab__reply_header(request, "Access-Control-Expose-Headers",
                             "ETag, Location, RateLimit, RateLimit-Policy, "
                             "Retry-After");
    }
}

bool
llmlab__cors_preflight(llmlab__request_t *request, const char *methods)
{
    const char *origin = llmlab__request_header(request, "Origin");

    if (!is_allowed(request, origin) ||
        llmlab__request_header(request, "Access-Control-Request-Method") ==
            NULL) {
        return false;
    }
    llmlab__reply_nothing(request);
    llmlab__reply_header(request, "Access-Control-Allow-Methods", "%s",
                         methods);
    llmlab__reply_header(request, "Access-Control-Allow-Headers",
                         "Authorization, Content-Type, Idempotency-Key, "
                         "If-Match, If-None-Match");
    llmlab__reply_header(request, "Access-Control-Max-Age", "600");
    return true;
}
