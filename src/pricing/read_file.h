/* A price file's bytes. */
#ifndef LLMLAB_PRICING_READ_FILE_H
#define LLMLAB_PRICING_READ_FILE_H

#include "base/buf.h"

#include <llmlab/status.h>

/* The whole file, at most 64 MiB of it, or a status with its detail. */
llmlab_status_t llmlab__price_file_read(llmlab__buf_t *buf, const char *path);

/* Put the file's name before the detail of what is wrong with its text. */
void llmlab__price_file_blame(const char *path, llmlab_status_t status);

#endif
