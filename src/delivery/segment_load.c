/* Reading back the segments that a process left. Every frame is checked. A file
 * may end anywhere: what is whole counts, the rest is torn. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "delivery/segment_state.h"

#define FILE_MAX ((off_t)1 << 28)

typedef struct loader_s {
    llmlab__segments_t *segments;
    llmlab__segment_load_t *out;
    llmlab__buf_t numbers; /* of uint32_t: the files' */
    /* The first record after the last CONSUMED, and what held before it. */
    llmlab__segment_t *loose;
    size_t loose_at;
    size_t loose_records_end;
    uint64_t loose_last;
    uint64_t torn; /* before the last CONSUMED */
} loader_t;

static bool
collect_number(void *payload, const char *name)
{
    loader_t *loader = payload;
    char base[LLMLAB__SPOOL_BASE];
    uint32_t number;

    if (llmlab__spool_parse(name, base, &number) == LLMLAB__SPOOL_SEGMENT &&
        strcmp(base, loader->segments->base) == 0) {
        llmlab__buf_append(&loader->numbers, &number, sizeof(number));
    }
    return !loader->numbers.failed;
}

static int
compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* False: nothing after this frame can be believed. */
static bool
note_frame(loader_t *loader, llmlab__segment_t *segment, size_t at,
           const llmlab__frame_t *frame, const unsigned char *payload)
{
    llmlab__segment_load_t *out = loader->out;

    switch (frame->type) {
    case LLMLAB__FRAME_RECORD:
        if (frame->number != 0 && frame->number <= out->last_number) {
            return false;
        }
        if (loader->loose == NULL) {
            loader->loose = segment;
            loader->loose_at = at;
            loader->loose_records_end = segment->records_end;
            loader->loose_last = out->last_number;
        }
        segment->records_end = at + sizeof(*frame) + frame->size;
        if (frame->number != 0) {
            out->last_number = frame->number;
        }
        return true;
    case LLMLAB__FRAME_CONSUMED:
        loader->loose = NULL;
        loader->torn = out->torn;
        llmlab__buf_append(&out->consumed, payload, frame->size);
        return true;
    case LLMLAB__FRAME_SEALED:
        llmlab__buf_append(&out->sealed, &frame->number, sizeof(frame->number));
        return true;
    case LLMLAB__FRAME_GONE:
        if (frame->number > out->gone_until) {
            out->gone_until = frame->number;
        }
        return true;
    default:
        return true; /* of a later minor version */
    }
}

/* The segment's bytes are here; its size becomes that of what is sound. */
static void
walk(loader_t *loader, llmlab__segment_t *segment)
{
    size_t at = sizeof(llmlab__segment_header_t);

    segment->records_end = at;
    while (at < segment->size) {
        size_t left = segment->size - at;
        const unsigned char *bytes = segment->bytes + at;
        llmlab__frame_t frame = {0};

        if (left >= sizeof(frame)) {
            memcpy(&frame, bytes, sizeof(frame));
        }
        if (left < sizeof(frame) || frame.size % 8 != 0 ||
            frame.size > left - sizeof(frame)) {
            loader->out->torn++;
            break;
        }
        if (frame.check != llmlab__frame_check(&frame, bytes + sizeof(frame))) {
            loader->out->torn++;
        } else if (!note_frame(loader, segment, at, &frame,
                               bytes + sizeof(frame))) {
            loader->out->torn++;
            break;
        }
        at += sizeof(frame) + frame.size;
    }
    segment->size = at;
    segment->written = at;
}

typedef enum verdict_e {
    TAKEN,
    TORN,   /* made, never filled */
    FOREIGN /* or out of memory */
} verdict_t;

static verdict_t
judge(loader_t *loader, const llmlab__segment_t *segment)
{
    llmlab__segment_header_t header;

    if (segment->size < sizeof(header)) {
        return TORN;
    }
    memcpy(&header, segment->bytes, sizeof(header));
    if (!llmlab__segment_header_check(&header)) {
        /* Whose version is another one leaves a header that is whole. */
        return memcmp(header.magic, LLMLAB__SEGMENT_MAGIC,
                      sizeof(header.magic)) == 0
                   ? FOREIGN
                   : TORN;
    }
    if (memcmp(header.owner.tenant, loader->segments->owner.tenant,
               sizeof(header.owner.tenant)) != 0 ||
        memcmp(header.owner.instance, loader->segments->owner.instance,
               sizeof(header.owner.instance)) != 0) {
        return FOREIGN;
    }
    /* With the service's name and the like, which may not be ours. */
    loader->segments->owner = header.owner;
    return TAKEN;
}

