#include "usage/eventstream.h"

#include <string.h>
#include <zlib.h>

#include "usage/reader.h"

#define PRELUDE_SIZE 12u
#define CRC_SIZE     4u
#define FRAME_MAX    (24u * 1024 * 1024) /* the protocol allows 16 MiB */

typedef enum state_e { IN_PRELUDE = 0, IN_HEADERS, IN_PAYLOAD, IN_CRC } state_t;

/* Steps through one header. */
typedef enum step_e {
    NAME_SIZE = 0,
    NAME,
    TYPE,
    VALUE_SIZE_HIGH,
    VALUE_SIZE_LOW,
    VALUE
} step_t;

void
llmlab__eventstream_init(llmlab__eventstream_t *stream)
{
    memset(stream, 0, sizeof(*stream));
}

bool
llmlab__eventstream_at_rest(const llmlab__eventstream_t *stream)
{
    return stream->state == IN_PRELUDE && stream->held_size == 0;
}

static uint32_t
read_u32(const uint8_t *bytes)
{
    return ((uint32_t)bytes[0] << 24) | ((uint32_t)bytes[1] << 16) |
           ((uint32_t)bytes[2] << 8) | bytes[3];
}

static uint32_t
crc_of(uint32_t crc, const void *bytes, size_t size)
{
    return (uint32_t)crc32(crc, bytes, (uInt)size);
}

/* Gather a fixed number of bytes; true once they are there. */
static bool
gather(llmlab__eventstream_t *stream, const char **p, const char *end,
       size_t want)
{
    size_t size = want - stream->held_size;

    size = size < (size_t)(end - *p) ? size : (size_t)(end - *p);
    memcpy(stream->held + stream->held_size, *p, size);
    stream->held_size = (uint8_t)(stream->held_size + size);
    *p += size;
    return stream->held_size == want;
}

static void
begin_frame(llmlab__reader_t *reader)
{
    llmlab__eventstream_t *stream = &reader->eventstream;
    uint32_t total = read_u32(stream->held);
    uint32_t headers = read_u32(stream->held + 4);
    uint32_t crc = crc_of(0, stream->held, 8);

    llmlab__reader_event_begin(reader);
    stream->held_size = 0;
    if (crc != read_u32(stream->held + 8)) {
        llmlab__reader_event_fail(reader, "a prelude's CRC is wrong");
        stream->dead = true;
        return;
    }
    if (total < PRELUDE_SIZE + CRC_SIZE || total > FRAME_MAX ||
        headers > total - PRELUDE_SIZE - CRC_SIZE) {
        llmlab__reader_event_fail(reader, "a frame's sizes are wrong");
        stream->dead = true;
        return;
    }
    stream->crc = crc_of(crc, stream->held + 8, 4);
    stream->headers_left = headers;
    stream->payload_left = total - PRELUDE_SIZE - CRC_SIZE - headers;
    stream->step = NAME_SIZE;
    stream->exception[0] = '\0';
    stream->is_exception = false;
    stream->state = IN_HEADERS;
}

static bool
is_text(const char *kept, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(kept, text, size) == 0;
}

static void
end_header(llmlab__eventstream_t *stream)
{
    size_t size = stream->value_size < sizeof(stream->value)
                      ? stream->value_size
                      : sizeof(stream->value) - 1;

    stream->step = NAME_SIZE;
    if (is_text(stream->name, stream->name_size, ":message-type")) {
        stream->is_exception = is_text(stream->value, size, "exception") ||
                               is_text(stream->value, size, "error");
    } else if (is_text(stream->name, stream->name_size, ":exception-type") ||
               is_text(stream->name, stream->name_size, ":error-code")) {
        memcpy(stream->exception, stream->value, size);
        stream->exception[size] = '\0';
    }
}

/* The sizes of header values by their type; 6 and 7 tell their own. */
static const uint8_t value_sizes[10] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};

