/* Segments and their files. A file holds a segment's bytes as they are; it only
 * ever grows, and goes when all of its records have left. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sabotage.h"
#include "delivery/segment_state.h"

void
llmlab__segment_name(const llmlab__segments_t *segments,
                     const llmlab__segment_t *segment,
                     char out[LLMLAB__SPOOL_NAME])
{
    snprintf(out, LLMLAB__SPOOL_NAME, "%s-%08x.seg", segments->base,
             (unsigned)segment->file);
}

static void
close_file(llmlab__segments_t *segments)
{
    if (segments->fd >= 0) {
        close(segments->fd);
        segments->fd = -1;
    }
    segments->open = NULL;
}

void
llmlab__segment_unlink(llmlab__segments_t *segments, llmlab__segment_t *segment)
{
    char name[LLMLAB__SPOOL_NAME];

    if (segments->open == segment) {
        close_file(segments);
    }
    if (segment->written > 0 && llmlab__segments_have_files(segments)) {
        llmlab__segment_name(segments, segment, name);
        unlinkat(segments->spool->fd, name, 0);
        segments->spool->bytes -= segment->written;
    }
    segment->written = 0;
}

/* A tmpfs is memory, which others need as well. */
static bool
has_room(const llmlab__spool_t *spool, size_t size)
{
    struct statvfs fs;

    return !spool->is_tmpfs ||
           (fstatvfs(spool->fd, &fs) == 0 &&
            (fs.f_blocks == 0 ||
             (uint64_t)fs.f_bavail * fs.f_frsize >=
                 (uint64_t)fs.f_blocks * fs.f_frsize / 2 + size));
}

static bool
open_file(llmlab__segments_t *segments, llmlab__segment_t *segment)
{
    char name[LLMLAB__SPOOL_NAME];

    if (segments->open == segment) {
        return true;
    }
    close_file(segments);
    if (segment->written == 0) {
        if (!has_room(segments->spool, segment->capacity)) {
            errno = ENOSPC;
            return false;
        }
        segment->file = segments->next_file++;
    }
    llmlab__segment_name(segments, segment, name);
    segments->fd = openat(segments->spool->fd, name,
                          O_WRONLY | O_CLOEXEC | O_NOFOLLOW |
                              (segment->written == 0 ? O_CREAT | O_EXCL : 0),
                          0600);
    if (segments->fd < 0) {
        return false;
    }
    segments->open = segment;
    return true;
}

/* A file that got nothing goes: its number is not used again. */
static void
undo_write(llmlab__segments_t *segments, const llmlab__segment_t *segment)
{
    char name[LLMLAB__SPOOL_NAME];

    if (segment->written > 0) {
        (void)!ftruncate(segments->fd, (off_t)segment->written);
        return;
    }
    llmlab__segment_name(segments, segment, name);
    unlinkat(segments->spool->fd, name, 0);
    close_file(segments);
}

/* All or nothing: what was written of it is cut off again, lest a later process
 * takes half of a drain for the whole. */
static bool
write_rest(llmlab__segments_t *segments, llmlab__segment_t *segment)
{
    size_t at = segment->written;

    while (at < segment->size) {
        ssize_t done = pwrite(segments->fd, segment->bytes + at,
                              segment->size - at, (off_t)at);

        if (done > 0) {
            at += (size_t)done;
        } else if (done == 0 || errno != EINTR) {
            int error = done == 0 ? ENOSPC : errno;

            undo_write(segments, segment);
            errno = error;
            return false;
        }
    }
    segments->spool->bytes += at - segment->written;
    segment->written = at;
    return true;
}

bool
llmlab__segments_write(llmlab__segments_t *segments)
{
    if (!llmlab__segments_have_files(segments)) {
        errno = ENOENT;
        return false;
    }
    if (llmlab__sabotaged("spool_unwritten")) {
        return true;
    }
    while (segments->unwritten != NULL) {
        llmlab__segment_t *segment = segments->unwritten;

        if (segment->written < segment->size &&
            (!open_file(segments, segment) || !write_rest(segments, segment))) {
            return false;
        }
        segments->unwritten = segment->next;
    }
    return true;
}

/* The newest segment that may be let go: it is needed last. */
static llmlab__segment_t *
find_sheddable(const llmlab__segments_t *segments)
{
    llmlab__segment_t *found = NULL;
    bool is_kept = false;

    for (llmlab__segment_t *segment = segments->head; segment != segments->tail;
         segment = segment->next) {
        is_kept = is_kept || segment == segments->keep_first;
        if (!is_kept && segment->bytes != NULL &&
            segment->written == segment->size) {
            found = segment;
        }
        is_kept = is_kept && segment != segments->keep_last;
    }
    return found;
}

void
llmlab__segments_shed(llmlab__segments_t *segments, size_t limit)
{
    llmlab__segment_t *segment;

    while (segments->memory > limit &&
           (segment = find_sheddable(segments)) != NULL) {
        llmlab__segment_let_go(segments, segment);
    }
}

void
llmlab__segment_read_file(const llmlab__segments_t *segments,
                          llmlab__segment_t *segment)
{
    char name[LLMLAB__SPOOL_NAME];
    size_t at = 0;
    int fd;

    llmlab__segment_name(segments, segment, name);
    fd = openat(segments->spool->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    while (fd >= 0 && at < segment->size) {
        ssize_t got =
            pread(fd, segment->bytes + at, segment->size - at, (off_t)at);

        if (got > 0) {
            at += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    memset(segment->bytes + at, 0, segment->size - at);
    if (fd >= 0) {
        close(fd);
    }
}

bool
llmlab__segments_fetch(llmlab__segments_t *segments,
                       const llmlab__segment_cursor_t *start,
                       const llmlab__segment_cursor_t *end)
{
    llmlab__segment_t *segment = start->segment;

    segments->keep_first = start->segment;
    segments->keep_last = end->segment;
    for (; segment != NULL; segment = segment->next) {
        if (segment->bytes == NULL && segment->size > 0) {
            if (!llmlab__segment_hold(segments, segment)) {
                return false;
            }
            llmlab__segment_read_file(segments, segment);
        }
        if (segment == end->segment) {
            break;
        }
    }
    return true;
}

void
llmlab__segments_keep_none(llmlab__segments_t *segments)
{
    segments->keep_first = NULL;
    segments->keep_last = NULL;
}
