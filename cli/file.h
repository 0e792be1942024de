/* A whole file in memory. */
#ifndef LLMLAB_CLI_FILE_H
#define LLMLAB_CLI_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Replaces what buf holds by the file's bytes. False with errno set. */
bool cli_file_read(llmlab__buf_t *buf, const char *path);

/* As above, from directory/name; from name alone when directory is NULL. */
bool cli_file_read_in(llmlab__buf_t *buf, const char *directory,
                      const char *name);

#endif
