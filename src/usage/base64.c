/* Bedrock's InvokeModel streams carry the vendor's events as base64 inside
 * JSON: decoded as they come, and walked through by the vendor's table. */
#include "usage/reader.h"

void
llmlab__base64_begin(llmlab__reader_t *reader)
{
    reader->inner_used = false;
    reader->inner_ignored = false;
    reader->inner_error = NULL;
    reader->base64_bits = 0;
    reader->base64_word = 0;
}

static int
digit_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

static void
give_decoded(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    size_t taken;

    if (reader->inner_ignored) {
        return;
    }
    if (!reader->inner_used) {
        /* An agent's answer comes the same way, as plain text, at the end. */
        if (bytes[0] != '{') {
            reader->inner_ignored = true;
            reader->facts.ended = true;
            return;
        }
        reader->inner_used = true;
        llmlab__walk_begin(&reader->inner);
    }
    taken = llmlab__walk_feed(&reader->inner, bytes, size);
    /* The text around it is still being read: the event fails at its end. */
    if (llmlab__walk_error(&reader->inner) != NULL) {
        reader->inner_error = llmlab__walk_error(&reader->inner);
    } else if (taken < size && llmlab__walk_done(&reader->inner)) {
        reader->inner_error = "text behind the chunk's JSON";
    }
    reader->inner_ignored = reader->inner_error != NULL;
}

void
llmlab__base64_piece(llmlab__reader_t *reader, const char *bytes, size_t size)
{
    char decoded[512];
    size_t count = 0;

    for (size_t i = 0; i < size && !reader->inner_ignored; i++) {
        int value = digit_value(bytes[i]);

        if (value < 0) {
            /* "=" ends it, and "\/" is an escaped "/". */
            continue;
        }
        reader->base64_word = (reader->base64_word << 6) | (uint32_t)value;
        reader->base64_bits = (uint8_t)(reader->base64_bits + 6);
        if (reader->base64_bits >= 8) {
            reader->base64_bits = (uint8_t)(reader->base64_bits - 8);
            decoded[count++] =
                (char)((reader->base64_word >> reader->base64_bits) & 0xff);
        }
        if (count == sizeof(decoded)) {
            give_decoded(reader, decoded, count);
            count = 0;
        }
    }
    if (count > 0) {
        give_decoded(reader, decoded, count);
    }
}

void
llmlab__base64_end(llmlab__reader_t *reader)
{
    if (reader->inner_error != NULL) {
        llmlab__reader_event_fail(reader, reader->inner_error);
        return;
    }
    if (!reader->inner_used) {
        return;
    }
    reader->inner_form = reader->inner.form;
    if (!llmlab__walk_done(&reader->inner)) {
        llmlab__reader_event_fail(reader, "the chunk's JSON is cut off");
    } else if (reader->inner.form->event != NULL) {
        reader->inner.form->event(&reader->facts);
    }
}
