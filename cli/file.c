#include "cli/file.h"

#include <errno.h>
#include <stdio.h>

bool
cli_file_read(llmlab__buf_t *buf, const char *path)
{
    FILE *file = fopen(path, "rbe");
    int error;

    llmlab__buf_clear(buf);
    if (file == NULL) {
        return false;
    }
    for (;;) {
        const size_t step = 65536;
        unsigned char *room = llmlab__buf_reserve(buf, step);
        size_t got;

        if (room == NULL) {
            errno = ENOMEM;
            break;
        }
        errno = 0;
        got = fread(room, 1, step, file);
        buf->size += got;
        if (got < step) {
            break;
        }
    }
    error = ferror(file) || buf->failed ? errno : 0;
    fclose(file);
    errno = error;
    return error == 0;
}

bool
cli_file_read_in(llmlab__buf_t *buf, const char *directory, const char *name)
{
    char path[4096];

    if (directory == NULL) {
        return cli_file_read(buf, name);
    }
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >=
        sizeof(path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return cli_file_read(buf, path);
}
