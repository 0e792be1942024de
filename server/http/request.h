/* One request and its reply. */
#ifndef LLMLAB_HTTP_REQUEST_H
#define LLMLAB_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/json_dom.h"
#include "base/json_write.h"
#include "http/inflate.h"
#include "server.h"
#include "services/answer_cache.h"

struct MHD_Connection;
struct llmlab__route_s;

#define LLMLAB__PATH_MAX   512
#define LLMLAB__PATH_PARTS 3
#define LLMLAB__HEADERS    12

/* A body that is made while it is sent. */
typedef struct llmlab__stream_s {
    /* The bytes written; 0: the end; -1: it failed, and the connection with
     * it. */
    ssize_t (*read)(struct llmlab__stream_s *stream, char *out,
                    size_t capacity);
    void (*end)(struct llmlab__stream_s *stream);
} llmlab__stream_t;

typedef struct llmlab__reply_s {
    unsigned status; /* 0: none yet */
    const char *content_type;
    char allow[48]; /* with 405 */
    bool retry;     /* with 503 */
    bool close;     /* the connection ends with it */
    struct {
        const char *name; /* static */
        unsigned offset;  /* into text */
    } headers[LLMLAB__HEADERS];
    unsigned header_count;
    unsigned text_size;
    char text[1536];
    llmlab__buf_t body;
    /* In the place of the body. */
    llmlab__kept_t *kept;     /* held */
    llmlab__stream_t *stream; /* its own */
    int file;                 /* a descriptor; 0: none */
    uint64_t file_size;
} llmlab__reply_t;

/* Who asks. A key's scope and project are in request->key. */
typedef struct llmlab__caller_s {
    bool server_admin;
    llmlab__role_t role; /* in the request's project */
    int64_t account;     /* 0: a key, or nobody */
    bool by_token;       /* a JWT of the key or session */
    bool has_session;
    unsigned char session[LLMLAB__HASH_SIZE]; /* its hash */
    char name[LLMLAB__EMAIL_SIZE + 1];
} llmlab__caller_t;

typedef struct llmlab__request_s {
    llmlab__server_t *server;
    struct MHD_Connection *connection;
    struct llmlab__peer_s *peer;         /* NULL: it has no clock of ours */
    const struct llmlab__route_s *route; /* NULL: none matched */
    int64_t begin_ns;
    char path[LLMLAB__PATH_MAX];
    const char *parts[LLMLAB__PATH_PARTS]; /* what {} matched, within path */
    llmlab__reader_t *reader;              /* while a handler runs */
    char address[48];                      /* of who asks, as text */
    llmlab__caller_t caller;
    llmlab__key_t key; /* id 0: no key */
    llmlab__project_t project;
    llmlab__reply_t reply;

    bool open_counted; /* among the server's open_under_way */

    /* A JSON body. */
    llmlab__buf_t body;
    cJSON *json; /* an object; NULL: no body */

    /* A change that is under way. */
    llmlab__reader_t *changer;    /* NULL: none */
    llmlab__reader_t *rested;     /* what `reader` is again after it */
    bool idempotent;              /* it has an Idempotency-Key */
    bool replayed;                /* the reply is of the first time */
    unsigned char answer_id[32];  /* under which it is kept */
    unsigned char answer_key[32]; /* with which it is sealed */
    unsigned char request_hash[32];

    /* Ingest. */
    llmlab__batch_t *batch;
    llmlab__project_book_t *book; /* the batch's rows point into it */
    llmlab__inflate_t inflate;
    bool gzip;
    bool handed_over; /* the writer has the batch */
    size_t received;  /* bytes of the body as sent */
    size_t held;      /* of its memory, counted in the server's */

    struct llmlab__request_s *next; /* at rest, or in a lane */
} llmlab__request_t;

/* A query parameter, decoded; NULL: absent. */
const char *llmlab__request_param(const llmlab__request_t *request,
                                  const char *name);
const char *llmlab__request_header(const llmlab__request_t *request,
                                   const char *name);

const char *llmlab__request_cookie(const llmlab__request_t *request,
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

/* A header of the reply; the name is static. One that finds no room is left
 * out. */
void llmlab__reply_header(llmlab__request_t *request, const char *name,
                          const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 308 to the same address with another project. Always false. */
bool llmlab__reply_moved(llmlab__request_t *request, const char *slug);
/* 204 without a body. */
void llmlab__reply_nothing(llmlab__request_t *request);

/* If-Match. A resource has a version that grows with each change; its ETag is
 * the version in quotes. False, and 412, when the request names another. */
void llmlab__reply_version(llmlab__request_t *request, int64_t version);
bool llmlab__request_if_match(llmlab__request_t *request, int64_t version);

/* A change. Routes with LLMLAB__ROUTE_CHANGE are called within one: their
 * handler reads by request->reader, writes by request->changer, and what it
 * wrote stays if it replies with less than 400. Others, which have slow work to
 * do first, begin one themselves and end it before they return. With an
 * Idempotency-Key that was seen before, the begin sets the first reply. False
 * when the reply is set. */
bool llmlab__change_begin(llmlab__request_t *request);
void llmlab__change_end(llmlab__request_t *request);
/* "key:3" or "account:7". */
void llmlab__caller_id(const llmlab__request_t *request, char out[32]);
/* Put into the audit log what the change does. detail is the inside of a JSON
 * object, or NULL. False when the reply is set. */
bool llmlab__change_audit(llmlab__request_t *request, const char *action,
                          const char *target, const llmlab__buf_t *detail);

/* Who asks, and of which project: the key's header, its scope, the project in
 * the path. False when the reply is set. */
bool llmlab__request_authorize(llmlab__request_t *request);

#endif
