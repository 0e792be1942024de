#include "usage/sse.h"

#include <string.h>

#include "usage/reader.h"

typedef enum state_e {
    IN_NAME = 0, /* also at the start of a line */
    BEFORE_DATA, /* behind "data:", where one space may be dropped */
    IN_DATA,
    IN_OTHER /* a comment, or a field that is not read */
} state_t;

static const char done_mark[] = "[DONE]";

#define DONE_SIZE (sizeof(done_mark) - 1)

void
llmlab__sse_init(llmlab__sse_t *sse)
{
    memset(sse, 0, sizeof(*sse));
}

bool
llmlab__sse_is_done(const llmlab__sse_t *sse)
{
    return sse->held_open && sse->held_size == DONE_SIZE;
}

static void
give_json(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    size_t taken = llmlab__reader_event_json(reader, bytes, size);

    for (; taken < size && !reader->event_failed; taken++) {
        char c = bytes[taken];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            llmlab__reader_event_fail(reader, "text behind the event's JSON");
            return;
        }
    }
}

/* Data that was taken for the beginning of [DONE] is none. */
static void
release_held(llmlab__reader_t *reader)
{
    llmlab__sse_t *sse = &reader->sse;

    sse->held_open = false;
    if (sse->held_size > 0) {
        give_json(reader, done_mark, sse->held_size);
    }
}

static void
take_data(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    llmlab__sse_t *sse = &reader->sse;

    while (size > 0 && sse->held_open) {
        if (sse->held_size < DONE_SIZE ? *bytes != done_mark[sse->held_size]
                                       : *bytes != ' ' && *bytes != '\t') {
            release_held(reader);
            break;
        }
        if (sse->held_size < DONE_SIZE) {
            sse->held_size++;
        }
        bytes++;
        size--;
    }
    if (size > 0) {
        give_json(reader, bytes, size);
    }
}

static void
begin_data(llmlab__reader_t *reader)
{
    llmlab__sse_t *sse = &reader->sse;

    if (sse->in_event) {
        /* Data lines of one event are joined by line feeds. */
        if (sse->held_open && sse->held_size > 0) {
            release_held(reader);
        }
        if (!sse->held_open) {
            give_json(reader, "\n", 1);
        }
        return;
    }
    sse->in_event = true;
    sse->held_open = true;
    sse->held_size = 0;
    llmlab__reader_event_begin(reader);
}

static void
end_event(llmlab__reader_t *reader)
{
    llmlab__sse_t *sse = &reader->sse;

    if (!sse->in_event) {
        return;
    }
    if (llmlab__sse_is_done(sse)) {
        reader->facts.ended = true;
    } else {
        if (sse->held_open) {
            release_held(reader);
        }
        llmlab__reader_event_end(reader);
    }
    sse->in_event = false;
    sse->held_open = false;
    sse->held_size = 0;
}

static bool
is_name(const llmlab__sse_t *sse, const char *name)
{
    size_t size = strlen(name);

    return sse->name_size == size && memcmp(sse->name, name, size) == 0;
}

static void
end_line(llmlab__reader_t *reader)
{
    llmlab__sse_t *sse = &reader->sse;

    if (sse->state == IN_NAME) {
        if (sse->name_size == 0) {
            end_event(reader);
        } else if (is_name(sse, "data")) {
            begin_data(reader);
        }
    }
    sse->state = IN_NAME;
    sse->name_size = 0;
}

static void
take_name(llmlab__reader_t *reader, char c)
{
    llmlab__sse_t *sse = &reader->sse;

    if (c != ':') {
        if (sse->name_size < sizeof(sse->name)) {
            sse->name[sse->name_size++] = c;
        }
        return;
    }
    if (is_name(sse, "data")) {
        sse->state = BEFORE_DATA;
        begin_data(reader);
    } else {
        sse->state = IN_OTHER;
    }
}

static const char *
find_line_end(const char *p, const char *end)
{
    const char *feed = memchr(p, '\n', (size_t)(end - p));
    const char *stop = feed == NULL ? end : feed;
    const char *carriage = memchr(p, '\r', (size_t)(stop - p));

    return carriage == NULL ? stop : carriage;
}

void
llmlab__sse_feed(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    llmlab__sse_t *sse = &reader->sse;
    const char *p = bytes;
    const char *end = bytes + size;

    while (p < end) {
        bool was_cr = sse->after_cr;
        const char *stop;

        sse->after_cr = false;
        if (was_cr && *p == '\n') {
            p++;
            continue;
        }
        if (*p == '\n' || *p == '\r') {
            sse->after_cr = *p == '\r';
            end_line(reader);
            p++;
            continue;
        }
        switch ((state_t)sse->state) {
        case IN_NAME:
            take_name(reader, *p);
            p++;
            break;
        case BEFORE_DATA:
            sse->state = IN_DATA;
            p += *p == ' ';
            break;
        case IN_DATA:
        case IN_OTHER:
            stop = find_line_end(p, end);
            if (sse->state == IN_DATA) {
                take_data(reader, p, (size_t)(stop - p));
            }
            p = stop;
            break;
        }
    }
}
