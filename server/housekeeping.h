/* Small work that nobody waits for. */
#ifndef LLMLAB_SERVER_HOUSEKEEPING_H
#define LLMLAB_SERVER_HOUSEKEEPING_H

#include "server.h"

/* Called each second: note which keys and sessions were used, twice a minute;
 * delete what deleted projects left, bit by bit. */
void llmlab__housekeeping_step(llmlab__server_t *server);
/* Note the last uses, before the store closes. */
void llmlab__housekeeping_end(llmlab__server_t *server);

#endif
