/* Sessions, as the log-in makes them and every request is checked for. */
#ifndef LLMLAB_HTTP_AUTH_H
#define LLMLAB_HTTP_AUTH_H

#include "http/request.h"

#define LLMLAB__COOKIE    "__Host-llmlab"
#define LLMLAB__CSRF_TEXT 33

/* The hash under which a session's cookie is kept. */
void llmlab__session_hash(const char *text,
                          unsigned char out[LLMLAB__HASH_SIZE]);
/* What a page must send with each change; it follows from the session. */
void llmlab__csrf_token(const llmlab__server_t *server,
                        const unsigned char session[LLMLAB__HASH_SIZE],
                        char out[LLMLAB__CSRF_TEXT]);

#endif
