/* One request and its reply. */
#ifndef LLMLAB_HTTP_REQUEST_H
#define LLMLAB_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "http/inflate.h"
#include "server.h"

struct MHD_Connection;
struct llmlab__route_s;

#define LLMLAB__PATH_MAX   512
#define LLMLAB__PATH_PARTS 2

typedef struct llmlab__reply_s {
    unsigned status; /* 0: none yet */
    const char *content_type;
    char allow[32]; /* with 405 */
    bool retry;     /* with 503 */
    bool close;     /* the connection ends with it */
    llmlab__buf_t body;
} llmlab__reply_t;

typedef struct llmlab__request_s {
    llmlab__server_t *server;
    struct MHD_Connection *connection;
    struct llmlab__peer_s *peer;         /* NULL: it has no clock of ours */
    const struct llmlab__route_s *route; /* NULL: none matched */
    int64_t begin_ns;
    char path[LLMLAB__PATH_MAX];
    const char *parts[LLMLAB__PATH_PARTS]; /* what {} matched, within path */
    llmlab__reader_t *reader;              /* while a handler runs */
    llmlab__key_t key;
    llmlab__project_t project;
    llmlab__reply_t reply;

    /* Ingest. */
    llmlab__batch_t *batch;
    llmlab__inflate_t inflate;
    bool gzip;
    bool handed_over; /* the writer has the batch */
    size_t received;  /* bytes of the body as sent */
    size_t held;      /* of its memory, counted in the server's */

    struct llmlab__request_s *next; /* at rest */
} llmlab__request_t;

/* A query parameter, decoded; NULL: absent. */
const char *llmlab__request_param(const llmlab__request_t *request,
                                  const char *name);
const char *llmlab__request_header(const llmlab__request_t *request,
                                   const char *name);

/* Refuse: the reply becomes problem+json. Always false. */
bool llmlab__reply_problem(llmlab__request_t *request,
                           const llmlab__problem_t *problem);
/* The same in one call, with or without a field. */
bool llmlab__reply_refuse(llmlab__request_t *request, unsigned status,
                          const char *type, const char *title,
                          const char *field, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* A failure of the store: logged whole, told in general. Always false. */
bool llmlab__reply_failure(llmlab__request_t *request, const char *what);
/* Begin a 200 with JSON. */
void llmlab__reply_json(llmlab__request_t *request, llmlab__json_out_t *out);

/* Who asks, and of which project: the key's header, its scope, the project in
 * the path. False when the reply is set. */
bool llmlab__request_authorize(llmlab__request_t *request);

#endif
