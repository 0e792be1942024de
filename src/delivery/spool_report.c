#include "delivery/spool_report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/os.h"
#include "delivery/claim.h"
#include "delivery/outbox.h"
#include "delivery/segment_state.h"

#define FILE_MAX ((off_t)1 << 28)

/* One file, by its instance and kind. */
typedef struct entry_s {
    char base[LLMLAB__SPOOL_BASE];
    uint32_t number;
    llmlab__spool_kind_t kind;
    int directory;
} entry_t;

typedef struct report_s {
    llmlab__json_out_t *out;
    llmlab__buf_t entries;
    int directory; /* of the names that are being listed */
    unsigned char tenant[32];
    char ring_path[256];
    uint64_t calls;
    uint64_t bytes;
    uint64_t torn;
} report_t;

/* What the files of one instance say. */
typedef struct found_s {
    llmlab__segment_owner_t owner;
    bool is_known; /* owner was read */
    bool is_alive;
    uint64_t segments;
    uint64_t bytes;
    uint64_t torn;
    uint64_t unreadable;
    uint64_t last;
    uint64_t first; /* that has not left */
    uint64_t records;
    uint64_t in_rings;
    int64_t oldest_ns;
} found_t;

static bool
collect(void *payload, const char *name)
{
    report_t *report = payload;
    entry_t entry = {.directory = report->directory};

    entry.kind = llmlab__spool_parse(name, entry.base, &entry.number);
    if (entry.kind != LLMLAB__SPOOL_OTHER) {
        llmlab__buf_append(&report->entries, &entry, sizeof(entry));
    }
    return true;
}

