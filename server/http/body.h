/* The bodies of requests as they arrive, within their limits. */
#ifndef LLMLAB_HTTP_BODY_H
#define LLMLAB_HTTP_BODY_H

#include "http/request.h"

/* Of a JSON body; of one that anybody may send. */
#define LLMLAB__JSON_BODY_MAX 1048576u
#define LLMLAB__OPEN_BODY_MAX 16384u

/* Bytes that a request to this route may send. */
size_t llmlab__body_limit(const llmlab__request_t *request);
/* Does the request announce a body, and of which size? */
bool llmlab__body_announced(const llmlab__request_t *request, uint64_t *size);
/* The reply that says so. Always false. */
bool llmlab__body_too_large(llmlab__request_t *request);
/* The headers are here: will it be taken? False when the reply is set. */
bool llmlab__body_begin(llmlab__request_t *request);
/* Take the next bytes. False when the reply is set. */
bool llmlab__body_feed(llmlab__request_t *request, const char *bytes,
                       size_t size);
/* It is whole: read it as JSON into request->json, or see that the gzip member
 * of a batch has ended. False when the reply is set. */
bool llmlab__body_end(llmlab__request_t *request);
/* Forget it. */
void llmlab__body_let_go(llmlab__request_t *request);

#endif
