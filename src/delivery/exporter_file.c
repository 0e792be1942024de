#include "delivery/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "delivery/encode.h"

typedef struct file_exporter_s {
    llmlab__sender_t sender;
    llmlab__encoder_t encoder;
    int fd;
} file_exporter_t;

/* All of it, or none: a half-written line is taken back, so that the file
 * stays one batch a line when the disk fills up. Several processes may append
 * to one file, which is why the lock is taken. */
static int
append_line(int fd, const unsigned char *bytes, size_t size)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    off_t before;
    int error = 0;

    if (fcntl(fd, F_SETLKW, &lock) != 0) {
        return errno;
    }
    before = lseek(fd, 0, SEEK_END);
    while (size > 0 && error == 0) {
        ssize_t written = write(fd, bytes, size);

        if (written >= 0) {
            bytes += written;
            size -= (size_t)written;
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    if (error != 0 && before >= 0 && ftruncate(fd, before) != 0) {
        error = errno; /* a pipe, for one, takes nothing back */
    }
    lock.l_type = F_UNLCK;
    fcntl(fd, F_SETLK, &lock);
    return error;
}

static void
file_deliver(void *self, llmlab__delivery_t *delivery)
{
    file_exporter_t *exporter = self;
    llmlab__encoder_t *encoder = &exporter->encoder;
    int error = ENOMEM;

    delivery->retry_after_ms = -1;
    delivery->verdict = LLMLAB__VERDICT_RETRY;
    if (llmlab__encode(encoder, &exporter->sender, delivery->batch,
                       delivery->totals, llmlab__clock_real_ns())) {
        llmlab__buf_append(&encoder->json, "\n", 1);
        if (!encoder->json.failed) {
            error = append_line(exporter->fd, encoder->json.data,
                                encoder->json.size);
        }
    }
    if (error != 0) {
        snprintf(delivery->reason, sizeof(delivery->reason), "%s",
                 strerror(error));
        return;
    }
    delivery->corrupt = encoder->corrupt;
    delivery->bytes_sent = encoder->json.size;
    delivery->verdict = LLMLAB__VERDICT_DONE;
}

static size_t
file_memory(void *self)
{
    const file_exporter_t *exporter = self;

    return llmlab__encoder_memory(&exporter->encoder);
}

static void
file_destroy(void *self)
{
    file_exporter_t *exporter = self;

    llmlab__encoder_cleanup(&exporter->encoder);
    close(exporter->fd);
    llmlab__free(exporter);
}

bool
llmlab__exporter_file(llmlab__exporter_t *out,
                      const llmlab__delivery_options_t *options,
                      const char *instance)
{
    file_exporter_t *exporter = llmlab__calloc(1, sizeof(*exporter));

    if (exporter == NULL) {
        llmlab__fail(LLMLAB_ENOMEM, "out of memory");
        return false;
    }
    /* Names of users and agents are in it: for its owner only. */
    exporter->fd =
        open(options->file,
             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (exporter->fd < 0) {
        llmlab__fail(LLMLAB_EIO, "exporter.file: %.120s: %s", options->file,
                     strerror(errno));
        llmlab__free(exporter);
        return false;
    }
    exporter->sender =
        (llmlab__sender_t){options->language, instance, options->service,
                           options->environment, options->release};
    llmlab__encoder_init(&exporter->encoder);
    memset(out, 0, sizeof(*out));
    out->self = exporter;
    out->deliver = file_deliver;
    out->memory = file_memory;
    out->destroy = file_destroy;
    return true;
}