static int
compare(const void *a, const void *b)
{
    const entry_t *x = a;
    const entry_t *y = b;
    int order = strcmp(x->base, y->base);

    if (order != 0 || x->kind != y->kind) {
        return order != 0 ? order : (int)x->kind - (int)y->kind;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static void
name_of(const entry_t *entry, char out[LLMLAB__SPOOL_NAME])
{
    switch (entry->kind) {
    case LLMLAB__SPOOL_LOCK:
        snprintf(out, LLMLAB__SPOOL_NAME, "%s.lock", entry->base);
        break;
    case LLMLAB__SPOOL_RING:
        snprintf(out, LLMLAB__SPOOL_NAME, "%s.ring", entry->base);
        break;
    default:
        snprintf(out, LLMLAB__SPOOL_NAME, "%s-%08x.seg", entry->base,
                 (unsigned)entry->number);
    }
}

static void
note_frame(found_t *found, const llmlab__frame_t *frame,
           const unsigned char *payload)
{
    llmlab__record_t record;

    if (frame->type == LLMLAB__FRAME_GONE && frame->number > found->first) {
        found->first = frame->number;
    }
    if (frame->type != LLMLAB__FRAME_RECORD || frame->number == 0) {
        return;
    }
    found->last = frame->number;
    found->records++;
    if (found->oldest_ns == 0 && frame->size >= sizeof(record)) {
        memcpy(&record, payload, sizeof(record));
        found->oldest_ns = record.start_ns;
    }
}

static void
walk(found_t *found, const unsigned char *bytes, size_t size)
{
    size_t at = sizeof(llmlab__segment_header_t);

    while (at < size) {
        llmlab__frame_t frame = {0};

        if (size - at >= sizeof(frame)) {
            memcpy(&frame, bytes + at, sizeof(frame));
        }
        if (size - at < sizeof(frame) || frame.size % 8 != 0 ||
            frame.size > size - at - sizeof(frame)) {
            found->torn++;
            return;
        }
        if (frame.check !=
            llmlab__frame_check(&frame, bytes + at + sizeof(frame))) {
            found->torn++;
        } else {
            note_frame(found, &frame, bytes + at + sizeof(frame));
        }
        at += sizeof(frame) + frame.size;
    }
}

static void
read_segment(found_t *found, const unsigned char *bytes, size_t size)
{
    llmlab__segment_header_t header;

    if (size < sizeof(header)) {
        found->torn += size > 0;
        return;
    }
    memcpy(&header, bytes, sizeof(header));
    if (!llmlab__segment_header_check(&header)) {
        found->unreadable++;
        return;
    }
    found->owner = header.owner;
    found->is_known = true;
    walk(found, bytes, size);
}

static void
visit_segment(const entry_t *entry, found_t *found)
{
    char name[LLMLAB__SPOOL_NAME];
    unsigned char *bytes;
    struct stat st;
    int fd;

    name_of(entry, name);
    fd = openat(entry->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return; /* gone meanwhile */
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_MAX &&
        (bytes = llmlab__alloc((size_t)st.st_size + 1)) != NULL) {
        ssize_t got = pread(fd, bytes, (size_t)st.st_size, 0);

        found->segments++;
        found->bytes += (uint64_t)st.st_size;
        read_segment(found, bytes, got > 0 ? (size_t)got : 0);
        llmlab__free(bytes);
    }
    close(fd);
}

/* A copy is looked at; its numbers move while its process lives. */
static void
visit_rings(const report_t *report, const entry_t *entry, found_t *found)
{
    llmlab__ring_label_t label;
    llmlab__ring_set_t *rings;
    char name[LLMLAB__SPOOL_NAME];
    char path[400];
    llmlab__claim_t claim;

    name_of(entry, name);
    if (!llmlab__claim_look(&claim, entry->directory, name, &found->is_alive)) {
        found->is_alive = true; /* this process' own */
        return;
    }
    if (llmlab__ring_file_label(claim.fd, &label, sizeof(label))) {
        found->owner = label.owner;
        found->is_known = true;
    } else {
        found->unreadable++;
    }
    snprintf(path, sizeof(path), "%s/%s", report->ring_path, name);
    rings = llmlab__ring_set_adopt(claim.fd, path);
    if (rings != NULL) {
        found->in_rings = llmlab__ring_set_pending_bytes(rings) == 0
                              ? 0
                              : llmlab__ring_set_pending(rings);
        llmlab__ring_set_keep_file(rings);
        llmlab__ring_set_destroy(rings);
    }
    llmlab__claim_release(&claim);
}

static void
visit_lock(const entry_t *entry, found_t *found)
{
    char name[LLMLAB__SPOOL_NAME];
    name_of(entry, name);
    if (!llmlab__claim_is_free(entry->directory, name)) {
        found->is_alive = true;
    }
}

static void
put_hex(llmlab__json_out_t *out, const unsigned char *bytes, size_t size)
{
    char text[65];

    for (size_t i = 0; i < size && i < 32; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    llmlab__json_put_string(out, text, 2 * size);
}

static void
put_text(llmlab__json_out_t *out, const char *text, size_t capacity)
{
    llmlab__json_put_string(out, text, strnlen(text, capacity));
}
#define PUT_TEXT(name)                                   \
    do {                                                 \
        llmlab__json_key(out, #name);                    \
        put_text(out, owner->name, sizeof(owner->name)); \
    } while (0)
#define PUT_COUNT(name, value)               \
    do {                                     \
        llmlab__json_key(out, name);         \
        llmlab__json_put_uint(out, (value)); \
    } while (0)

static void
put_owner(const report_t *report, const found_t *found, const char *base)
{
    const llmlab__segment_owner_t *owner = &found->owner;
    llmlab__json_out_t *out = report->out;

    llmlab__json_key(out, "instance");
    llmlab__json_put_text(out, strchr(base, '-') + 1);
    if (!found->is_known) {
        return;
    }
    PUT_TEXT(url);
    PUT_TEXT(project);
    llmlab__json_key(out, "key");
    put_hex(out, owner->key, sizeof(owner->key));
    PUT_TEXT(service);
    llmlab__json_key(out, "yours");
    llmlab__json_put_bool(
        out, memcmp(owner->tenant, report->tenant, sizeof(owner->tenant)) == 0);
}

static void
put_found(report_t *report, found_t *found, const char *base)
{
    llmlab__json_out_t *out = report->out;
    char oldest[LLMLAB__TIME_TEXT];
    uint64_t left = found->first > 0 && found->first <= found->last
                        ? found->last - found->first + 1
                        : UINT64_MAX;
    uint64_t calls = found->first > found->last ? 0 : found->records;

    calls = calls < left ? calls : left;
    llmlab__json_begin_object(out);
    put_owner(report, found, base);
    llmlab__json_key(out, "alive");
    llmlab__json_put_bool(out, found->is_alive);
    PUT_COUNT("segments", found->segments);
    PUT_COUNT("bytes", found->bytes);
    PUT_COUNT("calls", calls);
    PUT_COUNT("ring_calls", found->in_rings);
    PUT_COUNT("torn", found->torn);
    PUT_COUNT("unreadable", found->unreadable);
    llmlab__json_key(out, "oldest");
    if (found->oldest_ns != 0) {
        llmlab__json_put_string(out, oldest,
                                llmlab__time_format(found->oldest_ns, oldest));
    } else {
        llmlab__json_put_null(out);
    }
    llmlab__json_end_object(out);
    report->calls += calls + found->in_rings;
    report->bytes += found->bytes;
    report->torn += found->torn;
}

static void
put_instances(report_t *report)
{
    const entry_t *entries =
        (const entry_t *)(const void *)report->entries.data;
    size_t count = report->entries.size / sizeof(entry_t);
    size_t i = 0;

    if (count > 0) {
        qsort(report->entries.data, count, sizeof(entry_t), compare);
    }
    while (i < count) {
        const char *base = entries[i].base;
        found_t found = {0};

        for (; i < count && strcmp(entries[i].base, base) == 0; i++) {
            if (entries[i].kind == LLMLAB__SPOOL_SEGMENT) {
                visit_segment(&entries[i], &found);
            } else if (entries[i].kind == LLMLAB__SPOOL_RING) {
                visit_rings(report, &entries[i], &found);
            } else {
                visit_lock(&entries[i], &found);
            }
        }
        put_found(report, &found, base);
    }
}

static void
list(report_t *report, int directory)
{
    report->directory = directory;
    if (directory >= 0) {
        llmlab__spool_each(directory, collect, report);
    }
}

void
llmlab__spool_report(llmlab__json_out_t *out,
                     const llmlab__delivery_options_t *options)
{
    report_t report = {.out = out};
    llmlab__segment_owner_t owner;
    llmlab__spool_t spool;
    int rings = -1;

    llmlab__segment_owner(&owner, "", options);
    memcpy(report.tenant, owner.tenant, sizeof(report.tenant));
    llmlab__spool_open(&spool, &options->spool, false);
    if (llmlab__os_ring_directory(options->spool.ring_directory, false,
                                  report.ring_path, sizeof(report.ring_path))) {
        rings = llmlab__os_open_private(report.ring_path, false);
    }
    list(&report, spool.fd);
    if (strcmp(report.ring_path, spool.path) != 0) {
        list(&report, rings);
    }
    llmlab__json_begin_object(out);
    llmlab__json_key(out, "directory");
    llmlab__json_put_text(out, spool.fd >= 0 ? spool.path : NULL);
    llmlab__json_key(out, "ring_directory");
    llmlab__json_put_text(out, rings >= 0 ? report.ring_path : NULL);
    llmlab__json_key(out, "instances");
    llmlab__json_begin_array(out);
    put_instances(&report);
    llmlab__json_end_array(out);
    PUT_COUNT("calls", report.calls);
    PUT_COUNT("bytes", report.bytes);
    PUT_COUNT("torn", report.torn);
    llmlab__json_end_object(out);
    if (report.entries.failed) {
        out->buf->failed = true;
    }
    llmlab__buf_cleanup(&report.entries);
    llmlab__spool_close(&spool);
    if (rings >= 0) {
        close(rings);
    }
}
