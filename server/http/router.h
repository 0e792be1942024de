/* The table of routes. docs/openapi.yaml says the same; a test compares. */
#ifndef LLMLAB_HTTP_ROUTER_H
#define LLMLAB_HTTP_ROUTER_H

#include "http/request.h"

typedef enum llmlab__access_e {
    LLMLAB__ACCESS_OPEN,   /* no key */
    LLMLAB__ACCESS_INGEST, /* an ingest or admin key */
    LLMLAB__ACCESS_READ    /* a read or admin key */
} llmlab__access_t;

typedef struct llmlab__route_s {
    const char *method; /* "GET" answers HEAD too */
    const char *pattern;
    llmlab__access_t access;
    bool body; /* takes a batch */
    /* Sets the reply. NULL for the route with a body: the listener's. */
    void (*handle)(llmlab__request_t *request);
} llmlab__route_t;

extern const llmlab__route_t llmlab__routes[];
extern const unsigned llmlab__route_count;

/* Find the route; sets the request's path, parts and route, or a 404 or 405
 * reply. False then. */
bool llmlab__route(llmlab__request_t *request, const char *method,
                   const char *url);

#endif
