#include "delivery/segment_state.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/alloc.h"
#include "base/crc32c.h"

#define BYTE_ORDER_MARK 0x01020304

static void
hash_tenant(unsigned char out[32], const char *url, const char *project,
            const char *api_key)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, (const unsigned char *)api_key,
                            strlen(api_key), 32);
    crypto_generichash_update(&state, (const unsigned char *)url,
                              strlen(url) + 1);
    crypto_generichash_update(&state, (const unsigned char *)project,
                              strlen(project) + 1);
    crypto_generichash_final(&state, out, 32);
    sodium_memzero(&state, sizeof(state));
}

void
llmlab__segment_owner(llmlab__segment_owner_t *out, const char *instance,
                      const llmlab__delivery_options_t *options)
{
    static const char which[] = "llmlab key";

#define COPY(field, from) snprintf(out->field, sizeof(out->field), "%s", (from))
    memset(out, 0, sizeof(*out));
    COPY(instance, instance);
    COPY(project, options->project);
    COPY(url, options->url);
    COPY(language, options->language);
    COPY(service, options->service);
    COPY(environment, options->environment);
    COPY(release, options->release);
#undef COPY
    hash_tenant(out->tenant, options->url, options->project, options->api_key);
    crypto_generichash(out->key, sizeof(out->key), (const unsigned char *)which,
                       sizeof(which), (const unsigned char *)options->api_key,
                       strlen(options->api_key));
}

void
llmlab__segments_init(llmlab__segments_t *segments,
                      const llmlab__segment_owner_t *owner,
                      size_t segment_bytes)
{
    memset(segments, 0, sizeof(*segments));
    segments->owner = *owner;
    segments->segment_bytes = segment_bytes;
    segments->fd = -1;
    llmlab__spool_base(segments->base, owner->tenant, owner->instance);
}

static void
free_segment(llmlab__segments_t *segments, llmlab__segment_t *segment)
{
    if (segment != NULL) {
        llmlab__segment_let_go(segments, segment);
        llmlab__free(segment);
    }
}

void
llmlab__segments_cleanup(llmlab__segments_t *segments)
{
    while (segments->head != NULL) {
        llmlab__segment_t *next = segments->head->next;

        free_segment(segments, segments->head);
        segments->head = next;
    }
    free_segment(segments, segments->spare);
    if (segments->fd >= 0) {
        close(segments->fd);
    }
    memset(segments, 0, sizeof(*segments));
    segments->fd = -1;
}

bool
llmlab__segment_hold(llmlab__segments_t *segments, llmlab__segment_t *segment)
{
    if (segment->bytes == NULL) {
        segment->bytes = llmlab__alloc(segment->capacity);
        if (segment->bytes == NULL) {
            return false;
        }
        segments->memory += segment->capacity;
    }
    return true;
}

void
llmlab__segment_let_go(llmlab__segments_t *segments, llmlab__segment_t *segment)
{
    if (segment->bytes != NULL) {
        segments->memory -= segment->capacity;
        llmlab__free(segment->bytes);
        segment->bytes = NULL;
    }
}

static void
write_header(llmlab__segment_t *segment, const llmlab__segment_owner_t *owner)
{
    llmlab__segment_header_t header;

    memset(&header, 0, sizeof(header));
    memcpy(header.magic, LLMLAB__SEGMENT_MAGIC, sizeof(header.magic));
    header.version = LLMLAB__SEGMENT_VERSION;
    header.record_version = LLMLAB__RECORD_VERSION;
    header.byte_order = BYTE_ORDER_MARK;
    header.owner = *owner;
    header.check = llmlab__crc32c(0, &header, sizeof(header));
    memcpy(segment->bytes, &header, sizeof(header));
    segment->size = sizeof(header);
    segment->records_end = sizeof(header);
    segment->written = 0;
}