/* False: the header is malformed. */
static bool
take_header_byte(llmlab__eventstream_t *stream, char byte)
{
    uint8_t value = (uint8_t)byte;

    switch ((step_t)stream->step) {
    case NAME_SIZE:
        stream->name_left = value;
        stream->name_size = 0;
        stream->step = value == 0 ? TYPE : NAME;
        return true;
    case NAME:
        if (stream->name_size < sizeof(stream->name)) {
            stream->name[stream->name_size++] = byte;
        } else {
            stream->name_size = UINT8_MAX; /* longer than any that is read */
        }
        stream->step = --stream->name_left == 0 ? TYPE : NAME;
        return true;
    case TYPE:
        if (value >= sizeof(value_sizes)) {
            return false;
        }
        stream->value_size = 0;
        stream->value_left = value_sizes[value];
        if (value == 6 || value == 7) {
            stream->step = VALUE_SIZE_HIGH;
        } else if (stream->value_left == 0) {
            end_header(stream);
        } else {
            stream->step = VALUE;
        }
        return true;
    case VALUE_SIZE_HIGH:
        stream->value_left = (uint32_t)value << 8;
        stream->step = VALUE_SIZE_LOW;
        return true;
    case VALUE_SIZE_LOW:
        stream->value_left |= value;
        stream->step = VALUE;
        if (stream->value_left == 0) {
            end_header(stream);
        }
        return true;
    case VALUE:
        if (stream->value_size < sizeof(stream->value)) {
            stream->value[stream->value_size] = byte;
        }
        stream->value_size++;
        if (--stream->value_left == 0) {
            end_header(stream);
        }
        return true;
    }
    return false;
}

static void
take_headers(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    llmlab__eventstream_t *stream = &reader->eventstream;

    for (size_t i = 0; i < size; i++) {
        if (!reader->event_failed && !take_header_byte(stream, bytes[i])) {
            llmlab__reader_event_fail(reader, "a header is malformed");
        }
    }
}

static void
take_payload(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    size_t taken = llmlab__reader_event_json(reader, bytes, size);

    if (taken < size && !reader->event_failed) {
        llmlab__reader_event_fail(reader, "text behind the event's JSON");
    }
}

static void
end_frame(llmlab__reader_t *reader)
{
    llmlab__eventstream_t *stream = &reader->eventstream;
    llmlab_reply_t *reply;

    stream->state = IN_PRELUDE;
    stream->held_size = 0;
    if (stream->crc != read_u32(stream->held)) {
        llmlab__reader_event_fail(reader, "a frame's CRC is wrong");
    } else if (stream->step != NAME_SIZE) {
        llmlab__reader_event_fail(reader, "a header is malformed");
    }
    llmlab__reader_event_end(reader);
    if (stream->is_exception && !reader->event_failed) {
        reply = &reader->facts.reply;
        reply->is_error = 1;
        llmlab__copy_text(reply->error_type, sizeof(reply->error_type),
                          stream->exception);
    }
}

void
llmlab__eventstream_feed(llmlab__reader_t *reader, const char *bytes,
                         size_t size)
{
    llmlab__eventstream_t *stream = &reader->eventstream;
    const char *p = bytes;
    const char *end = bytes + size;

    while (p < end && !stream->dead) {
        uint32_t *left = stream->state == IN_HEADERS ? &stream->headers_left
                                                     : &stream->payload_left;
        size_t part = *left < (size_t)(end - p) ? *left : (size_t)(end - p);

        switch ((state_t)stream->state) {
        case IN_PRELUDE:
            if (gather(stream, &p, end, PRELUDE_SIZE)) {
                begin_frame(reader);
            }
            break;
        case IN_HEADERS:
        case IN_PAYLOAD:
            stream->crc = crc_of(stream->crc, p, part);
            if (stream->state == IN_HEADERS) {
                take_headers(reader, p, part);
            } else {
                take_payload(reader, p, part);
            }
            p += part;
            *left -= (uint32_t)part;
            if (*left == 0) {
                stream->state++;
            }
            break;
        case IN_CRC:
            if (gather(stream, &p, end, CRC_SIZE)) {
                end_frame(reader);
            }
            break;
        }
    }
}
