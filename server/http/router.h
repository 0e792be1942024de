/* The table of routes. docs/openapi.yaml says the same; a test compares. */
#ifndef LLMLAB_HTTP_ROUTER_H
#define LLMLAB_HTTP_ROUTER_H

#include "http/request.h"

typedef enum llmlab__access_e {
    LLMLAB__ACCESS_OPEN,   /* nobody is asked for */
    LLMLAB__ACCESS_INGEST, /* an ingest or admin key */
    LLMLAB__ACCESS_SCORE,  /* an ingest or admin key; a member */
    LLMLAB__ACCESS_READ,   /* a read or admin key; a viewer */
    LLMLAB__ACCESS_WRITE,  /* an admin key; a member */
    LLMLAB__ACCESS_ADMIN,  /* an admin key; an admin of the project */
    LLMLAB__ACCESS_OWNER,  /* an admin key; an owner */
    LLMLAB__ACCESS_SERVER, /* an admin key; an admin of the server */
    LLMLAB__ACCESS_ANY,    /* any key or account, also an ingest key */
    LLMLAB__ACCESS_ACCOUNT /* an account that has logged in */
} llmlab__access_t;

/* What a route does with a request. */
enum {
    LLMLAB__ROUTE_BATCH = 1, /* takes a batch: the listener's */
    LLMLAB__ROUTE_JSON = 2,  /* takes a JSON object: request->json */
    LLMLAB__ROUTE_LANE = 4,  /* may take long: not on the HTTP side's threads */
    LLMLAB__ROUTE_CHANGE = 8,        /* runs within a change; implies LANE */
    LLMLAB__ROUTE_MAY_LACK_BODY = 16 /* the JSON object may be missing */
};

typedef struct llmlab__route_s {
    const char *method; /* "GET" answers HEAD too */
    const char *pattern;
    llmlab__access_t access;
    unsigned flags;
    /* Sets the reply. NULL for the route that takes a batch. */
    void (*handle)(llmlab__request_t *request);
} llmlab__route_t;

extern const llmlab__route_t llmlab__routes[];
extern const unsigned llmlab__route_count;

/* Find the route; sets the request's path, parts and route, or a 404 or 405
 * reply. False then. */
bool llmlab__route(llmlab__request_t *request, const char *method,
                   const char *url);

#endif
