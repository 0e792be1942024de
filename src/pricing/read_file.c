#include "pricing/read_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"

#define FILE_MAX (64u << 20)

llmlab_status_t
llmlab__price_file_read(llmlab__buf_t *buf, const char *path)
{
    FILE *file = fopen(path, "rbe");
    llmlab_status_t status = LLMLAB_OK;
    bool more = true;

    if (file == NULL) {
        return llmlab__fail(LLMLAB_EIO, "%s: %s", path, strerror(errno));
    }
    while (more && status == LLMLAB_OK) {
        unsigned char *at = llmlab__buf_reserve(buf, 65536);
        size_t size = at != NULL ? fread(at, 1, 65536, file) : 0;

        buf->size += size;
        more = size > 0;
        if (buf->failed) {
            status = llmlab__fail(LLMLAB_ENOMEM, "out of memory");
        } else if (ferror(file)) {
            status = llmlab__fail(LLMLAB_EIO, "%s: cannot be read", path);
        } else if (buf->size > FILE_MAX) {
            status = llmlab__fail(LLMLAB_ETOOBIG, "%s: is above 64 MiB", path);
        }
    }
    fclose(file);
    return status;
}

void
llmlab__price_file_blame(const char *path, llmlab_status_t status)
{
    char why[256];

    snprintf(why, sizeof(why), "%s", llmlab_status_detail());
    (void)llmlab__fail(status, "%.200s: %s", path, why);
}