bool
llmlab__segment_header_check(const llmlab__segment_header_t *header)
{
    llmlab__segment_header_t copy = *header;

    copy.check = 0;
    return memcmp(header->magic, LLMLAB__SEGMENT_MAGIC,
                  sizeof(header->magic)) == 0 &&
           header->version == LLMLAB__SEGMENT_VERSION &&
           header->record_version == LLMLAB__RECORD_VERSION &&
           header->byte_order == BYTE_ORDER_MARK &&
           header->check == llmlab__crc32c(0, &copy, sizeof(copy));
}

/* As a record: place for notes stays free. */
static bool
fits(const llmlab__segment_t *segment, size_t size)
{
    return segment != NULL && segment->bytes != NULL &&
           segment->capacity - segment->size >= size + LLMLAB__SEGMENT_NOTES;
}

bool
llmlab__segments_have_room(const llmlab__segments_t *segments, uint32_t size,
                           size_t limit)
{
    return fits(segments->tail, sizeof(llmlab__frame_t) + size) ||
           segments->spare != NULL ||
           segments->memory + segments->segment_bytes <= limit;
}

llmlab__segment_t *
llmlab__segment_new(size_t capacity)
{
    llmlab__segment_t *segment = llmlab__calloc(1, sizeof(*segment));

    if (segment != NULL) {
        segment->capacity = capacity;
    }
    return segment;
}

void
llmlab__segments_add(llmlab__segments_t *segments, llmlab__segment_t *segment)
{
    segment->next = NULL;
    if (segments->tail == NULL) {
        segments->head = segment;
    } else {
        segments->tail->next = segment;
    }
    segments->tail = segment;
}

static bool
add_segment(llmlab__segments_t *segments)
{
    llmlab__segment_t *segment = segments->spare;

    segments->spare = NULL;
    if (segment == NULL) {
        segment = llmlab__segment_new(segments->segment_bytes);
    }
    if (segment == NULL || !llmlab__segment_hold(segments, segment)) {
        llmlab__free(segment);
        return false;
    }
    write_header(segment, &segments->owner);
    llmlab__segments_add(segments, segment);
    return true;
}

/* Records that another process left may hold any numbers. */
static int64_t
shifted(int64_t ns, int64_t offset_ns)
{
    return (int64_t)((uint64_t)ns + (uint64_t)offset_ns);
}

static void
make_times_real(llmlab__record_t *record, int64_t offset_ns)
{
    if ((record->flags & LLMLAB__RECORD_REAL_TIME) == 0) {
        record->start_ns = shifted(record->start_ns, offset_ns);
        record->end_ns = shifted(record->end_ns, offset_ns);
        record->flags |= LLMLAB__RECORD_REAL_TIME;
    }
}

uint32_t
llmlab__frame_check(const llmlab__frame_t *frame, const unsigned char *payload)
{
    size_t from = offsetof(llmlab__frame_t, type);
    uint32_t check = llmlab__crc32c(0, (const unsigned char *)frame + from,
                                    sizeof(*frame) - from);

    return llmlab__crc32c(check, payload, frame->size);
}

bool
llmlab__segments_append(llmlab__segments_t *segments,
                        const llmlab__record_t *record, uint64_t number,
                        int64_t offset_ns, llmlab__segment_cursor_t *start,
                        llmlab__segment_cursor_t *end)
{
    llmlab__frame_t frame = {
        .size = record->size, .type = LLMLAB__FRAME_RECORD, .number = number};
    llmlab__segment_t *segment;
    unsigned char *at;

    if (!fits(segments->tail, sizeof(frame) + record->size) &&
        !add_segment(segments)) {
        return false;
    }
    segment = segments->tail;
    if (!fits(segment, sizeof(frame) + record->size)) {
        return false;
    }
    start->segment = segment;
    start->offset = segment->size;
    at = segment->bytes + segment->size;
    memcpy(at + sizeof(frame), record, record->size);
    make_times_real((llmlab__record_t *)(void *)(at + sizeof(frame)),
                    offset_ns);
    frame.check = llmlab__frame_check(&frame, at + sizeof(frame));
    memcpy(at, &frame, sizeof(frame));
    segment->size += sizeof(frame) + record->size;
    segment->records_end = segment->size;
    if (segments->unwritten == NULL) {
        segments->unwritten = segment;
    }
    end->segment = segment;
    end->offset = segment->size;
    return true;
}

