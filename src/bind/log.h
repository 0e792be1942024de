/* Log lines waiting for the host to poll them: no foreign thread ever enters
 * an interpreter. */
#ifndef LLMLAB_BIND_LOG_H
#define LLMLAB_BIND_LOG_H

#include <llmlab/config.h>

/* A llmlab_log_fn; the payload is the client's handle as an integer. */
void llmlab__bind_log(llmlab_log_level_t level, const char *line,
                      void *payload);

#endif
