/* Pages of other origins: none, unless the server is told of them. */
#ifndef LLMLAB_HTTP_CORS_H
#define LLMLAB_HTTP_CORS_H

#include "http/request.h"

/* Does the request come from no page, or from one of ours? */
bool llmlab__origin_is_own(const llmlab__request_t *request);
/* Set the headers for an origin that is allowed. */
void llmlab__cors_headers(llmlab__request_t *request);
/* Answer a browser's question whether it may ask (OPTIONS); methods: those of
 * the address. False when this is no such question of an allowed origin. */
bool llmlab__cors_preflight(llmlab__request_t *request, const char *methods);

#endif
