/* Log lines: one JSON object each, on stderr. Keys never get into one. */
#ifndef LLMLAB_SERVER_LOG_H
#define LLMLAB_SERVER_LOG_H

#include <stdint.h>

#include <llmlab/config.h>

/* Lines below the level are dropped. Set before the first thread starts. */
void llmlab__server_log_level(llmlab_log_level_t level);

void llmlab__server_log(llmlab_log_level_t level, const char *message,
                        const char *format, ...) LLMLAB_PRINTF(3, 4);

/* A request's line. Debug level, a failure of ours at error level. */
void llmlab__server_log_request(const char *method, const char *route,
                                unsigned status, int64_t duration_ns);

#endif