static off_t
file_size(const llmlab__segments_t *segments, const llmlab__segment_t *segment)
{
    char name[LLMLAB__SPOOL_NAME];
    struct stat st;

    llmlab__segment_name(segments, segment, name);
    return fstatat(segments->spool->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                   S_ISREG(st.st_mode) && st.st_size <= FILE_MAX
               ? st.st_size
               : -1;
}

/* False: foreign, or out of memory. */
static bool
load_file(loader_t *loader, uint32_t number)
{
    llmlab__segments_t *segments = loader->segments;
    llmlab__segment_t probe = {.file = number};
    llmlab__segment_t *segment;
    off_t size = file_size(segments, &probe);
    verdict_t verdict;

    if (size < 0) {
        return false;
    }
    segment = llmlab__segment_new((size_t)size > 0 ? (size_t)size : 1);
    if (segment == NULL || !llmlab__segment_hold(segments, segment)) {
        llmlab__free(segment);
        return false;
    }
    segment->file = number;
    segment->size = (size_t)size;
    llmlab__segment_read_file(segments, segment);
    verdict = judge(loader, segment);
    if (verdict != FOREIGN) {
        segments->spool->bytes += (size_t)size;
        segment->written = (size_t)size;
    }
    if (verdict == TAKEN) {
        walk(loader, segment);
        /* What is counted must be what unlinking takes off again. */
        segments->spool->bytes -= (size_t)size - segment->written;
        llmlab__segments_add(segments, segment);
    } else if (verdict == TORN) {
        loader->out->torn++;
        segment->written += segment->written == 0; /* there is a file */
        segments->spool->bytes += (size_t)size == 0;
        llmlab__segment_unlink(segments, segment);
    }
    llmlab__segment_let_go(segments, segment);
    if (verdict != TAKEN) {
        llmlab__free(segment);
    }
    return verdict != FOREIGN;
}

static void
cut_file(const llmlab__segments_t *segments, const llmlab__segment_t *segment)
{
    char name[LLMLAB__SPOOL_NAME];
    int fd;

    llmlab__segment_name(segments, segment, name);
    fd = openat(segments->spool->fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        (void)!ftruncate(fd, (off_t)segment->size);
        close(fd);
    }
}

/* Records of a drain that was not written to its end are still in the rings,
 * and get other numbers. They are cut off the file, lest a later process finds
 * them before a CONSUMED that comes now. */
static void
cut_loose(loader_t *loader)
{
    llmlab__segments_t *segments = loader->segments;
    llmlab__segment_t *segment = loader->loose;
    llmlab__segment_t *next;

    if (segment == NULL) {
        return;
    }
    loader->out->last_number = loader->loose_last;
    segments->spool->bytes -= segment->written - loader->loose_at;
    segment->size = loader->loose_at;
    segment->written = loader->loose_at;
    segment->records_end = loader->loose_records_end;
    cut_file(segments, segment);
    for (next = segment->next; next != NULL; next = segment->next) {
        segment->next = next->next;
        llmlab__segment_unlink(segments, next);
        llmlab__free(next);
    }
    segments->tail = segment;
}

void
llmlab__segments_forget(llmlab__segments_t *segments)
{
    while (segments->head != NULL) {
        llmlab__segment_t *next = segments->head->next;

        segments->spool->bytes -= segments->head->written;
        llmlab__segment_let_go(segments, segments->head);
        llmlab__free(segments->head);
        segments->head = next;
    }
    segments->tail = NULL;
}

bool
llmlab__segments_load(llmlab__segments_t *segments, bool has_rings,
                      llmlab__segment_load_t *out)
{
    loader_t loader = {.segments = segments, .out = out};
    bool is_ours = true;
    size_t count;

    memset(out, 0, sizeof(*out));
    llmlab__spool_each(segments->spool->fd, collect_number, &loader);
    count = loader.numbers.size / sizeof(uint32_t);
    if (count > 0) {
        qsort(loader.numbers.data, count, sizeof(uint32_t), compare_numbers);
    }
    for (size_t i = 0; i < count && is_ours; i++) {
        uint32_t number;

        memcpy(&number, loader.numbers.data + i * sizeof(number),
               sizeof(number));
        is_ours = load_file(&loader, number);
        segments->next_file = number + 1;
    }
    is_ours = is_ours && !loader.numbers.failed && !out->sealed.failed &&
              !out->consumed.failed;
    llmlab__buf_cleanup(&loader.numbers);
    if (!is_ours) {
        llmlab__segments_forget(segments);
        llmlab__buf_cleanup(&out->sealed);
        llmlab__buf_cleanup(&out->consumed);
        return false;
    }
    if (has_rings) {
        /* What is torn at the end is whole in the rings. */
        out->torn = loader.torn;
        cut_loose(&loader);
    }
    return true;
}