bool
llmlab__segments_note(llmlab__segments_t *segments, llmlab__frame_type_t type,
                      uint64_t number, const void *payload, uint32_t size)
{
    llmlab__frame_t frame = {.size = size, .type = type, .number = number};
    llmlab__segment_t *segment = segments->tail;
    unsigned char *at;

    if (segment == NULL || segment->bytes == NULL ||
        segment->capacity - segment->size < sizeof(frame) + size) {
        if (!add_segment(segments)) {
            return false;
        }
        segment = segments->tail;
    }
    at = segment->bytes + segment->size;
    if (size > 0) {
        memcpy(at + sizeof(frame), payload, size);
    }
    frame.check = llmlab__frame_check(&frame, at + sizeof(frame));
    memcpy(at, &frame, sizeof(frame));
    segment->size += sizeof(frame) + size;
    if (segments->unwritten == NULL) {
        segments->unwritten = segment;
    }
    return true;
}

/* The next frame of type RECORD at or after the cursor. */
static bool
find_record(llmlab__segment_cursor_t *cursor, llmlab__frame_t *frame)
{
    while (cursor->segment != NULL) {
        const llmlab__segment_t *segment = cursor->segment;

        if (segment->bytes == NULL ||
            cursor->offset + sizeof(*frame) > segment->size) {
            if (segment->next == NULL) {
                return false;
            }
            cursor->segment = segment->next;
            cursor->offset = sizeof(llmlab__segment_header_t);
            continue;
        }
        memcpy(frame, segment->bytes + cursor->offset, sizeof(*frame));
        if (frame->type == LLMLAB__FRAME_RECORD) {
            return true;
        }
        cursor->offset += sizeof(*frame) + frame->size;
    }
    return false;
}

bool
llmlab__segments_read(llmlab__segment_cursor_t *cursor,
                      const llmlab__record_t **out, uint64_t *number,
                      bool *sound)
{
    llmlab__frame_t frame;
    const unsigned char *payload;

    if (!find_record(cursor, &frame)) {
        return false;
    }
    payload = cursor->segment->bytes + cursor->offset + sizeof(frame);
    *number = frame.number;
    *out = (const llmlab__record_t *)(const void *)payload;
    /* A size that was overwritten may point anywhere: what follows it in the
     * segment is lost with it. */
    if (frame.size > cursor->segment->size - cursor->offset - sizeof(frame)) {
        *sound = false;
        cursor->offset = cursor->segment->size;
        return true;
    }
    *sound = frame.check == llmlab__frame_check(&frame, payload) &&
             llmlab__record_check(payload, frame.size);
    cursor->offset += sizeof(frame) + frame.size;
    return true;
}

static void
drop_head(llmlab__segments_t *segments)
{
    llmlab__segment_t *segment = segments->head;

    llmlab__segment_unlink(segments, segment);
    segments->head = segment->next;
    if (segments->head == NULL) {
        segments->tail = NULL;
    }
    if (segments->unwritten == segment) {
        segments->unwritten = segment->next;
    }
    if (segments->spare == NULL && segment->bytes != NULL &&
        segment->capacity == segments->segment_bytes) {
        segments->spare = segment;
    } else {
        free_segment(segments, segment);
    }
}

void
llmlab__segments_release(llmlab__segments_t *segments,
                         const llmlab__segment_cursor_t *before)
{
    llmlab__segment_t *tail;

    while (segments->head != before->segment) {
        drop_head(segments);
    }
    if (segments->head == NULL ||
        before->offset < segments->head->records_end) {
        return;
    }
    /* Frames behind the last record are no longer of use. A last segment that
     * is read to its end is written from the start again, which no cursor of a
     * later record can notice: there is none yet. */
    tail = segments->tail;
    if (segments->head != tail || tail->bytes == NULL) {
        drop_head(segments);
        return;
    }
    llmlab__segment_unlink(segments, tail);
    tail->size = sizeof(llmlab__segment_header_t);
    tail->records_end = tail->size;
    segments->unwritten = NULL;
}
