/* Log lines waiting for the host to poll them: no foreign thread ever enters
 * an interpreter. */
#ifndef LLMLAB_BIND_LOG_H
#define LLMLAB_BIND_LOG_H

#include <llmlab/config.h>

/* A llmlab_log_fn; the payload points to the client's handle. */
void llmlab__bind_log(llmlab_log_level_t level, const char *text,
                      void *payload);

#endif
