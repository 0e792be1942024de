/* The detail of the last error, per thread. */
#ifndef LLMLAB_BASE_STATUS_H
#define LLMLAB_BASE_STATUS_H

#include <llmlab/status.h>

/* Remember what went wrong and return the status, so that a check is one
 * line: return llmlab__fail(LLMLAB_EINVAL, "..."). Cut at 255 bytes. */
llmlab_status_t llmlab__fail(llmlab_status_t status, const char *format, ...)
    LLMLAB_PRINTF(2, 3);

#endif
