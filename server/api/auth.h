/* What logging in shares with invitations. */
#ifndef LLMLAB_API_AUTH_H
#define LLMLAB_API_AUTH_H

#include "http/request.h"
#include "store/admin.h"

/* Within a change: begin a session and reply with it. False when the reply is
 * a refusal. */
bool llmlab__session_begin(llmlab__request_t *request,
                           const llmlab__account_t *account);

#endif
